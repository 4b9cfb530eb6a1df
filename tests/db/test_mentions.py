"""Mentions and the counts that follow from them, whatever order they come and go in."""

import asyncio
import random
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import make
from ctiscraper.db.enrichments import Finding
from ctiscraper.db.mentions import backwards, key_of
from ctiscraper.intelligence import Extractor, Mention, Verdict
from db import claimed
from db.stage import Stage

OTHER = make.settings("other", "other.example")
DAY = timedelta(days=1)


async def test_a_thing_is_one_row_however_many_articles_name_it(stage: Stage) -> None:
    await claimed.article(stage, "one", claimed.mention("evil.example"))
    await claimed.article(
        stage, "two", claimed.mention("evil.example"), settings=OTHER, published=make.NOW + DAY
    )
    rows = await stage.rows(
        "SELECT value, host, articles, sources, first_seen, last_seen FROM entity"
    )
    assert rows == [("evil.example", "example.evil", 2, 2, make.NOW, make.NOW + DAY)]
    assert await stage.rows(
        "SELECT s.key, e.articles FROM entity_source e JOIN source s ON s.id = source_id ORDER BY 1"
    ) == [("acme", 1), ("other", 1)]


async def test_a_mention_keeps_its_places_its_verdict_and_its_extractor(stage: Stage) -> None:
    await claimed.article(stage, "one", claimed.mention("evil.example", alias="the evil", rule="r"))
    rows = await stage.rows(
        "SELECT count, starts, ends, verdict, reasons, alias, rule, extractor, version FROM mention"
    )
    assert rows == [
        (2, [0, 4], [3, 8], "mentioned", ["defanged"], "the evil", "r", "observables", "1")
    ]


async def test_kinds_are_kept_apart_and_long_values_whole(stage: Stage) -> None:
    long = "rule a { " + "x" * 20_000 + " }"
    await claimed.article(
        stage, "one", claimed.mention(long, "yara"), claimed.mention("a", "malware", verdict=None),
        claimed.mention("a", "tool", verdict=None),
    )  # fmt: skip
    rows = await stage.rows("SELECT kind, value FROM entity ORDER BY kind")
    assert rows == [("malware", "a"), ("tool", "a"), ("yara", long)]


async def test_what_an_article_names_no_more_is_counted_no_more(stage: Stage) -> None:
    await claimed.article(stage, "one", claimed.mention("evil.example"))
    await claimed.article(
        stage, "two", claimed.mention("evil.example"), published=make.NOW + DAY, settings=OTHER
    )
    await stage.enrichments.queue([Extractor.OBSERVABLES], source_key="other")
    await claimed.tell(stage, claimed.mention("good.example"))
    rows = await stage.rows("SELECT value, articles, sources, last_seen FROM entity ORDER BY value")
    assert rows == [
        ("evil.example", 1, 1, make.NOW),
        ("good.example", 1, 1, make.NOW + DAY),
    ]


async def test_one_extractor_run_again_leaves_what_others_found(stage: Stage) -> None:
    await claimed.article(
        stage, "one", claimed.mention("evil.example"),
        claimed.mention("Emotet", "malware", verdict=None, extractor=Extractor.NAMES),
    )  # fmt: skip
    await stage.enrichments.queue([Extractor.NAMES])
    [text] = await claimed.claim(stage)
    nothing = claimed.enrichment([], Extractor.NAMES)
    await stage.enrichments.keep([Finding(text=text, enrichment=nothing)])
    assert await stage.rows(
        "SELECT e.value FROM mention m JOIN entity e ON e.id = m.entity_id"
    ) == [("evil.example",)]


async def test_a_thing_counts_as_its_gravest_mention(stage: Stage) -> None:
    async def level() -> object:
        return await stage.value("SELECT level FROM entity")

    await claimed.article(stage, "one", claimed.mention("a.example", verdict=Verdict.BENIGN))
    assert await level() == 0
    await claimed.article(
        stage, "two", claimed.mention("a.example", verdict=Verdict.MALICIOUS), settings=OTHER
    )
    assert await level() == 3
    await stage.enrichments.queue(source_key="other")
    await claimed.tell(stage, claimed.mention("a.example", verdict=Verdict.SUSPICIOUS))
    assert await level() == 2
    await stage.enrichments.queue(source_key="other")
    await claimed.tell(stage)
    assert await level() == 0


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rounds=st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sets(st.tuples(st.sampled_from("abcde"), st.sampled_from(list(Verdict)))),
        ),
        min_size=1,
        max_size=8,
    )
)
async def test_counts_always_are_those_of_the_mentions(
    stage: Stage, rounds: list[tuple[int, set[tuple[str, Verdict]]]]
) -> None:
    await stage.run("TRUNCATE mention, entity, entity_source, enrichment_job CASCADE")
    names = [(f"n{number}", (None, OTHER)[number % 2]) for number in range(4)]
    if await stage.value("SELECT count(*) FROM article") == 0:
        for number, (name, source) in enumerate(names):
            await claimed.store(stage, name, settings=source, published=make.NOW + number * DAY)
        await stage.run("DELETE FROM enrichment_job")
    ids = [row[0] for row in await stage.rows("SELECT id FROM article ORDER BY id")]
    for number, told in rounds:
        chosen = dict(sorted(told))
        await stage.enrichments.queue(article_ids=[int(str(ids[number]))])
        await claimed.tell(
            stage, *(claimed.mention(f"{v}.example", verdict=k) for v, k in chosen.items())
        )
    await _assert_counted(stage)


