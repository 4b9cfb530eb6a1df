"""Scores follow the text, the watchlist, the weights, CVEs and age, over a real database."""

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ctiscraper.db.session import Database
from ctiscraper.db.verdicts import Decision, Scope, Verdicts
from ctiscraper.intelligence import Verdict
from ctiscraper.scoring import ScoredText, Scoring
from ctiscraper.weighing import DEFAULT_WEIGHTS, WatchKind, watch_given
from make_scores import ScoredShelf, mention
from web import claims
from web.shelf import Shelf

FIREWALL = "Example Firewall is hit. " + "Words without interest stand here. " * 40


@pytest_asyncio.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with Database(database, size=8) as it:
        yield it


@pytest.fixture
def scored(database: str) -> ScoredShelf:
    return ScoredShelf(Shelf(database))


async def settle(scoring: Scoring) -> None:
    while await scoring.rescore():
        pass


async def test_an_article_is_scored_with_what_is_known_of_it(
    opened: Database, scored: ScoredShelf
) -> None:
    first = scored.article("one", "words", mention("domain", "a.example"), days_ago=2)
    again = scored.article(
        "two", "words", mention("domain", "a.example"), mention("domain", "b.example"), days_ago=1
    )
    await scored.join(opened)
    assert scored.part(first, "novelty")["evidence"] == ["a.example"]
    assert scored.part(again, "novelty")["evidence"] == ["b.example"]
    assert scored.part(first, "relevance")["weight"] == 0


async def test_what_is_benign_or_a_sector_is_not_new_and_a_copy_brings_nothing(
    opened: Database, scored: ScoredShelf
) -> None:
    plain = scored.article(
        "one",
        "words",
        mention("sector", "energy"),
        mention("domain", "google.example", verdict="benign"),
    )
    copy = scored.article("one", "words", mention("domain", "a.example"), duplicate_of=plain)
    await scored.join(opened)
    assert scored.part(plain, "novelty")["value"] == 0
    assert "nearly the same" in str(scored.part(copy, "novelty")["note"])


@pytest.mark.parametrize("watched_first", [True, False])
async def test_an_entry_is_seen_on_new_and_on_stored_articles(
    opened: Database, scored: ScoredShelf, watched_first: bool
) -> None:
    scoring = Scoring(opened)
    entry = watch_given("product", "Example Firewall")
    if watched_first:
        await scoring.add(entry, actor="test")
    has = scored.article("one", FIREWALL)
    named = scored.article("two", "words", mention("product", "p1", name="example firewall"))
    other = scored.article("three", "Firewalls, example of none.")
    await scored.join(opened, scoring)
    if not watched_first:
        assert scored.part(has, "relevance")["weight"] == 0
        await scoring.add(entry, actor="test")
    await scoring.rescore()
    assert scored.part(has, "relevance")["evidence"] == ["Example Firewall (product)"]
    assert scored.part(has, "relevance")["places"] == [[0, 16]]
    assert scored.part(named, "relevance")["value"] == 0.5
    assert scored.part(other, "relevance")["value"] == 0
    assert scored.part(other, "relevance")["weight"] == DEFAULT_WEIGHTS["relevance"]
    await settle(scoring)
    [made] = await scoring.watchlist.entries()
    assert (made.settled, made.recent_articles) == (True, 2)


async def test_a_removed_entry_leaves_scores_as_if_it_had_never_been(
    opened: Database, scored: ScoredShelf
) -> None:
    scoring = Scoring(opened)
    has = scored.article("one", FIREWALL)
    await scored.join(opened, scoring)
    before = scored.score(has)
    made = await scoring.add(watch_given("keyword", "example firewall"), actor="test")
    await settle(scoring)
    assert scored.score(has) > before
    await scoring.watchlist.remove(made.id, actor="test")
    await scoring.rescore()
    await settle(scoring)
    assert scored.score(has) == before
    assert await scoring.waiting() == 0
    assert scored.shelf.run("SELECT count(*) FROM watch_hit") == (0,)


