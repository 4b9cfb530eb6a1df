"""What is done again and again beside collecting."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from psycopg.errors import DataError
from structlog.testing import capture_logs

from ctiscraper.access.identity_claims import Identity
from ctiscraper.config import Settings
from ctiscraper.db import known_words
from ctiscraper.db.identities import Identities
from ctiscraper.db.session import Database
from ctiscraper.db.users import Users
from ctiscraper.identity import Role
from ctiscraper.loop import alongside
from ctiscraper.tasks import rounds
from ctiscraper.tasks.rounds import (
    check_accounts,
    count_words,
    go_round,
    shut_out_unseen,
    watch_access,
)
from patience import until
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


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no round be waited for."""
    for name in ("HOUR", "WORDS_EVERY", "ROLLUP_SECONDS", "AGAIN_SECONDS"):
        monkeypatch.setattr(rounds, name, 0.01)


@dataclass
class Broken:
    """A part that breaks in a way that nobody foresaw, and counts how often it was tried."""

    name: str
    tries: int = 0

    async def __call__(self, *_: object, **__: object) -> None:
        self.tries += 1
        raise DataError("integer out of range")

    @property
    def __name__(self) -> str:
        return self.name


async def test_a_source_whose_items_do_not_add_up_is_named_in_the_log(database: str) -> None:
    shelf = Shelf(database)
    shelf.article("one", source="acme")
    shelf.article("two", source="bolt")
    async with Database(database, size=1) as opened:
        with capture_logs() as logs:
            await check_accounts(opened)
        assert [(one["event"], one["balanced"]) for one in logs] == [("accounts_checked", True)]
        shelf.run(
            "DELETE FROM article WHERE source_id = (SELECT id FROM source WHERE key = 'bolt')"
        )
        with capture_logs() as logs:
            await check_accounts(opened)
    told, checked = logs
    assert (told["event"], told["log_level"], told["source"]) == (
        "accounts_unbalanced",
        "error",
        "bolt",
    )
    assert checked["balanced"] is False


STEPS = ("remove_outlived", "check_accounts", "queue_missed", "count_words", "roll_up")


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("whole", ["roll_up", "publish"])
async def test_rounds_that_break_are_told_and_end_no_other(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: str
) -> None:
    came = asyncio.Event()

    async def well(*_: object, **__: object) -> None:
        came.set()

    broken = [Broken(name) for name in (*STEPS, "keep_embedding", "publish") if name != whole]
    for part in broken:
        monkeypatch.setattr(rounds, part.name, part)
    monkeypatch.setattr(rounds, whole, well)
    settings = Settings(data_dir=tmp_path)
    with capture_logs() as logs:
        async with alongside(go_round(settings, database, metrics=True)) as going:
            await until(lambda: _all_were_tried_twice(broken))
            came.clear()
            await asyncio.wait_for(came.wait(), 30)
            assert not going.done()
    told = {entry["round"] for entry in logs if entry["event"] == "round_broke"}
    assert len(told) == len(broken)
    assert not [task for task in asyncio.all_tasks() if "/rounds.py" in str(task)]


async def _all_were_tried_twice(parts: Sequence[Broken]) -> bool:
    return all(part.tries >= 2 for part in parts)


@pytest.mark.usefixtures("at_once")
async def test_who_may_come_in_is_looked_at_again_after_a_look_that_broke(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Broken("shut_out_unseen")
    monkeypatch.setattr(rounds, broken.name, broken)
    with capture_logs() as logs:
        async with alongside(watch_access(Settings(data_dir=tmp_path), database)) as watching:
            await until(lambda: _all_were_tried_twice([broken]))
            assert not watching.done()
    assert {entry["event"] for entry in logs} == {"round_broke"}
