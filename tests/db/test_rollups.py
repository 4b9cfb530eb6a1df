"""Counts by week and day agree with the rows, whatever happens to them and whoever writes."""

import asyncio
from datetime import timedelta

import psycopg

import make
from ctiscraper.db import migrate
from ctiscraper.db.enrichments import Finding
from ctiscraper.db.rollups import Rollups
from ctiscraper.db.session import Database
from ctiscraper.intelligence import Extractor, Mention
from db import claimed
from db.stage import Stage

OTHER = make.settings("other", "other.example")
BEFORE = "20261126_1800"


def actor(name: str) -> Mention:
    return claimed.mention(name, "actor", verdict=None, extractor=Extractor.NAMES, host="")


async def agrees(stage: Stage) -> bool:
    return await Rollups(stage.database).differences() == []


async def test_articles_and_what_they_name_are_counted_under_their_day(stage: Stage) -> None:
    # Friday, 20 November 2026, and the Sunday and Monday behind it.
    for number, days in enumerate((0, 2, 3)):
        published = make.NOW + timedelta(days=days)
        await claimed.article(stage, f"n{number}", actor("APT1"), published=published)
    await claimed.article(stage, "other", claimed.mention("evil.example"), settings=OTHER)
    weeks = await stage.rows(
        "SELECT week::text, tier, sum(d5), sum(d7), sum(d1), sum(articles), sum(copies) "
        "FROM tier_week GROUP BY 1, 2 ORDER BY 1"
    )
    assert weeks == [
        ("2026-11-16", "standard", 2, 1, 0, 3, 0),
        ("2026-11-23", "standard", 0, 0, 1, 1, 0),
    ]
    by_source = await stage.rows(
        "SELECT s.key, sum(w.articles) FROM source_week w JOIN source s ON s.id = w.source_id "
        "GROUP BY 1 ORDER BY 1"
    )
    assert by_source == [("acme", 3), ("other", 1)]
    # A domain comes and goes: its kind has no counts.
    named = await stage.rows(
        "SELECT week::text, kind, d5, d7, d1, articles FROM entity_week ORDER BY 1"
    )
    assert named == [
        ("2026-11-16", "actor", 1, 1, 0, 2),
        ("2026-11-23", "actor", 0, 0, 1, 1),
    ]
    assert await agrees(stage)


async def test_counts_follow_what_happens_to_articles(stage: Stage) -> None:
    first = await claimed.article(stage, "one", actor("APT1"), actor("APT2"))
    second = await claimed.article(stage, "two", actor("APT1"))
    changes = (
        f"UPDATE article SET duplicate_of = {first} WHERE id = {second}",
        "UPDATE article SET tier = 'premium'",
        f"UPDATE article SET sort_at = sort_at - interval '9 days' WHERE id = {first}",
        f"UPDATE article SET title = 'Another' WHERE id = {second}",
        f"UPDATE article SET duplicate_of = NULL WHERE id = {second}",
        f"DELETE FROM article_fingerprint WHERE article_id = {second}",
    )
    for statement in changes:
        await stage.run(statement)
        assert await agrees(stage), statement
    assert await stage.rows("SELECT tier, sum(articles) FROM tier_week GROUP BY 1 ORDER BY 1") == [
        ("premium", 2),
        ("standard", 0),
    ]


async def test_a_removed_article_takes_its_counts_along(database: str) -> None:
    async with Database(database, size=2) as opened:
        stage = Stage(opened)
        gone = await claimed.article(stage, "one", actor("APT1"))
        await claimed.article(stage, "two", actor("APT1"))
        await stage.run(f"DELETE FROM article WHERE id = {gone}")
        assert await agrees(stage)
        assert await stage.value("SELECT sum(articles) FROM entity_week") == 1


async def test_what_is_looked_through_again_counts_once(stage: Stage) -> None:
    await claimed.article(stage, "one", actor("APT1"), actor("APT2"))
    for named in (("APT1", "APT2"), ("APT2", "APT3"), ()):
        await stage.enrichments.queue((Extractor.NAMES,))
        await claimed.tell(stage, *(actor(name) for name in named))
        assert await agrees(stage)
        kept = await stage.rows(
            "SELECT e.value FROM entity_week w JOIN entity e ON e.id = w.entity_id "
            "WHERE w.articles > 0 ORDER BY 1"
        )
        assert kept == [(name,) for name in named]


