"""The language over a real database: words, fields, bounds, and walks that end in time."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from ctiscraper.asking import understand
from ctiscraper.db import finding
from ctiscraper.db.articles import Articles
from ctiscraper.db.search import search_document
from ctiscraper.db.searched import Shown
from ctiscraper.db.session import Database
from ctiscraper.intelligence import Extractor
from ctiscraper.types import Tier
from ctiscraper.views import ArticlePage, ArticleQuery
from web.claims import mention, name
from web.shelf import Shelf


@pytest.fixture
def shelf(database: str) -> Shelf:
    return Shelf(database)


@pytest_asyncio.fixture
async def articles(database: str) -> AsyncIterator[Articles]:
    async with Database(database, size=2) as opened:
        yield Articles(opened)


async def found(articles: Articles, text: str, **how: object) -> ArticlePage:
    query = ArticleQuery(q=understand(text), **how)  # type: ignore[arg-type]  # a builder
    return await articles.page(query)


async def titles(articles: Articles, text: str, **how: object) -> list[str]:
    return [one.title for one in (await found(articles, text, **how)).articles]


TEXTS = {
    "a": "A loader runs powershell.exe -enc from C:\\Users\\Public\\run.ps1 on the host.",
    "b": "The loaders fetched hxxps://evil[.]example/stage2 and wrote HKLM\\Software\\Run\\x1.",
    "c": "Printers print; see T1059.001 and CVE-2026-12345 at evil.example today.",
    "d": "Hash d41d8cd98f00b204e9800998ecf8427e came from 10.0.0[.]1 and nowhere else.",
}
TOKENS: tuple[tuple[str, list[str]], ...] = (
    ("powershell", ["a"]),
    ("PowerShell.exe", ["a"]),
    ("run.ps1", ["a"]),
    (r"C:\Users\Public\run.ps1", ["a"]),
    ("evil.example", ["b", "c"]),
    ("evil[.]example", ["b", "c"]),
    ("evil(.)example", ["b", "c"]),
    ("evil [dot] example", ["b", "c"]),
    ("hxxps://evil[.]example/stage2", ["b"]),
    ("https://evil.example/stage2", ["b"]),
    (r"HKLM\Software\Run", ["b"]),
    ("T1059", ["c"]),
    ("T1059.001", ["c"]),
    ("CVE-2026-12345", ["c"]),
    ("cve-2026-*", ["c"]),
    ("d41d8cd98f00b204e9800998ecf8427e", ["d"]),
    ("d41d8cd98f00*", ["d"]),
    ("10.0.0.1", ["d"]),
    ("10.0.0[.]1", ["d"]),
    ("loader", ["a", "b"]),
    ("load*", ["a", "b"]),
    ("loader AND stage2", ["b"]),
    ("powershell OR printers", ["a", "c"]),
    ("loader -stage2", ["a"]),
    ("NOT loader", ["c", "d"]),
    ("(loader OR printer) evil.example", ["b", "c"]),
    ("loader -(stage2 OR run)", []),
    ('"printers print"', ["c"]),
    ('"print today"', []),
    ('"loader runs powershell.exe"', ["a"]),
    ("the loader of", ["a", "b"]),
    ("the OR of", []),
    ("-the loader", ["a", "b"]),
    ("nowheretobefound", []),
)


async def test_words_are_found_as_they_are_typed(shelf: Shelf, articles: Articles) -> None:
    for title, text in TEXTS.items():
        number = shelf.article(title, text=text)
        shelf.run(
            "UPDATE article SET search = to_tsvector('english', %s) WHERE id = %s",
            (search_document(text), number),
        )
    for typed, expected in TOKENS:
        assert (typed, await titles(articles, typed)) == (typed, expected)


async def _named(database: str, shelf: Shelf) -> None:
    """Three articles with what they name, and the names that the pack knows them by."""
    shelf.source("bolt", tier=Tier.PREMIUM, name="Bolt & Sons")
    first = shelf.article("a", text="Odd words.", tags=["apt"])
    second = shelf.article("b", "bolt", text="Even words.", language="de")
    third = shelf.article("c", text="Odd words galore.")
    lazarus = mention("G0032", "actor", name="Lazarus Group", extractor=Extractor.NAMES)
    brand = mention("S1", "ransomware", name="Akira", extractor=Extractor.NAMES)
    gang = mention("S1", "actor", name="Akira", extractor=Extractor.NAMES)
    above = mention("T1059", "technique", name="Interpreter", extractor=Extractor.ATTACK)
    below = mention("T1059.001", "technique", name="PowerShell", extractor=Extractor.ATTACK)
    other = mention("T1486", "technique", name="Encrypted", extractor=Extractor.ATTACK)
    await name(database, shelf, first, lazarus, above, mention("evil.example"))
    await name(database, shelf, second, brand, gang, below, mention("CVE-2026-12345", "cve"))
    await name(database, shelf, third, other, mention("mutex one", "mutex"))
    for label, kind, value, called in (
        ("lazarusgroup", "actor", "G0032", "Lazarus Group"),
        ("hiddencobra", "actor", "G0032", "Lazarus Group"),
        ("akira", "ransomware", "S1", "Akira"),
    ):
        shelf.run("INSERT INTO known_name VALUES (%s, %s, %s, %s)", (label, kind, value, called))
    for number, score in ((first, 0.9), (second, 0.5)):
        shelf.run(
            "INSERT INTO article_score (article_id, score, parts, version) VALUES (%s, %s, %s, %s)",
            (number, score, "[]", "1"),
        )


FIELDS: tuple[tuple[str, list[str]], ...] = (
    ('actor:"Lazarus Group"', ["a"]),
    ('actor:"hidden cobra"', ["a"]),
    ("actor:HIDDEN-COBRA", ["a"]),
    ("actor:hiddencobra", ["a"]),
    ("actor:akira", ["b"]),
    ("malware:Akira", ["b"]),
    ("actor:nobody", []),
    ('actor:akira OR actor:"hidden cobra" OR actor:nobody', ["a", "b"]),
    ("actor:akira OR ioc:evil.example OR galore", ["a", "b", "c"]),
    ("actor:nobody OR cve:2026-99999", []),
    ("words -(actor:akira OR cve:2026-99999 OR tag:apt)", ["c"]),
    ("words -(actor:nobody OR cve:2026-99999)", ["a", "b", "c"]),
    ("-actor:nobody odd", ["a", "c"]),
    ("odd -actor:nobody", ["a", "c"]),
    ("attack:T1059", ["a", "b"]),
    ("attack:t1059.001", ["b"]),
    ("attack:powershell", ["b"]),
    ("attack:T1486 odd", ["c"]),
    ("attack:T1", []),
    ("cve:2026-12345", ["b"]),
    ("ioc:evil[.]example", ["a"]),
    ("ioc:hxxp://evil[.]example", []),
    ('ioc:"mutex one"', ["c"]),
    ("source:bolt", ["b"]),
    ('source:"bolt & sons"', ["b"]),
    ("-source:bolt", ["a", "c"]),
    ("source:unknown", []),
    ("tier:premium", ["b"]),
    ("lang:de", ["b"]),
    ("-lang:de odd", ["a", "c"]),
    ("tag:apt", ["a"]),
    ("score>=90", ["a"]),
    ("score>0.4", ["a", "b"]),
    ("score<90", ["b"]),
    ("-score>=0", ["c"]),
    ("actor:lazarus OR lang:de", ["b"]),
    ('actor:"hidden cobra" OR cve:2026-12345', ["a", "b"]),
    ('(actor:"hidden cobra" odd) OR galore', ["a", "c"]),
    ('-(actor:"hidden cobra" OR galore)', ["b"]),
    ("the actor:akira", ["b"]),
    ("after:2026-11-22 odd", ["a", "c"]),
    ("before:2026-11-22", []),
    ("after:2020 before:1d", ["a", "b", "c"]),
    ("after:1h", []),
    ("after:today", []),
    ("before:yesterday", ["a", "b", "c"]),
    ("after:2026-11-22T11:58:30Z", ["a"]),
)


async def test_fields_ask_for_what_is_known_of_an_article(
    database: str, shelf: Shelf, articles: Articles
) -> None:
    await _named(database, shelf)
    for typed, expected in FIELDS:
        assert (typed, await titles(articles, typed)) == (typed, expected)


async def test_what_stands_for_nothing_is_said_at_its_place(
    database: str, shelf: Shelf, articles: Articles
) -> None:
    await _named(database, shelf)
    page = await found(articles, 'odd actor:"no one" source:gone the')
    assert [(note.position, note.length) for note in page.notes] == [(4, 14), (19, 11), (31, 3)]
    assert "no one" in page.notes[0].message
    assert (page.found, page.articles) == (0, ())
    assert (await found(articles, "odd")).notes == ()


STRANGE = ("source:", "tag:", "actor:", "malware:", "attack:", "ioc:", "")


async def test_no_value_is_too_strange_to_be_asked_for(
    database: str, shelf: Shelf, articles: Articles
) -> None:
    await _named(database, shelf)
    for field in STRANGE:
        for value in ("\0x", "\ud800x", "x'; --", "%s", "\\", "x" * 500, "\u202e\u00e9"):
            typed = f'{field}"{value}"'
            assert (await found(articles, typed)).articles == (), typed


async def test_one_source_shows_its_near_duplicates(shelf: Shelf, articles: Articles) -> None:
    first = shelf.article("first", text="Odd words.")
    shelf.article("copy", "bolt", text="Odd words.", duplicate_of=first)
    assert await titles(articles, "odd") == ["first"]
    assert await titles(articles, "source:bolt odd") == ["copy"]


def _small_steps(monkeypatch: pytest.MonkeyPatch, articles: int) -> None:
    for setting in ("FIRST_WINDOW", "LEAST_WINDOW", "MOST_WINDOW"):
        monkeypatch.setattr(finding, setting, articles)


async def test_a_walk_meets_what_an_index_would_find(
    database: str, shelf: Shelf, articles: Articles, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _named(database, shelf)
    monkeypatch.setattr(finding, "FOUND_MOST", 0)
    monkeypatch.setattr(finding, "FEW", -1)
    _small_steps(monkeypatch, 1)
    for typed, expected in FIELDS:
        assert (typed, await titles(articles, typed)) == (typed, expected)
    assert await titles(articles, '"odd words"') == ["a", "c"]


async def test_a_walk_over_what_is_named_meets_the_same(
    database: str, shelf: Shelf, articles: Articles, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _named(database, shelf)
    monkeypatch.setattr(finding, "_SURELY", -1)
    monkeypatch.setattr(finding, "FEW", 0)
    _small_steps(monkeypatch, 1)
    for typed, expected in FIELDS:
        assert (typed, await titles(articles, typed)) == (typed, expected)


async def test_pages_of_what_is_named_meet_without_gap(
    database: str, shelf: Shelf, articles: Articles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Along what names any of two things, some of it both, some hidden, several at a time."""
    above = mention("T1059", "technique", name="Interpreter", extractor=Extractor.ATTACK)
    below = mention("T1059.001", "technique", name="PowerShell", extractor=Extractor.ATTACK)
    at = datetime(2026, 11, 1, tzinfo=UTC)
    wanted: list[int] = []
    for n in range(40):
        copied = wanted[-1] if n % 11 == 10 else None
        number = shelf.article(
            f"n{n}",
            text="Odd." if n % 5 else "Even.",
            sort_at=at + timedelta(hours=n // 4),
            duplicate_of=copied,
        )
        named = [one for one, every in ((above, 2), (below, 3)) if n % every == 0]
        if named:
            await name(database, shelf, number, *named)
            if n % 5 and copied is None:
                wanted.append(number)
    monkeypatch.setattr(finding, "FEW", 3)
    for step in (1, 3, 200):
        _small_steps(monkeypatch, step)
        seen: list[int] = []
        cursor = None
        while True:
            query = ArticleQuery(q=understand("attack:T1059 -even"))
            page = await articles.page(query, cursor=cursor, limit=4)
            assert page.searched_to is None
            seen += [one.id for one in page.articles]
            cursor = page.next
            if cursor is None:
                break
        assert seen == wanted[::-1]


async def test_a_walk_that_saw_everything_has_counted(
    shelf: Shelf, articles: Articles, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        shelf.article(f"n{number}", text="Odd words." if number else "Even words.")
    assert (await found(articles, "-even")).found == 2
    monkeypatch.setattr(finding, "FOUND_MOST", 1)
    assert (await found(articles, "odd")).found == 2


async def test_what_is_not_needed_is_not_waited_for(
    shelf: Shelf, articles: Articles, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        shelf.article(f"n{number}", text="Odd words.")
    monkeypatch.setattr(finding, "FOUND_MOST", 1)
    _small_steps(monkeypatch, 2)
    monkeypatch.setattr(finding, "SPARE_SECONDS", 0.0)
    page = await articles.page(ArticleQuery(q=understand("odd")), limit=1, shown=Shown(facets=True))
    assert page.searched_to is None
    assert page.next is not None
    assert page.facets is not None
    assert (page.facets.counted, page.facets.capped) == (2, True)


async def test_a_walk_that_runs_out_of_time_goes_on_from_where_it_came_to(
    shelf: Shelf, articles: Articles, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        shelf.article(f"n{number}", text="Common words." if number else "Rare common words.")
    shelf.article("last", text="Rare common words.")
    monkeypatch.setattr(finding, "FOUND_MOST", 1)
    _small_steps(monkeypatch, 2)
    monkeypatch.setattr(finding, "WALK_SECONDS", 0.0)
    seen: list[str] = []
    stops: list[datetime | None] = []
    cursor = None
    for _ in range(5):
        page = await articles.page(
            ArticleQuery(q=understand('"rare common"')), cursor=cursor, limit=50
        )
        seen += [one.title for one in page.articles]
        stops.append(page.searched_to)
        cursor = page.next
        if cursor is None:
            break
    assert seen == ["n0", "last"]
    assert stops[-1] is None
    assert all(stops[:-1])
    assert len(stops) == 4


async def test_candidates_of_a_phrase_are_read_as_far_as_time_goes(
    shelf: Shelf, articles: Articles, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        shelf.article(f"n{number}", text="Rare, yet common." if number else "Rare common words.")
    shelf.article("last", text="Rare common words.")
    whole = await found(articles, '"rare common"')
    assert ([one.title for one in whole.articles], whole.found) == (["n0", "last"], 2)
    _small_steps(monkeypatch, 2)
    monkeypatch.setattr(finding, "WALK_SECONDS", 0.0)
    seen: list[str] = []
    stops: list[datetime | None] = []
    cursor = None
    while not stops or cursor is not None:
        page = await articles.page(ArticleQuery(q=understand('"rare common"')), cursor=cursor)
        seen += [one.title for one in page.articles]
        stops.append(page.searched_to)
        cursor = page.next
    assert seen == ["n0", "last"]
    assert stops[-1] is None
    assert len(stops) == 4
    assert all(stops[:-1])


async def test_an_index_leaves_out_words_but_reads_for_phrases(
    shelf: Shelf, articles: Articles
) -> None:
    shelf.article("a", text="Odd words galore.")
    shelf.article("b", text="Odd words elsewhere.")
    shelf.article("c", text="Odd strange words elsewhere.")
    for typed, expected in (
        ("odd -galore", ["b", "c"]),
        ('odd -"odd words"', ["c"]),
        ('"odd words" -elsewhere', ["a"]),
        ('odd -(galore OR "strange words")', ["b"]),
        ('odd -"odd words" -strange', []),
    ):
        assert (typed, await titles(articles, typed)) == (typed, expected)


async def test_a_step_is_as_long_as_the_last_one_was_quick() -> None:
    pace = finding._Pace(200)
    pace.begin()
    pace.end(200, 0, 51)
    assert pace.window == 200 * finding._GROWTH
    pace.begin()
    pace._step -= 1.0
    pace.end(1_000, 0, 51)
    assert pace.window == finding.LEAST_WINDOW
    assert not pace.is_over(enough=False)
    pace.begun -= 1.0
    assert pace.is_over(enough=False)


async def test_a_step_is_no_longer_than_what_is_missing_needs() -> None:
    pace = finding._Pace(1_000)
    pace.begin()
    pace.end(1_000, 100, 20)
    assert pace.window == 400
    pace.begin()
    pace.end(1_000, 500, 0)
    assert pace.window == finding._SPARE_WINDOW


async def test_pages_of_a_search_meet_without_gap(shelf: Shelf, articles: Articles) -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    ids = [
        shelf.article(f"n{n}", text="Odd.", sort_at=at + timedelta(hours=n // 3)) for n in range(7)
    ]
    seen: list[int] = []
    cursor = None
    for _ in range(4):
        page = await articles.page(ArticleQuery(q=understand("odd")), cursor=cursor, limit=2)
        assert page.found == 7
        seen += [one.id for one in page.articles]
        cursor = page.next
    assert seen == ids[::-1]
    assert cursor is None


async def test_the_most_relevant_come_first_where_asked(shelf: Shelf, articles: Articles) -> None:
    shelf.article("once", text="A loader and many other words that speak of something else.")
    shelf.article("loader loader", text="Loader, loader and loader.")
    shelf.article("twice", text="A loader, another loader.")
    assert (await titles(articles, "loader"))[0] == "once"
    assert await titles(articles, "loader", ranked=True) == ["loader loader", "twice", "once"]
    seen: list[str] = []
    cursor = None
    while True:
        page = await articles.page(
            ArticleQuery(q=understand("loader"), ranked=True), cursor=cursor, limit=2
        )
        seen += [one.title for one in page.articles]
        cursor = page.next
        if cursor is None:
            break
    assert seen == ["loader loader", "twice", "once"]
    assert await titles(articles, "lang:en", ranked=True) == ["once", "loader loader", "twice"]


async def test_facets_count_what_the_matches_have_in_common(
    database: str, shelf: Shelf, articles: Articles, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _named(database, shelf)
    page = await articles.page(
        ArticleQuery(q=understand("words")), limit=1, shown=Shown(facets=True)
    )
    facets = page.facets
    assert facets is not None
    assert (facets.counted, facets.capped) == (3, False)
    assert [(one.term, one.articles) for one in facets.source] == [
        ("source:acme", 2),
        ("source:bolt", 1),
    ]
    assert {one.term for one in facets.tier} == {"tier:standard", "tier:premium"}
    assert [one.term for one in facets.malware] == ["malware:Akira"]
    assert {one.label for one in facets.technique} >= {"T1059.001 PowerShell"}
    for one in (*facets.source, *facets.tier, *facets.actor, *facets.malware, *facets.technique):
        assert len(await titles(articles, f"words {one.term}")) >= one.articles
    later = await articles.page(
        ArticleQuery(q=understand("words")), cursor=page.next, limit=1, shown=Shown(facets=True)
    )
    assert later.facets == facets
    monkeypatch.setattr("ctiscraper.db.facets.FACETS_OF", 2)
    monkeypatch.setattr("ctiscraper.db.searched.FACETS_OF", 2)
    few = await articles.page(ArticleQuery(q=understand("words")), shown=Shown(facets=True))
    assert few.facets is not None
    assert (few.facets.counted, few.facets.capped) == (2, True)