async def _assert_counted(stage: Stage) -> None:
    """Hold every count against the mentions that are there."""
    wrong = await stage.rows(
        """
        SELECT e.value FROM entity e LEFT JOIN (
            SELECT entity_id, count(*) AS n, count(DISTINCT source_id) AS s, min(seen_at) AS f,
                max(seen_at) AS l, max(array_position(
                    '{benign,mentioned,suspicious,malicious}'::text[], verdict)) - 1 AS g
            FROM mention GROUP BY 1) m ON m.entity_id = e.id
        WHERE (e.articles, e.sources, e.first_seen, e.last_seen, e.level)
            IS DISTINCT FROM (coalesce(n, 0), coalesce(s, 0), f, l, coalesce(g, 0))
        """
    )
    assert wrong == []
    assert await stage.rows(
        """
        SELECT * FROM entity_source s FULL JOIN (SELECT entity_id, source_id, count(*) AS n
            FROM mention GROUP BY 1, 2) m USING (entity_id, source_id)
        WHERE s.articles IS DISTINCT FROM m.n
        """
    ) == []  # fmt: skip


async def test_what_comes_and_goes_in_one_batch_is_counted_once_each(stage: Stage) -> None:
    """One article names a thing no more while another begins to, and a third changes its mind."""
    grave = claimed.mention("a.example", verdict=Verdict.MALICIOUS)
    first = await claimed.article(stage, "one", grave)
    second = await claimed.article(stage, "two", published=make.NOW + DAY)
    third = await claimed.article(stage, "three", published=make.NOW + 2 * DAY)
    told = {first: [], second: [claimed.mention("a.example")], third: []}
    await _retold(stage, told)
    query = "SELECT articles, sources, first_seen, last_seen, level FROM entity"
    assert await stage.rows(query) == [(1, 1, make.NOW + DAY, make.NOW + DAY, 1)]
    await _retold(stage, {second: [grave], third: [claimed.mention("a.example")]})
    assert await stage.rows(query) == [(2, 1, make.NOW + DAY, make.NOW + 2 * DAY, 3)]


async def _retold(stage: Stage, told: dict[int, list[Mention]]) -> None:
    """Let articles name these from now on, all written in one transaction."""
    await stage.enrichments.queue(article_ids=list(told))
    texts = await claimed.claim(stage)
    assert len(texts) == len(told)
    await stage.enrichments.keep(
        [Finding(text=one, enrichment=claimed.enrichment(told[one.article_id])) for one in texts]
    )


async def test_who_write_the_same_things_at_once_count_each(stage: Stage) -> None:
    chance = random.Random(7)
    for number in range(36):
        settings = (None, OTHER)[number % 2]
        await claimed.store(
            stage, f"n{number}", settings=settings, published=make.NOW + number * DAY
        )

    async def read() -> int:
        done = 0
        while texts := await claimed.claim(stage, 3):
            found = []
            for text in texts:
                named = chance.sample(range(30), 20)
                mentions = [
                    claimed.mention(f"n{n}.example", verdict=chance.choice(list(Verdict)))
                    for n in named
                ]
                found.append(Finding(text=text, enrichment=claimed.enrichment(mentions)))
            done += await stage.enrichments.keep(found)
        return done

    assert sum(await asyncio.gather(*(read() for _ in range(4)))) == 36
    assert await stage.value("SELECT count(*) FROM mention") == 36 * 20
    await _assert_counted(stage)
    await stage.enrichments.queue()
    assert sum(await asyncio.gather(*(read() for _ in range(4)))) == 36
    await _assert_counted(stage)


async def test_a_thing_that_another_makes_meanwhile_is_found_when_it_is_there(stage: Stage) -> None:
    writing = stage.database.transaction()
    conn = await writing.__aenter__()
    await conn.execute(
        "INSERT INTO entity (key, kind, value) VALUES (%s, 'domain', 'a.example')",
        (key_of("domain", "a.example"),),
    )
    await claimed.store(stage, "one")
    keeping = asyncio.create_task(
        claimed.tell(stage, claimed.mention("a.example"), claimed.mention("b.example"))
    )
    while await stage.value("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0:
        pass
    await writing.__aexit__(None, None, None)
    assert await keeping == 1
    assert await stage.rows("SELECT value, articles FROM entity ORDER BY value") == [
        ("a.example", 1),
        ("b.example", 1),
    ]
    await _assert_counted(stage)


async def test_what_no_article_named_before_is_written_once(stage: Stage) -> None:
    """A row that is written and then counted would be in every index twice."""
    await claimed.article(stage, "one", *(claimed.mention(f"{n}.example") for n in "abc"))
    rows = await stage.rows("SELECT ctid::text FROM entity ORDER BY ctid")
    assert rows == [("(0,1)",), ("(0,2)",), ("(0,3)",)]


async def test_a_thing_told_twice_of_one_article_counts_once(stage: Stage) -> None:
    grave = claimed.mention("a.example", verdict=Verdict.MALICIOUS)
    again = claimed.mention("a.example", extractor=Extractor.NAMES)
    await claimed.article(stage, "one", grave, again)
    assert await stage.rows("SELECT verdict FROM mention") == [("malicious",)]
    await _assert_counted(stage)


def test_keys_are_those_of_a_kind_and_a_value() -> None:
    assert key_of("domain", "a.example") != key_of("file_name", "a.example")
    assert len(key_of("yara", "x" * 100_000)) == 16
    assert key_of("domain", "\ud800") == key_of("domain", "\ud800")


def test_hosts_are_ordered_from_their_last_label() -> None:
    assert backwards("www.evil.example") == "example.evil.www"
