"""What articles name in the API: lists, one thing, an article's evidence, exports."""

import csv
import io
import json
import re

import httpx2
import msgspec
import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter

import make
from ctiscraper.entity_views import (
    ArticleEvidence,
    EntityDetail,
    EntityPage,
    SightingPage,
    SimilarArticle,
)
from ctiscraper.intelligence import Extractor, Verdict
from db import claimed
from db.stage import Stage

OTHER = make.settings("other", "other.example")
STYLES = re.compile(r'href="(/static/[^"]+\.css[^"]*)"')
TEXT = "Intro words here.\nIndicators\nThe loader calls evil[.]example.org twice. More words."
PLACE = (TEXT.index("evil"), TEXT.index(" twice"))


@pytest.fixture
def stage(app: FastAPI) -> Stage:
    return Stage(app.state.services.database)


async def filled(stage: Stage) -> tuple[int, int]:
    """Two articles that name a domain; the second names a hash and a formula beside it."""
    evil = claimed.mention("evil.example.org", verdict=Verdict.MALICIOUS, places=(PLACE,))
    first = await claimed.article(stage, "one", evil, text=TEXT)
    second = await claimed.article(
        stage, "two", evil, claimed.mention("a" * 64, "sha256"),
        claimed.mention("=cmd()", "mutex"),
        claimed.mention("cdn.example.org", verdict=Verdict.BENIGN),
        claimed.mention("APT 1", "actor", verdict=None, extractor=Extractor.NAMES),
        settings=OTHER, text=f"{TEXT} And more.",
    )  # fmt: skip
    return first, second


async def values(client: httpx2.AsyncClient, query: str) -> set[str]:
    answer = await client.get(f"/api/v1/entities?{query}")
    assert answer.status_code == 200, answer.text
    page = msgspec.json.decode(answer.content, type=EntityPage)
    return {one.value for one in page.entities}


async def test_the_list_is_narrowed_by_each_filter(
    client: httpx2.AsyncClient, stage: Stage
) -> None:
    await filled(stage)
    assert await values(client, "kind=domain&kind=sha256") == {
        "evil.example.org", "cdn.example.org", "a" * 64,
    }  # fmt: skip
    assert await values(client, "verdict=malicious") == {"evil.example.org"}
    assert await values(client, "verdict=malicious&verdict=benign") == {
        "evil.example.org", "cdn.example.org",
    }  # fmt: skip
    assert await values(client, "verdict=benign") == {"cdn.example.org"}
    assert await values(client, "kind=actor&verdict=benign") == set()
    assert await values(client, "q=ev") == {"evil.example.org"}
    assert await values(client, "under=example.org&kind=domain&q=cd") == {"cdn.example.org"}
    assert await values(client, "source=acme") == {"evil.example.org"}
    assert await values(client, "source=other&kind=domain&verdict=benign") == {"cdn.example.org"}


async def test_the_list_goes_on_where_it_ended(client: httpx2.AsyncClient, stage: Stage) -> None:
    await filled(stage)
    seen: list[str] = []
    for narrow in ("", "&kind=domain&kind=mutex&kind=sha256&kind=actor"):
        path = f"/api/v1/entities?limit=2{narrow}"
        following = ""
        for _ in range(4):
            page = (await client.get(path + following)).json()
            seen += [one["value"] for one in page["entities"]]
            if page["next"] is None:
                break
            following = f"&cursor={page['next']}"
    assert len(seen) == 10
    assert len(set(seen)) == 5
    assert seen[:5] == seen[5:]


async def test_a_thing_and_its_articles(client: httpx2.AsyncClient, stage: Stage) -> None:
    first, second = await filled(stage)
    [thing] = (await client.get("/api/v1/entities?q=evil")).json()["entities"]
    answer = await client.get(f"/api/v1/entities/{thing['id']}")
    detail = msgspec.json.decode(answer.content, type=EntityDetail)
    assert (detail.summary.articles, detail.summary.sources) == (2, 2)
    again = await client.get(
        f"/api/v1/entities/{thing['id']}", headers={"if-none-match": answer.headers["etag"]}
    )
    # Freshness is rounded, so the same for hours.
    assert again.status_code == 304
    page = (await client.get(f"/api/v1/entities/{thing['id']}/articles?limit=1")).json()
    found = msgspec.convert(page, SightingPage)
    assert found.sightings[0].article.id == second
    rest = await client.get(f"/api/v1/entities/{thing['id']}/articles?cursor={found.next}")
    [sighting] = rest.json()["sightings"]
    assert sighting["article"]["id"] == first
    assert sighting["excerpt"][sighting["start"] : sighting["end"]] == "evil[.]example.org"
    listed = await client.get(f"/api/v1/articles?entity={thing['id']}")
    assert [one["id"] for one in listed.json()["articles"]] == [second, first]


