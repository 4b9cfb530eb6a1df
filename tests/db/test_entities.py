"""What articles name, as it is read: lists, one thing, its articles, neighbours, many values."""

from datetime import timedelta

import pytest

import make
from ctiscraper.db.enrichments import Finding
from ctiscraper.db.entities import Entities, EntityQuery
from ctiscraper.db.mentions import key_of
from ctiscraper.errors import CursorError, NotFoundError
from ctiscraper.intelligence import Extractor, Verdict
from db import claimed
from db.stage import Stage

OTHER = make.settings("other", "other.example")
DAY = timedelta(days=1)


def of(stage: Stage) -> Entities:
    return Entities(stage.database)


async def test_things_are_listed_newest_first_a_page_at_a_time(stage: Stage) -> None:
    await claimed.article(stage, "one", *(claimed.mention(f"d{n}.example") for n in range(5)))
    seen: list[str] = []
    cursor = None
    for _ in range(4):
        page = await of(stage).page(EntityQuery(), cursor=cursor, limit=2)
        seen += [one.value for one in page.entities]
        cursor = page.next
        if cursor is None:
            break
    assert sorted(seen) == [f"d{n}.example" for n in range(5)]
    ids = await stage.rows("SELECT value FROM entity ORDER BY id DESC")
    assert seen == [row[0] for row in ids]


async def test_a_foreign_cursor_is_refused(stage: Stage) -> None:
    with pytest.raises(CursorError):
        await of(stage).page(EntityQuery(), cursor="rubbish")


async def test_a_list_is_narrowed_by_kind_verdict_beginning_domain_and_source(
    stage: Stage,
) -> None:
    await claimed.article(
        stage, "one",
        claimed.mention("www.evil.example", verdict=Verdict.MALICIOUS),
        claimed.mention("10% off_.example", verdict=Verdict.BENIGN),
        claimed.mention("T1059", "technique", verdict=None, name="Command Interpreter"),
    )  # fmt: skip
    await claimed.article(stage, "two", claimed.mention("notevil.example"), settings=OTHER)

    async def found(query: EntityQuery) -> set[str]:
        return {one.value for one in (await of(stage).page(query)).entities}

    assert await found(EntityQuery(kinds=["technique"])) == {"T1059"}
    assert await found(EntityQuery(verdicts=["malicious"])) == {"www.evil.example"}
    assert await found(EntityQuery(q="command")) == {"T1059"}
    assert await found(EntityQuery(q="10%")) == {"10% off_.example"}
    assert await found(EntityQuery(q="10_")) == set()
    assert await found(EntityQuery(under="evil.example")) == {"www.evil.example"}
    assert await found(EntityQuery(source="other")) == {"notevil.example"}


async def test_a_thing_tells_its_sources_and_what_stands_beside_it(stage: Stage) -> None:
    await claimed.article(stage, "one", claimed.mention("a.example"), claimed.mention("b.example"))
    await claimed.article(
        stage, "two", claimed.mention("a.example"), settings=OTHER, published=make.NOW + DAY
    )
    thing = await of(stage).find("domain", "a.example")
    found = await of(stage).get(thing.id)
    assert [(one.source.key, one.articles) for one in found.by_source] == [
        ("acme", 1),
        ("other", 1),
    ]
    assert [one.value for one in found.beside] == ["b.example"]
    assert (found.summary.articles, found.summary.sources) == (2, 2)
    assert (found.summary.first_seen, found.summary.last_seen) == (make.NOW, make.NOW + DAY)


async def test_what_no_article_names_is_not_found(stage: Stage) -> None:
    with pytest.raises(NotFoundError, match="no article names the domain nowhere"):
        await of(stage).find("domain", "nowhere.example")
    with pytest.raises(NotFoundError, match="number 99"):
        await of(stage).get(99)
    with pytest.raises(NotFoundError):
        await of(stage).sightings(99)


async def test_sightings_show_the_words_around_newest_first(stage: Stage) -> None:
    text = "A" * 500 + " evil.example " + "B" * 500
    place = (501, 513)
    for day in range(3):
        await claimed.article(
            stage, f"n{day}", claimed.mention("evil.example", places=(place,)),
            published=make.NOW + day * DAY, text=f"{text}{day}",
        )  # fmt: skip
    thing = await of(stage).find("domain", "evil.example")
    page = await of(stage).sightings(thing.id, limit=2)
    assert [one.article.listed_at for one in page.sightings] == [
        make.NOW + 2 * DAY, make.NOW + DAY,
    ]  # fmt: skip
    for one in page.sightings:
        assert one.excerpt[one.start : one.end] == "evil.example"
        assert one.excerpt.startswith("A" * 299)
    rest = await of(stage).sightings(thing.id, cursor=page.next)
    assert [one.article.listed_at for one in rest.sightings] == [make.NOW]
    assert rest.next is None