async def test_what_is_rolled_back_was_not_counted(database: str) -> None:
    async with Database(database, size=2) as opened:
        stage = Stage(opened)
        await claimed.article(stage, "one", actor("APT1"))
        with psycopg.connect(database) as one, psycopg.connect(database) as other:
            one.execute("UPDATE article SET tier = 'basic'")
            other.execute(
                "INSERT INTO article (url_hash, source_id, tier, url, canonical_url, title, text,"
                " html, sort_at, word_count, reading_minutes, method, text_sha256, search)"
                " SELECT 'x', source_id, 'standard', 'u', 'u', 't', 't', '', sort_at, 1, 1,"
                " 'general', 'x', '' FROM article"
            )
            # Neither waited for the other: each counts in a lane of its own.
            one.rollback()
            other.commit()
        assert await agrees(stage)
        counted = "SELECT sum(articles) FROM tier_week WHERE tier = 'standard'"
        assert await stage.value(counted) == 2


async def test_many_who_write_the_same_names_at_once_lose_none(stage: Stage) -> None:
    names = [actor(f"APT{number}") for number in range(6)]
    for number in range(12):
        await claimed.store(stage, f"n{number}")

    async def work(turn: int) -> int:
        done = 0
        while texts := await claimed.claim(stage, limit=2):
            found = [
                Finding(text=one, enrichment=claimed.enrichment(names[turn % 2 :: turn % 2 + 1]))
                for one in texts
            ]
            done += await stage.enrichments.keep(found)
        return done

    rollups = Rollups(stage.database)
    for _ in range(3):
        done = await asyncio.gather(*(work(turn) for turn in range(4)), rollups.fold())
        assert sum(one or 0 for one in done) == 12
        assert await agrees(stage)
        await stage.enrichments.queue((Extractor.OBSERVABLES, Extractor.NAMES))


async def test_lanes_are_folded_into_one_and_say_the_same(stage: Stage) -> None:
    await claimed.store(stage, "one")
    await stage.run("UPDATE tier_week SET lane = 17; UPDATE source_week SET lane = 18")
    await claimed.store(stage, "another")
    assert await stage.value("SELECT count(*) FROM tier_week") == 2
    await Rollups(stage.database).fold()
    assert await stage.rows("SELECT lane, articles FROM tier_week") == [(0, 2)]
    assert await stage.rows("SELECT lane, articles FROM source_week") == [(0, 2)]
    await claimed.store(stage, "a third")
    await Rollups(stage.database).fold()
    assert await stage.rows("SELECT lane, articles FROM source_week") == [(0, 3)]
    assert await agrees(stage)


def forget_counts(database: str) -> None:
    """Leave a database as one has it whose articles were stored before there were counts."""
    migrate.downgrade(database, BEFORE)
    migrate.upgrade(database)


async def test_what_was_stored_before_is_filled_in_steps_beside_the_work(
    database: str,
) -> None:
    async with Database(database, size=4) as opened:
        stage, rollups = Stage(opened), Rollups(opened)
        numbers = [await claimed.article(stage, f"n{n}", actor("APT1")) for n in range(6)]
        await asyncio.to_thread(forget_counts, database)
        assert len(await rollups.differences()) == 3
        assert await rollups.fill(step=2) is True
        # Articles that are counted already and such that are not yet, changed in every way.
        await stage.run("UPDATE article SET tier = 'premium'")
        await stage.enrichments.queue((Extractor.NAMES,))
        await claimed.tell(stage, actor("APT2"))
        await stage.run(f"DELETE FROM article WHERE id IN ({numbers[0]}, {numbers[5]})")
        await claimed.article(stage, "new", actor("APT1"))
        steps = 0
        while await rollups.fill(step=2):
            steps += 1
        assert steps == 2
        assert await agrees(stage)
        assert await stage.value("SELECT sum(articles) FROM entity_week") == 5


async def test_who_fills_waits_for_nobody(database: str) -> None:
    async with Database(database, size=4) as opened:
        stage, rollups = Stage(opened), Rollups(opened)
        await claimed.article(stage, "one", actor("APT1"))
        await asyncio.to_thread(forget_counts, database)
        with psycopg.connect(database) as writer:
            writer.execute("UPDATE article SET tier = 'basic'")
            assert await rollups.fill() is None
            writer.commit()
        assert await rollups.fill() is True
        assert await rollups.fill() is False
        assert await agrees(stage)


async def test_a_difference_names_what_is_kept_and_what_is_there(stage: Stage) -> None:
    await claimed.article(stage, "one", actor("APT1"))
    await stage.run("UPDATE tier_week SET articles = 7")
    [found] = await Rollups(stage.database).differences()
    assert (found.table, found.key) == ("tier_week", "2026-11-16 standard")
    assert found.kept == "{0,0,0,0,1,0,0,7,0}"
    assert found.counted == "{0,0,0,0,1,0,0,1,0}"