async def test_what_an_article_names_has_its_words_sentence_and_section(
    client: httpx2.AsyncClient, stage: Stage
) -> None:
    first, _ = await filled(stage)
    await stage.run("UPDATE article SET html = '<h2>Indicators</h2><p>x</p>'")
    answer = await client.get(f"/api/v1/articles/{first}/entities")
    found = msgspec.json.decode(answer.content, type=ArticleEvidence)
    assert found.record is not None
    assert found.record.versions == {"observables": "1", "names": "1"}
    [one] = found.entities
    [place] = one.places
    assert (place.start, place.end, place.words) == (*PLACE, "evil[.]example.org")
    assert place.sentence == "The loader calls evil[.]example.org twice."
    assert TEXT[place.sentence_start :].startswith(place.sentence)
    assert place.section == "Indicators"
    assert (one.mention.verdict, one.mention.reasons) == ("malicious", ("defanged",))
    bare = (await client.get(f"/api/v1/articles/{first}/entities?places=0")).json()
    assert bare["entities"][0]["places"] == []
    assert (await client.get(f"/api/v1/articles/{first}/entities?kind=url")).json()[
        "entities"
    ] == []


async def test_a_second_look_tells_what_it_changed(
    client: httpx2.AsyncClient, stage: Stage
) -> None:
    number = await claimed.article(stage, "one", claimed.mention("old.example"))
    await stage.enrichments.queue([Extractor.OBSERVABLES])
    await claimed.tell(stage, claimed.mention("new.example"))
    record = (await client.get(f"/api/v1/articles/{number}/entities")).json()["record"]
    assert [one["value"] for one in record["added"]] == ["new.example"]
    assert [one["value"] for one in record["removed"]] == ["old.example"]


async def test_neighbours_share_rare_things(client: httpx2.AsyncClient, stage: Stage) -> None:
    first, second = await filled(stage)
    [near] = (await client.get(f"/api/v1/articles/{first}/neighbours")).json()
    assert near["article"]["id"] == second
    assert [one["value"] for one in near["shared"]] == ["evil.example.org"]
    assert (await client.get("/api/v1/articles/999/neighbours")).status_code == 404


async def test_similar_articles_come_with_what_is_shared(
    client: httpx2.AsyncClient, stage: Stage
) -> None:
    first, second = await filled(stage)
    [near] = (await client.get(f"/api/v1/articles/{first}/similar")).json()
    TypeAdapter(SimilarArticle).validate_python(near)
    assert near["article"]["id"] == second
    assert [one["value"] for one in near["things"]] == ["evil.example.org"]
    page = (await client.get(f"/articles/{first}")).text
    assert "Similar articles" in page
    assert f'<a href="/articles/{second}"' in page
    beside = (await client.get("/")).text
    assert set(STYLES.findall(page)) <= set(STYLES.findall(beside)), "it opens beside the list too"
    for wrong, status in (("999/similar", 404), (f"{first}/similar?limit=0", 422)):
        assert (await client.get(f"/api/v1/articles/{wrong}")).status_code == status


async def test_lists_are_exported_whole_a_page_at_a_time(
    client: httpx2.AsyncClient, stage: Stage
) -> None:
    many = [claimed.mention(f"d{n}.example") for n in range(450)]
    await claimed.article(stage, "one", *many)
    answer = await client.get("/api/v1/entities?format=csv&values=defanged")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="entities.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert {row["value"] for row in rows} == {f"d{n}[.]example" for n in range(450)}
    assert len(rows) == 450
    lines = (await client.get("/api/v1/entities?format=ndjson&kind=domain")).text.splitlines()
    assert {json.loads(line)["value"] for line in lines} == {f"d{n}.example" for n in range(450)}
    few = await client.get("/api/v1/entities?limit=3", headers={"accept": "text/csv, */*"})
    assert len(few.text.splitlines()) == 4


async def test_every_result_comes_as_csv(client: httpx2.AsyncClient, stage: Stage) -> None:
    _, second = await filled(stage)
    [thing] = (await client.get("/api/v1/entities?q=evil")).json()["entities"]
    await client.post("/api/v1/verdicts", json={"value": "evil.example.org", "verdict": "benign"})
    for path, rows in (
        ("entities", 5),
        (f"entities/{thing['id']}/articles", 2),
        (f"articles/{second}/entities", 5),
        ("articles", 2),
        (f"articles?entity={thing['id']}", 2),
        ("verdicts", 1),
    ):
        answer = await client.get(f"/api/v1/{path}", headers={"accept": "text/csv"})
        table = list(csv.reader(io.StringIO(answer.text, newline="")))
        assert (path, len(table)) == (path, rows + 1)
        assert {len(row) for row in table} == {len(table[0])}
        assert answer.headers["vary"] == "accept"
    formula = (await client.get("/api/v1/entities?kind=mutex&format=csv")).text
    assert ",'=cmd()," in formula


async def test_what_is_wrong_is_a_problem_before_anything_is_sent(
    client: httpx2.AsyncClient,
) -> None:
    for path, status in (
        ("entities?format=csv&cursor=bad", 422),
        ("entities/7/articles?format=csv", 404),
        ("entities?kind=nonsense", 422),
        ("entities?verdict=bad", 422),
        ("entities?under=%00", 422),
        ("entities?format=xml", 422),
        ("entities/0", 422),
        ("entities/7", 404),
        ("articles/7/entities", 404),
        ("articles?entity=0", 422),
    ):
        answer = await client.get(f"/api/v1/{path}")
        assert (path, answer.status_code) == (path, status)
        assert answer.headers["content-type"] == "application/problem+json"
