"""How sources compare: first, unique, repeated, named."""

from datetime import timedelta

import pytest

from ctiscraper.db.scoreboard import SourceScores
from ctiscraper.errors import QueryError
from newsroom import START, Newsroom

HASHES = [f"sha256 {n:064x}" for n in range(4)]


async def test_each_source_is_told_by_what_it_gave(newsroom: Newsroom) -> None:
    for number in range(3):
        newsroom.tell(HASHES[number], "domain only.acme.example", source="acme", hours=number)
        copy = newsroom.tell(HASHES[number], source="bolt", hours=number * 2 + 10)
    newsroom.tell(HASHES[3], source="cobalt", hours=400)
    await newsroom.assign()
    async with newsroom.database.connection() as conn:
        await conn.execute("UPDATE article SET duplicate_of = 1 WHERE id = %s", (copy,))
        await conn.execute(
            """
            UPDATE mention m SET verdict = 'malicious' FROM entity e
            WHERE e.id = m.entity_id AND e.kind = 'sha256'
            """
        )
    scores = SourceScores(newsroom.database)
    found = await scores.scoreboard(since=START, until=START + timedelta(days=10))
    acme, bolt = sorted(found.sources, key=lambda one: one.source.key)
    assert (acme.articles, acme.duplicates, acme.stories, acme.first) == (3, 0, 3, 3)
    assert acme.lead_hours == pytest.approx(11.0)
    assert (acme.unique, acme.entities, acme.flagged) == (1, 6, 3)
    assert (bolt.articles, bolt.duplicates, bolt.stories, bolt.first) == (3, 1, 3, 0)
    assert (bolt.lead_hours, bolt.unique, bolt.entities, bolt.flagged) == (None, 0, 3, 3)
    assert bolt.duplicate_share == pytest.approx(1 / 3)
    assert acme.entities_per_article == pytest.approx(2.0)


async def test_checks_that_tell_nothing_of_a_source_are_not_counted(newsroom: Newsroom) -> None:
    newsroom.tell(HASHES[0], source="acme", hours=1)
    async with newsroom.database.connection() as conn:
        await conn.execute(
            """
            INSERT INTO source_check (source_id, checked_at, reason)
            SELECT s.id, %s, told.reason FROM source s,
                unnest(ARRAY[NULL, 'timeout', 'host_busy', NULL, 'offline']) AS told (reason)
            WHERE s.key = 'acme'
            """,
            (START,),
        )
    found = await SourceScores(newsroom.database).scoreboard(
        since=START, until=START + timedelta(days=10)
    )
    [acme] = found.sources
    assert (acme.checks, acme.failed_checks) == (3, 1)


async def test_the_period_is_thirty_days_unless_told(newsroom: Newsroom) -> None:
    scores = SourceScores(newsroom.database)
    found = await scores.scoreboard()
    assert found.until - found.since == timedelta(days=30)
    assert found.sources == ()
    last = await scores.scoreboard(until=START)
    assert (last.since, last.until) == (START - timedelta(days=30), START)


async def test_a_period_has_to_be_one(newsroom: Newsroom) -> None:
    scores = SourceScores(newsroom.database)
    for days in (0, -1, 93):
        with pytest.raises(QueryError, match="at most 92 days"):
            await scores.scoreboard(since=START, until=START + timedelta(days=days))