async def test_entries_of_every_kind_are_found_in_what_is_stored(
    opened: Database, scored: ScoredShelf
) -> None:
    scoring = Scoring(opened)
    wanted = {
        "vendor": scored.article("Fortinet flaw", "words"),
        "cve": scored.article("x", "CVE-2026-12345 is fixed", mention("cve", "CVE-2026-12345")),
        "technique": scored.article("x", "words", mention("technique", "T1059.001")),
        "domain": scored.article("x", "c2[.]evil[.]example", mention("domain", "c2.evil.example")),
        "actor": scored.article("x", "words", mention("actor", "G0007", alias="Fancy Bear")),
        "keyword": scored.article("x", "They will not."),
        "malware": scored.article("x", "A C++ loader."),
    }
    await scored.join(opened, scoring)
    terms = {
        "vendor": "fortinet",
        "cve": "cve-2026-12345",
        "technique": "t1059",
        "domain": "evil[.]example",
        "actor": "fancy bear",
        "keyword": "will",
        "malware": "C++",
    }
    for kind, term in terms.items():
        await scoring.add(watch_given(kind, term), actor="test")
    await scoring.rescore()
    for kind, number in wanted.items():
        words = str(scored.part(number, "relevance")["evidence"])
        assert f"({kind}" in words


async def test_older_articles_follow_a_batch_at_a_time(
    opened: Database, scored: ScoredShelf
) -> None:
    scoring = Scoring(opened)
    numbers = [scored.article(f"n{day}", FIREWALL, days_ago=day) for day in range(7)]
    await scored.join(opened, scoring)
    await scoring.add(watch_given("keyword", "firewall"), actor="test")
    await scoring.rescore(3)
    reached = [scored.part(number, "relevance")["value"] for number in numbers]
    assert reached == [0.5, 0.5, 0.5, 0, 0, 0, 0]
    await settle(scoring)
    assert {scored.part(number, "relevance")["value"] for number in numbers} == {0.5}
    assert await scoring.waiting() == 0


async def test_an_entry_that_names_what_articles_named_knows_it(
    opened: Database, scored: ScoredShelf
) -> None:
    scored.article("one", "words", mention("vendor", "fortinet", name="Fortinet"))
    await scored.join(opened)
    made = await Scoring(opened).add(watch_given("vendor", "FORTINET"), actor="test")
    assert scored.shelf.run("SELECT id FROM entity WHERE kind = 'vendor'") == (made.entity_id,)


async def test_other_weights_reach_every_score(opened: Database, scored: ScoredShelf) -> None:
    number = scored.article("Actively exploited zero-day", "words")
    await scored.join(opened)
    before = scored.score(number)
    heavy = Scoring(opened, {**DEFAULT_WEIGHTS, "urgency": 10.0})
    assert await heavy.waiting() == 1
    await settle(heavy)
    assert scored.score(number) > before
    assert scored.part(number, "urgency")["weight"] == 10
    assert await heavy.waiting() == 0
    await settle(Scoring(opened))
    assert scored.score(number) == before


async def test_urgency_fades_without_the_text(opened: Database, scored: ScoredShelf) -> None:
    scoring = Scoring(opened)
    number = scored.article("Actively exploited zero-day", "words", days_ago=2)
    await scored.join(opened, scoring)
    await settle(scoring)
    fresh = scored.part(number, "urgency")["value"]
    scored.shelf.run("UPDATE article SET sort_at = sort_at - interval '30 days', text = ''")
    scored.shelf.run("UPDATE article_score SET stale_at = now() - interval '1 s'")
    await settle(scoring)
    left = scored.part(number, "urgency")
    assert left["value"] < fresh  # type: ignore[operator]  # both are numbers
    assert "days old" in str(left["note"])


async def test_what_is_known_of_cves_is_told_and_joined_when_it_comes(
    opened: Database, scored: ScoredShelf
) -> None:
    scored.shelf.run(
        """
        CREATE TABLE IF NOT EXISTS cve (id text PRIMARY KEY, cvss real, epss real,
            epss_percentile real, kev_added date, kev_ransomware boolean)
        """
    )
    scoring = Scoring(opened)
    number = scored.article("x", "CVE-2026-12345 is fixed", mention("cve", "CVE-2026-12345"))
    await scored.join(opened, scoring)
    assert scored.part(number, "urgency")["value"] == 0
    scored.shelf.run(
        "INSERT INTO cve (id, cvss, epss, kev_added, kev_ransomware)"
        " VALUES ('CVE-2026-12345', 9.8, 0.5, now()::date, true)"
    )
    assert await scoring.touch_cves(["CVE-2026-12345", "CVE-2026-99999"]) == 1
    await settle(scoring)
    words = str(scored.part(number, "urgency")["evidence"])
    assert "exploited, in KEV since" in words
    assert "EPSS 0.50, CVSS 9.8" in words
    assert scored.part(number, "urgency")["value"] > 0.6  # type: ignore[operator]  # a number