async def test_an_article_tells_what_it_names_in_the_order_of_its_text(stage: Stage) -> None:
    number = await claimed.article(
        stage, "one", claimed.mention("late.example", places=((90, 99),)),
        claimed.mention("early.example", places=((5, 9),)),
    )  # fmt: skip
    found = await of(stage).of_article(number)
    assert [one.entity.value for one in found] == ["early.example", "late.example"]
    assert found[0].starts == (5,)
    assert (found[0].verdict, found[0].found_verdict) == ("mentioned", "mentioned")


async def test_neighbours_share_what_few_articles_name(stage: Stage) -> None:
    common = claimed.mention("cdn.example", verdict=Verdict.BENIGN)
    first = await claimed.article(stage, "one", claimed.mention("rare.example"), common)
    second = await claimed.article(stage, "two", claimed.mention("rare.example"), common)
    await claimed.article(stage, "three", common)
    [neighbour] = await of(stage).neighbours(first)
    assert neighbour.article.id == second
    assert [one.value for one in neighbour.shared] == ["rare.example"]


async def test_many_values_are_looked_up_at_once_in_their_order(stage: Stage) -> None:
    await claimed.article(
        stage, "one", claimed.mention("evil.example", verdict=Verdict.MALICIOUS),
        claimed.mention("cdn.example", verdict=Verdict.BENIGN),
    )  # fmt: skip
    asked = [("domain", "nothing.example"), ("domain", "evil.example"), ("domain", "cdn.example")]
    answers = await of(stage).lookup(asked)
    assert [(one.value, one.state) for one in answers] == [
        ("nothing.example", "unknown"), ("evil.example", "known"), ("cdn.example", "benign"),
    ]  # fmt: skip
    assert answers[1].entity is not None
    assert answers[1].entity.articles == 1


async def test_what_no_article_names_any_more_is_unknown_again(stage: Stage) -> None:
    await claimed.article(stage, "one", claimed.mention("evil.example"))
    await stage.enrichments.queue()
    await claimed.tell(stage)
    [answer] = await of(stage).lookup([("domain", "evil.example")])
    assert answer.state == "unknown"
    assert (await of(stage).page(EntityQuery())).entities == ()


async def test_freshness_halves_with_time_and_begins_anew_when_seen_again(stage: Stage) -> None:
    await claimed.article(stage, "one", claimed.mention("10.1.2.3", "ipv4"))
    await stage.run("UPDATE entity SET last_seen = now() - interval '30 days'")
    assert (await of(stage).find("ipv4", "10.1.2.3")).freshness == pytest.approx(0.5, abs=0.001)
    assert await stage.value("SELECT count(*) FROM entity") == 1
    assert len(key_of("ipv4", "10.1.2.3")) == 16
    await stage.run("UPDATE article SET sort_at = now()")
    await claimed.article(stage, "two", claimed.mention("10.1.2.3", "ipv4"))
    await stage.run("UPDATE entity SET last_seen = now()")
    assert (await of(stage).find("ipv4", "10.1.2.3")).freshness == pytest.approx(1.0, abs=0.001)


async def test_what_is_quoted_of_a_technique_is_its_id_where_that_told_it(stage: Stage) -> None:
    text = "It beacons over the web, and this is T1071.001 to us."
    places = ((3, 10), (text.index("T1071"), text.index("T1071") + 9))
    for rule, quoted in (("id", "T1071.001"), ("http-c2", "beacons")):
        one = claimed.mention(
            "T1071.001", "technique", verdict=None, rule=rule, places=places,
            extractor=Extractor.ATTACK,
        )  # fmt: skip
        number = await claimed.store(stage, rule, f"{text} {rule}")
        [waiting] = await claimed.claim(stage)
        found = claimed.enrichment([one], Extractor.ATTACK)
        await stage.enrichments.keep([Finding(text=waiting, enrichment=found)])
        thing = await of(stage).find("technique", "T1071.001")
        sightings = (await of(stage).sightings(thing.id)).sightings
        [seen] = [sighting for sighting in sightings if sighting.article.id == number]
        assert seen.excerpt[seen.start : seen.end] == quoted
