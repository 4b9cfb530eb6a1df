"""What is done again and again beside collecting."""

import pytest

from ctiscraper.access.identity_claims import Identity
from ctiscraper.db import known_words
from ctiscraper.db.identities import Identities
from ctiscraper.db.session import Database
from ctiscraper.db.users import Users
from ctiscraper.identity import Role
from ctiscraper.tasks import rounds
from ctiscraper.tasks.rounds import count_words, shut_out_unseen
from web.shelf import Shelf


def counted(shelf: Shelf) -> int:
    return int(shelf.run("SELECT coalesce(sum(articles), 0) FROM known_word_progress")[0])


async def test_words_are_counted_until_there_are_no_more(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_words, "BATCH", 2)
    shelf = Shelf(database)
    for number in range(5):
        shelf.article(f"n{number}", text="Loaders.")
    async with Database(database, size=1) as opened:
        await count_words(opened)
        assert counted(shelf) == 5
        await count_words(opened)
    assert counted(shelf) == 5


async def test_a_round_that_has_no_time_left_leaves_the_rest_to_the_next(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_words, "BATCH", 2)
    monkeypatch.setattr(rounds, "WORDS_SECONDS", 0.0)
    shelf = Shelf(database)
    shelf.article("one")
    async with Database(database, size=1) as opened:
        await count_words(opened)
    assert counted(shelf) == 0


async def test_whoever_stays_away_from_his_provider_is_shut_out_unless_that_is_not_wanted(
    database: str,
) -> None:
    async with Database(database, size=1) as opened:
        given = {"issuer": "https://id.example", "subject": "s", "login": "ann", "name": "Ann"}
        ann = (await Identities(opened).admit(Identity(**given, role=Role.VIEWER))).user_id
        async with opened.connection() as conn:
            await conn.execute("UPDATE user_identity SET seen_at = now() - interval '2 days'")
        for days, is_out in ((0, False), (3, False), (1, True)):
            await shut_out_unseen(opened, days)
            assert (await Users(opened).get(ann)).shut_out is is_out
