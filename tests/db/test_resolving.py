"""What searches stand for: many looked up at once, each as it would be alone."""

import pytest

from ctiscraper.asking import understand
from ctiscraper.db.resolving import Resolved, resolve, resolve_all
from ctiscraper.db.session import Database
from ctiscraper.intelligence import Extractor
from ctiscraper.query.tree import Term, leaves
from people import person
from web.claims import mention, name
from web.shelf import Shelf

TERMS = 50

SEARCHES = (
    'loader actor:"hidden cobra" OR actor:G0032',
    "actor:akira malware:akira",
    "attack:T1059 OR attack:T1059.001",
    'attack:PowerShell OR attack:"no such thing"',
    "cve:2026-12345 ioc:evil.example",
    'ioc:"My Mutex" -ioc:nowhere.example',
    'source:acme OR source:"Bolt & Sons" OR source:nowhere',
    "assignee:the-analyst OR assignee:me OR assignee:nobody OR assignee:stranger",
    'assignee:"the the-analyst" starred:yes',
    "the loader is:new",
    'load* "two loaders" tag:apt score>=50',
)


async def filled(database: str, opened: Database) -> int:
    """Let articles name things under names that the pack knows; give who reads."""
    shelf = Shelf(database)
    shelf.source("bolt", name="Bolt & Sons")
    first, second = shelf.article("a"), shelf.article("b", "bolt")
    lazarus = mention("G0032", "actor", name="Lazarus Group", extractor=Extractor.NAMES)
    brand = mention("S1", "ransomware", name="Akira", extractor=Extractor.NAMES)
    gang = mention("S1", "actor", name="Akira", extractor=Extractor.NAMES)
    above = mention("T1059", "technique", name="Interpreter", extractor=Extractor.ATTACK)
    below = mention("T1059.001", "technique", name="PowerShell", extractor=Extractor.ATTACK)
    await name(database, shelf, first, lazarus, above, mention("evil.example"), gang)
    await name(
        database,
        shelf,
        second,
        *(brand, gang, below, mention("CVE-2026-12345", "cve"), mention("My Mutex", "mutex")),
    )
    for label, value in (("lazarusgroup", "G0032"), ("hiddencobra", "G0032"), ("akira", "S1")):
        for kind in ("actor", "ransomware"):
            row = (label, kind, value, label)
            shelf.run("INSERT INTO known_name VALUES (%s, %s, %s, %s)", row)
    await person(opened, login="the-analyst")
    return await person(opened, login="reader")


def stood_for(resolved: Resolved) -> list[object]:
    """What each leaf of a search stands for, in no order of rows."""
    found: list[object] = [resolved.question.text, resolved.notes]
    for leaf in leaves(resolved.question.tree):
        if not isinstance(leaf, Term):
            found.append(resolved.words[leaf])
            continue
        thing = resolved.things.get(leaf)
        found.append(thing and (set(thing.ids), thing.articles))
        found.append([set(some.get(leaf, ())) for some in (resolved.sources, resolved.people)])
    return found


async def test_searches_that_are_resolved_together_stand_for_what_each_does_alone(
    database: str, opened: Database
) -> None:
    reader = await filled(database, opened)
    questions = [understand(text) for text in SEARCHES]
    async with opened.connection() as conn:
        together = await resolve_all(conn, questions, reader)
        alone = [await resolve(conn, question, reader) for question in questions]
        unread = await resolve_all(conn, questions)
    assert [stood_for(one) for one in together] == [stood_for(one) for one in alone if one]
    ids = [[set(thing.ids) for thing in one.things.values()] for one in alone if one]
    assert ids[0] == [ids[0][0], set()], "a name that the pack knows, and a number that is no name"
    assert len(ids[1][0]) == len(ids[1][1]) == 1
    assert len(ids[2][0]) == 2
    assert ids[2][1] < ids[2][0]
    assert ids[3] == [ids[2][1], set()]
    assert [len(some) for some in ids[4] + ids[5]] == [1, 1, 1, 0]
    assert [note.message for note in together[6].notes] == ["there is no source “nowhere”"]
    assert [note.message for note in together[7].notes] == ["nobody is called “stranger”"]
    assert [note.message for note in unread[9].notes if "reader" in note.message]


@pytest.mark.parametrize(
    "term",
    [
        "actor:n{:02}",
        "malware:n{:02}",
        "attack:n{:02}",
        "attack:T10{:02}",
        "cve:2026-10{:02}",
        "ioc:n{:02}",
        "source:n{:02}",
        "assignee:n{:02}",
        "word{:02}",
    ],
)
async def test_what_a_search_has_of_one_kind_is_looked_up_together(
    opened: Database, sent: list[str], term: str
) -> None:
    text = " OR ".join(term.format(number) for number in range(TERMS))
    async with opened.connection() as conn:
        sent.clear()
        assert await resolve(conn, understand(text)) is not None
    assert 1 <= len(sent) <= 2


async def test_a_name_stands_for_no_more_than_is_told_apart(
    database: str, opened: Database
) -> None:
    shelf = Shelf(database)
    for number in range(30):
        shelf.source(f"key-{number:02}", name="The Same")
        await person(opened, login=f"login-{number:02}")
    shelf.run("UPDATE app_user SET name = 'The Same'")
    question = understand('source:"the same" OR assignee:"the same"')
    async with opened.connection() as conn:
        resolved = await resolve(conn, question)
    assert resolved is not None
    assert [len(ids) for ids in (*resolved.sources.values(), *resolved.people.values())] == [20, 20]