async def test_new_facts_of_vulnerabilities_reach_the_articles_of_late(
    opened: Database, scored: ScoredShelf
) -> None:
    scoring = Scoring(opened)
    for name, words in (("x", "CVE-2026-12345 is fixed"), ("y", "nothing of that kind")):
        named = (mention("cve", "CVE-2026-12345"),) if "CVE" in words else ()
        scored.article(name, words, *named)
        await scored.join(opened, scoring)
    assert await scoring.touch_cves() == 1
    scored.shelf.run("UPDATE article_score SET listed_at = now() - interval '91 days'")
    assert await scoring.touch_cves() == 0


async def test_a_file_tells_what_became_of_each_row(opened: Database) -> None:
    scoring = Scoring(opened)
    body = b"acme\nvendor: Example\nACME\ncve: 12\n"
    dry = await scoring.import_file(body, name="x", actor="test", dry_run=True)
    assert [row.outcome for row in dry.rows] == ["added", "added", "known", "bad"]
    assert await scoring.watchlist.entries() == ()
    done = await scoring.import_file(body, name="x", actor="test")
    assert [row.outcome for row in done.rows] == ["added", "added", "known", "bad"]
    assert "CVE-2026-12345" in done.rows[3].detail
    assert {(e.kind, e.term) for e in await scoring.watchlist.entries()} == {
        (WatchKind.KEYWORD, "acme"),
        (WatchKind.VENDOR, "Example"),
    }
    exported = (await scoring.export()).encode()
    again = await scoring.import_file(exported, name="x", actor="test")
    assert [row.outcome for row in again.rows] == ["known", "known"]


async def test_entries_come_and_go_while_articles_are_read_and_nothing_is_missed(
    opened: Database, scored: ScoredShelf
) -> None:
    words = ("alpha", "bravo", "gamma")
    for number in range(60):
        scored.article(f"n{number}", " ".join(words[: number % 4]) + " plain")
    texts = list(scored.texts)
    # Each reader has its own articles, as those that come out of a queue do.
    shares = [texts[first::3] for first in range(3)]

    async def read(share: list[ScoredText], seed: int) -> None:
        scoring, chance = Scoring(opened), random.Random(seed)
        for _ in range(6):
            some = chance.sample(share, 12)
            async with opened.transaction() as conn:
                await scoring.join(conn, some)

    async def decide(word: str) -> None:
        scoring = Scoring(opened)
        for _ in range(3):
            made = await scoring.add(watch_given("keyword", word), actor="test")
            await scoring.rescore(25)
            await scoring.watchlist.remove(made.id, actor="test")
        await scoring.add(watch_given("keyword", word), actor="test")
        await scoring.rescore(25)

    async with asyncio.TaskGroup() as group:
        for seed, share in enumerate(shares):
            group.create_task(read(share, seed))
        for word in words:
            group.create_task(decide(word))
    await scored.join(opened)
    await settle(Scoring(opened))
    assert scored.shelf.run(
        """
        SELECT count(*) FROM article a CROSS JOIN watchlist_entry w
        LEFT JOIN watch_hit h ON h.article_id = a.id AND h.entry_id = w.id
        LEFT JOIN article_score s ON s.article_id = a.id
        WHERE (position(w.term IN a.text) > 0 AND w.removed_at IS NULL) <> (h.count IS NOT NULL)
            OR (h.count IS NOT NULL AND position(w.term IN s.parts::text) = 0)
        """
    ) == (0,)


def test_who_joins_scores_does_not_carry_what_reads_texts() -> None:
    code = "import sys, ctiscraper.scoring; print('re2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


async def test_novelty_follows_what_the_team_holds_benign(
    database: str, opened: Database, scored: ScoredShelf
) -> None:
    number = scored.article("one", "words")
    await claims.name(
        database, scored.shelf, number, claims.mention("a.example"), claims.mention("b.example")
    )
    await scored.join(opened)
    evidence = scored.part(number, "novelty")["evidence"]
    assert isinstance(evidence, list)
    assert sorted(evidence) == ["a.example", "b.example"]
    before = scored.score(number)
    verdicts, scoring = Verdicts(opened), Scoring(opened)
    benign = Decision(scope=Scope.VALUE, kind="domain", value="a.example", verdict=Verdict.BENIGN)
    made = await verdicts.make(benign, actor="ann")
    await settle(scoring)
    assert scored.part(number, "novelty")["evidence"] == ["b.example"]
    assert scored.score(number) < before
    await verdicts.undo(made.id, actor="ann")
    await settle(scoring)
    assert scored.score(number) == before
