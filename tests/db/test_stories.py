"""Articles become stories: incremental, repeatable, with numbers that stay."""

import asyncio
from itertools import pairwise

import psycopg
import pytest

import planted
from ctiscraper.db import outbox
from ctiscraper.db.session import Database
from ctiscraper.db.stories import Stories
from ctiscraper.enrich.enrichment import Knowledge
from ctiscraper.enrich.verdicts import Verdicts
from ctiscraper.packs.warninglists import build_default
from db.failing import fail_at
from db.stage import Stage
from name_packs import names
from newsroom import Newsroom
from planted import World

HASH = "sha256 " + "ab" * 32
SECOND = "sha256 " + "cd" * 32


async def test_articles_that_share_a_rare_hash_are_one_story(newsroom: Newsroom) -> None:
    first = newsroom.tell(HASH, source="acme")
    alone = newsroom.tell(SECOND, source="bolt")
    second = newsroom.tell(HASH, source="cobalt", hours=5)
    assert await newsroom.assign() == 3
    assert await newsroom.groups() == {frozenset({first, second})}
    assert await newsroom.story_of(alone) is None
    rows = await newsroom.rows(
        "SELECT first_article, articles, last_at - first_at = interval '5 hours' FROM story"
    )
    assert rows == [(first, 2, True)]


async def test_one_article_that_the_database_fails_at_holds_up_no_other(
    newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "REST_SECONDS", 1e-9)
    first = newsroom.tell(HASH, source="acme")
    bad = newsroom.tell(SECOND, source="bolt")
    second = newsroom.tell(HASH, source="cobalt", hours=5)
    stage = Stage(newsroom.database)
    await fail_at(stage, "story_article", bad)
    assert await newsroom.assign() == 2
    assert await newsroom.groups() == {frozenset({first, second})}
    assert await newsroom.rows("SELECT article_id FROM outbox WHERE topic = 'story'") == [(bad,)]
    await stage.run("DROP TRIGGER fails ON story_article")
    assert await newsroom.assign() == 1


async def test_it_is_written_down_why(newsroom: Newsroom) -> None:
    first = newsroom.tell(HASH, "cve CVE-2026-1", "vendor acme", source="acme")
    second = newsroom.tell(HASH, "cve CVE-2026-1", "vendor acme", source="bolt", hours=1)
    await newsroom.assign()
    [(why,)] = await newsroom.rows(f"SELECT why FROM story_article WHERE article_id = {second}")
    assert isinstance(why, dict)
    assert why["article"] == first
    assert [one["name"] for one in why["reasons"]][:2] == ["shares", "shares"]
    assert why["reasons"][0]["detail"] == HASH
    assert why["score"] >= sum(one["weight"] for one in why["reasons"]) - 0.01


async def test_an_article_that_stands_alone_has_a_row_and_no_story(newsroom: Newsroom) -> None:
    newsroom.tell(HASH)
    await newsroom.assign()
    assert await newsroom.rows("SELECT story_id FROM story_article") == [(None,)]
    assert await newsroom.rows("SELECT count(*) FROM story") == [(0,)]


async def test_judging_again_changes_nothing(newsroom: Newsroom) -> None:
    for number in range(4):
        newsroom.tell(HASH, source=f"s{number}", hours=number)
    newsroom.tell(SECOND, source="other")
    await newsroom.assign()
    state = "SELECT * FROM story_article ORDER BY article_id", "SELECT * FROM story ORDER BY id"
    before = [await newsroom.rows(query) for query in state]
    newsroom.again(1, 2, 3, 4, 5)
    assert await newsroom.assign() == 5
    for query, rows in zip(state, before, strict=True):
        now = await newsroom.rows(query)
        assert [row[:2] for row in now] == [row[:2] for row in rows]
        assert [row[-1] for row in now] == [row[-1] for row in rows]
    third = [await newsroom.rows(query) for query in state]
    newsroom.again(1, 2, 3, 4, 5)
    await newsroom.assign()
    assert [await newsroom.rows(query) for query in state] == third


async def test_an_edit_that_ends_the_likeness_takes_the_article_out(newsroom: Newsroom) -> None:
    articles = [newsroom.tell(HASH, source=f"s{n}", hours=n) for n in range(3)]
    await newsroom.assign()
    story = await newsroom.story_of(articles[0])
    newsroom.renamed(articles[2], SECOND)
    await newsroom.assign()
    assert await newsroom.groups() == {frozenset(articles[:2])}
    assert await newsroom.story_of(articles[0]) == story
    assert await newsroom.rows("SELECT articles FROM story") == [(2,)]


async def test_two_stories_that_prove_to_be_one_keep_the_older_number(newsroom: Newsroom) -> None:
    one = [newsroom.tell(HASH, source=f"a{n}", hours=n) for n in range(2)]
    two = [newsroom.tell(SECOND, source=f"b{n}", hours=n) for n in range(2)]
    await newsroom.assign()
    older = await newsroom.story_of(one[0])
    younger = await newsroom.story_of(two[0])
    bridge = newsroom.tell(HASH, SECOND, source="c", hours=3)
    await newsroom.assign()
    assert await newsroom.groups() == {frozenset({*one, *two, bridge})}
    assert await newsroom.story_of(two[0]) == older
    rows = await newsroom.rows(f"SELECT merged_into, articles FROM story WHERE id = {younger}")
    assert rows == [(older, 0)]


