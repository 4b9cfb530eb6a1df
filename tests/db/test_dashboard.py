"""What a morning asks of the database."""

from datetime import UTC, datetime, timedelta

from ctiscraper.db.dashboard import DashboardBoard, Morning
from ctiscraper.db.session import Database
from make_scores import ScoredShelf, mention
from web.shelf import Shelf


async def morning(database: str) -> Morning:
    async with Database(database, size=1) as opened:
        return await DashboardBoard(opened).morning()


def days_ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


async def test_an_empty_installation_has_a_morning(database: str) -> None:
    found = await morning(database)
    assert found.is_filled
    assert len(found.volumes) == 30
    assert sum(one.articles for one in found.volumes) == 0
    assert (found.watched, found.failing, found.silent, found.techniques) == ((), (), (), ())
    assert found.watch_entries == 0


async def test_volumes_are_by_day_and_tier_and_by_source(database: str) -> None:
    shelf = Shelf(database)
    shelf.source("prime", tier="premium", name="Prime")
    for ago in (0, 0, 1, 29, 31, 70):
        shelf.article(source="prime", sort_at=days_ago(ago))
    shelf.article(source="acme", sort_at=days_ago(1))
    found = await morning(database)
    assert [(one.premium, one.standard) for one in found.volumes[-2:]] == [(1, 1), (2, 0)]
    assert found.volumes[0].premium == 1
    assert found.volumes[-1].day == datetime.now(UTC).date()
    volumes = [(one.source.key, one.articles, one.before) for one in found.sources]
    assert volumes == [("prime", 4, 1), ("acme", 1, 0)]


async def test_a_source_is_silent_by_its_own_rhythm(database: str) -> None:
    shelf = Shelf(database)
    rhythms: dict[str, list[float]] = {
        # Twice a day until six days ago.
        "daily": [6 + n / 2 for n in range(60)],
        # Every ten days, the last nine days ago.
        "seldom": [9, 19, 29, 39, 49],
        # As often, but paused so long before.
        "moody": [6 + n / 4 for n in range(20)] + [20 + n / 4 for n in range(20)],
        # Too little to have a rhythm.
        "rare": [20, 22],
        "failing": [6 + n / 2 for n in range(60)],
        "busy": [n / 2 for n in range(60)],
    }
    for key, days in rhythms.items():
        shelf.source(key, name=key.title(), health="failing" if key == "failing" else "ok")
        for ago in days:
            shelf.article(source=key, sort_at=days_ago(ago))
    [found] = (await morning(database)).silent
    assert found.source.key == "daily"
    assert (found.quiet_days, found.longest_days) == (6, 1)
    assert 5 < found.per_week < 14
    assert found.last_day == days_ago(6).date()


async def test_sources_that_cannot_be_read_say_why(database: str) -> None:
    shelf = Shelf(database)
    shelf.source("well", health="ok")
    shelf.source("off", health="failing", reason="timeout", active=False)
    for number in range(22):
        shelf.source(f"bad{number}", health="failing", reason="timeout", detail="no answer")
    shelf.source("prime", tier="premium", health="gone", reason="not_found", failures=9)
    found = await morning(database)
    assert found.failing_count == 23
    assert len(found.failing) == 20
    first = found.failing[0]
    assert (first.source.key, first.health, first.reason, first.failures) == (
        "prime", "gone", "not_found", 9,
    )  # fmt: skip


async def test_what_is_watched_comes_best_first_with_its_reasons(database: str) -> None:
    shelf = Shelf(database)
    scored = ScoredShelf(shelf)
    for term in ("firewall", "mailer", "former"):
        shelf.run(
            "INSERT INTO watchlist_entry (kind, term, weight, actor)"
            " VALUES ('product', %s, 1, 'x')",
            (term,),
        )
    shelf.run("UPDATE watchlist_entry SET removed_at = now() WHERE term = 'former'")
    better = scored.article("Firewall exploited in the wild", "exploited in the wild", days_ago=2)
    plain = scored.article("A mailer", "words", days_ago=1)
    old = scored.article("Old", "exploited in the wild", days_ago=9)
    copy = scored.article("Copy", "exploited in the wild", days_ago=1, duplicate_of=better)
    over = scored.article("Former", "exploited in the wild", days_ago=1)
    async with Database(database, size=1) as opened:
        await scored.join(opened)
    for entry, number in ((1, better), (2, better), (2, plain), (1, old), (1, copy), (3, over)):
        shelf.run(
            "INSERT INTO watch_hit (entry_id, article_id, count, prominent, starts, ends)"
            " VALUES (%s, %s, 1, true, 0, 1) ON CONFLICT DO NOTHING",
            (entry, number),
        )
    found = await morning(database)
    assert found.watch_entries == 2
    watched = [(one.article.id, [b.term for b in one.because]) for one in found.watched]
    assert watched == [(better, ["firewall", "mailer"]), (plain, ["mailer"])]


# Others like an article, each 400 days old, that an entry matches.
BACKFILLED = """
WITH jobs AS (
    INSERT INTO fetch_job (url_hash, url, host, source_id, state, entry)
    SELECT sha256(n::text::bytea), 'https://old.example/' || n, 'old.example', j.source_id,
        'stored', j.entry
    FROM fetch_job j CROSS JOIN generate_series(1, 320) AS n WHERE j.article_id = %(like)s
    RETURNING id, url, url_hash, source_id),
articles AS (
    INSERT INTO article (job_id, url_hash, source_id, tier, url, canonical_url, title, language,
        summary, text, html, published_at, published_from, collected_at, sort_at, word_count,
        reading_minutes, method, text_sha256, search)
    SELECT j.id, j.url_hash, j.source_id, a.tier, j.url, j.url, a.title, a.language, a.summary,
        a.text, a.html, a.published_at, a.published_from, a.collected_at,
        now() - interval '400 days', a.word_count, a.reading_minutes, a.method, j.url_hash,
        a.search
    FROM jobs j JOIN article a ON a.id = %(like)s
    RETURNING id, sort_at),
scores AS (
    INSERT INTO article_score (article_id, score, parts, version, listed_at)
    SELECT id, 0.9, '[]', '1', sort_at FROM articles)
INSERT INTO watch_hit (entry_id, article_id, count, prominent, starts, ends)
SELECT 1, id, 1, true, 0, 1 FROM articles
"""


async def test_a_backfill_hides_nothing_that_is_watched(database: str) -> None:
    shelf = Shelf(database)
    scored = ScoredShelf(shelf)
    shelf.run(
        "INSERT INTO watchlist_entry (kind, term, weight, actor) VALUES ('product', 'mail', 1, 'x')"
    )
    fresh = scored.article("Mail of today", "words")
    bound = scored.article("Mail of the seventh day", "words", days_ago=6.99)
    scored.article("Mail of the day before", "words", days_ago=7.01)
    async with Database(database, size=1) as opened:
        await scored.join(opened)
    shelf.run(BACKFILLED, {"like": fresh})
    watched = (await morning(database)).watched
    assert {one.article.id for one in watched} == {fresh, bound}


async def test_techniques_have_their_month_and_the_one_before(database: str) -> None:
    scored = ScoredShelf(Shelf(database))
    for ago in (1, 2, 29, 31, 45, 70):
        scored.article(f"n{ago}", "words", mention("technique", "T1059"), days_ago=ago)
    scored.article("n", "words", mention("technique", "T1566"), days_ago=40)
    found = (await morning(database)).techniques
    assert [(one.technique.value, one.articles, one.before) for one in found] == [
        ("T1059", 3, 2),
        ("T1566", 0, 1),
    ]
