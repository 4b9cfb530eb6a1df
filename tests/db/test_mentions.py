"""Mentions and the counts that follow from them, whatever order they come and go in."""

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


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
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


def test_keys_are_those_of_a_kind_and_a_value() -> None:
    assert key_of("domain", "a.example") != key_of("file_name", "a.example")
    assert len(key_of("yara", "x" * 100_000)) == 16
    assert key_of("domain", "\ud800") == key_of("domain", "\ud800")


def test_hosts_are_ordered_from_their_last_label() -> None:
    assert backwards("www.evil.example") == "example.evil.www"