async def test_a_digest_touches_stories_and_glues_none(newsroom: Newsroom) -> None:
    hashes = [f"sha256 {n:064x}" for n in range(1, 5)]
    stories = [
        [newsroom.tell(value, source=f"s{n}{k}", hours=n + k) for k in range(2)]
        for n, value in enumerate(hashes)
    ]
    digest = newsroom.tell(*hashes, source="weekly", hours=60)
    await newsroom.assign()
    assert await newsroom.groups() == {frozenset(pair) for pair in stories}
    assert await newsroom.rows(f"SELECT count(*) FROM story_also WHERE article_id = {digest}") == [
        (4,)
    ]
    late = newsroom.tell(hashes[0], source="late", hours=70)
    await newsroom.assign()
    assert frozenset({*stories[0], late}) in await newsroom.groups()


async def test_near_duplicates_are_one_story_without_any_name(newsroom: Newsroom) -> None:
    text = " ".join(f"word{n}" for n in range(200))
    first = newsroom.tell(source="acme", text=text)
    other = newsroom.tell(source="acme", text="quite other words than those, and few of them")
    copy = newsroom.tell(source="bolt", text=f"{text} and so on", hours=300)
    await newsroom.assign()
    assert await newsroom.groups() == {frozenset({first, copy})}
    assert await newsroom.story_of(other) is None


async def test_the_link_to_an_original_is_enough(newsroom: Newsroom) -> None:
    first, copy = newsroom.tell(source="acme"), newsroom.tell(source="bolt", hours=900)
    async with newsroom.database.connection() as conn:
        await conn.execute("UPDATE article SET duplicate_of = %s WHERE id = %s", (first, copy))
    await newsroom.assign()
    assert await newsroom.groups() == {frozenset({first, copy})}


async def test_what_everybody_names_joins_nothing(newsroom: Newsroom) -> None:
    usual = ("malware emotet", "tool cobalt-strike", "technique T1059.001", "country russia")
    for number in range(70):
        newsroom.tell(*usual, source=f"s{number % 7}", hours=number)
    await newsroom.assign()
    assert await newsroom.groups() == set()


async def test_a_value_of_benign_verdict_joins_nothing(newsroom: Newsroom) -> None:
    values = [f"domain common-{n}.example" for n in range(4)]
    for number in range(2):
        newsroom.tell(*values, source=f"s{number}", hours=number)
    async with newsroom.database.connection() as conn:
        await conn.execute("UPDATE mention SET verdict = 'benign'")
    await newsroom.assign()
    assert await newsroom.groups() == set()


async def test_batches_and_the_whole_give_the_same(newsroom: Newsroom) -> None:
    for number in range(9):
        newsroom.tell(f"sha256 {number % 3:064x}", source=f"s{number}", hours=number)
    assert await newsroom.assign(limit=2) == 9
    assert {len(group) for group in await newsroom.groups()} == {3}
    assert await newsroom.stories.waiting() == 0


async def test_two_workers_make_one_story(newsroom: Newsroom) -> None:
    for number in range(20):
        newsroom.tell(HASH, source=f"s{number}", hours=number / 10)
    async with Database(newsroom.conninfo) as second:
        other = Stories(second)

        async def work(stories: Stories) -> None:
            while await stories.waiting():
                await stories.assign_next(newsroom.judge, limit=1)

        await asyncio.gather(work(newsroom.stories), work(other))
    assert {len(group) for group in await newsroom.groups()} == {20}


async def test_a_long_story_is_no_chain(newsroom: Newsroom) -> None:
    """Each names what the one before does, and the last has nothing to do with the first."""
    links = [f"sha256 {n:064x}" for n in range(30)]
    for number, (one, other) in enumerate(pairwise(links)):
        newsroom.tell(one, other, source=f"s{number}", hours=number)
    await newsroom.assign()
    assert max(map(len, await newsroom.groups())) <= 6


async def test_any_order_is_as_good(newsroom: Newsroom) -> None:
    world = World(
        write=lambda seed: (f"About {seed:x}", [" ".join(f"v{seed}x{n}" for n in range(80))] * 2),
        malware=[
            *("AsyncRAT", "DarkGate", "Emotet", "Gootloader", "IcedID", "PlugX", "Qakbot"),
            *("Remcos", "ShadowPad", "SocGholish", "Latrodectus", "Dridex", "TrickBot"),
            *("Ursnif", "Formbook", "NjRAT", "Amadey", "Hancitor", "SmokeLoader", "BazarLoader"),
        ],
        actors=[
            *("APT28", "APT29", "APT32", "APT33", "APT34", "APT37", "APT38", "APT41", "FIN6"),
            *("FIN7", "FIN8", "Kimsuky", "MuddyWater", "TA505", "TA551", "Turla", "OilRig"),
            *("Sandworm", "Gamaredon", "Patchwork"),
        ],
        vendors=[
            *("Cisco", "Citrix", "Fortinet", "Ivanti", "SonicWall", "VMware", "Zyxel"),
            *("Adobe", "Oracle", "Juniper"),
        ],
    )
    knowledge = Knowledge(names=names(), verdicts=Verdicts(build_default()[1]))
    articles = world.make(120, seed=7)
    order = sorted(range(120), key=lambda n: (n * 7919) % 120)
    numbers = {}
    with psycopg.connect(newsroom.conninfo, autocommit=True) as conn:
        for place, which in enumerate(order):
            one = articles[which]
            numbers[which] = planted.store(conn, one, planted.named_in(one, knowledge))
            if place % 10 == 9:
                await newsroom.assign()
    await newsroom.assign()
    stories = [await newsroom.story_of(numbers[which]) for which in range(120)]
    found = planted.scored(articles, stories)
    assert found.precision >= 0.95
    assert found.recall >= 0.9
