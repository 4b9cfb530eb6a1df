"""What the words and fields of a search stand for in this database."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from ctiscraper.db.mentions import key_of as entity_key
from ctiscraper.db.search import CONFIG, prefix_form, word_forms
from ctiscraper.db.session import Conn
from ctiscraper.intelligence import Name
from ctiscraper.packs.spelling import joined
from ctiscraper.query.fields import ME, NOBODY
from ctiscraper.query.tree import PERSONAL, FieldName, Phrase, Question, Term, Word, leaves
from ctiscraper.views import SearchNote

Text: TypeAlias = Word | Phrase

_ACTORS = (Name.ACTOR.value,)
_MALWARE = (Name.MALWARE.value, Name.RANSOMWARE.value, Name.TOOL.value)
_TECHNIQUES = (Name.TECHNIQUE.value,)
# A brand of ransomware and its gang are one thing under two kinds.
_RELATED = (*_ACTORS, *_MALWARE)
KINDS: Mapping[FieldName, Sequence[str]] = {
    FieldName.ACTOR: _ACTORS,
    FieldName.MALWARE: _MALWARE,
    FieldName.ATTACK: _TECHNIQUES,
}
MENTIONED = frozenset(
    (FieldName.ACTOR, FieldName.MALWARE, FieldName.ATTACK, FieldName.CVE, FieldName.IOC)
)
"""The fields that ask for what an article names."""

_SAID = {
    FieldName.ACTOR: "no article names an actor called {}",
    FieldName.MALWARE: "no article names malware or a tool called {}",
    FieldName.ATTACK: "no article names the technique {}",
    FieldName.CVE: "no article names {}",
    FieldName.IOC: "no article names the indicator {}",
}
_LONGEST_SHOWN = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """The rows that a field names, and how many articles these are named in, one by one."""

    ids: tuple[int, ...]
    articles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Whose search it is: up to which article he has read all, and beyond which all are new."""

    user_id: int
    read_through: int
    new_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A search with what its leaves stand for; `words` is empty text for what is too common.

    Of `people` nobody has the number 0. `reader` is None where none is asked about.
    """

    question: Question
    words: Mapping[Text, str] = field(default_factory=dict)
    things: Mapping[Term, Thing] = field(default_factory=dict)
    sources: Mapping[Term, tuple[int, ...]] = field(default_factory=dict)
    people: Mapping[Term, tuple[int, ...]] = field(default_factory=dict)
    reader: Reader | None = None
    notes: tuple[SearchNote, ...] = ()


async def resolve(
    conn: Conn, question: Question | None, reader: int | None = None
) -> Resolved | None:
    """Return a search of a reader with what it stands for, None for none."""
    if question is None:
        return None
    found = list(leaves(question.tree))
    texts = list(dict.fromkeys(leaf for leaf in found if not isinstance(leaf, Term)))
    terms = list(dict.fromkeys(leaf for leaf in found if isinstance(leaf, Term)))
    words = await _words(conn, texts)
    things = {term: await _thing(conn, question, term) for term in terms if term.name in MENTIONED}
    sources = {
        term: await _sources(conn, term.value) for term in terms if term.name is FieldName.SOURCE
    }
    people = {
        term: await _people(conn, term.value, reader)
        for term in terms
        if term.name is FieldName.ASSIGNEE
    }
    personal = any(term.name in PERSONAL for term in terms)
    resolved = Resolved(
        question=question,
        words=words,
        things=things,
        sources=sources,
        people=people,
        reader=await _reader(conn, reader) if personal and reader is not None else None,
    )
    return replace(resolved, notes=tuple(_notes(resolved)))


async def _words(conn: Conn, texts: Sequence[Text]) -> dict[Text, str]:
    """Return the query of each word and phrase, in PostgreSQL's own language."""
    if not texts:
        return {}
    given = [_forms(text) for text in texts]
    cursor = await conn.execute(
        """
        SELECT (coalesce(phraseto_tsquery(%(config)s::regconfig, g.one), '')
            || coalesce(phraseto_tsquery(%(config)s::regconfig, g.other), '')
            || coalesce(to_tsquery(%(config)s::regconfig, nullif(g.prefix, '')), ''))::text
        FROM unnest(%(one)s::text[], %(other)s::text[], %(prefix)s::text[])
            WITH ORDINALITY AS g (one, other, prefix, place) ORDER BY g.place
        """,
        {
            "config": CONFIG,
            "one": [one for one, _, _ in given],
            "other": [other for _, other, _ in given],
            "prefix": [prefix for _, _, prefix in given],
        },
    )
    return {text: row[0] for text, row in zip(texts, await cursor.fetchall(), strict=True)}


def _forms(text: Text) -> tuple[str | None, str | None, str | None]:
    clean = storable(text.text)
    if isinstance(text, Word) and text.prefix:
        return None, None, prefix_form(clean)
    one, other, *_ = (*word_forms(clean), None, None)
    return one, other, None


async def _thing(conn: Conn, question: Question, term: Term) -> Thing:
    if term.name is FieldName.IOC:
        return await _by_keys(conn, question.things.get(term.value, ()))
    if term.name is FieldName.CVE:
        return await _by_keys(conn, [("cve", term.value)])
    if term.name is FieldName.ATTACK and _is_number(term.value):
        return await _technique(conn, term.value)
    return await _named(conn, KINDS[term.name], storable(term.value))


def _is_number(value: str) -> bool:
    return value[:1] == "T" and value[1:5].isdigit()


async def _by_keys(conn: Conn, pairs: Sequence[tuple[str, str]]) -> Thing:
    keys = [entity_key(kind, value) for kind, value in pairs]
    cursor = await conn.execute(
        "SELECT id, articles FROM entity WHERE key = ANY(%b) AND articles > 0", (keys,)
    )
    return _to_thing(await cursor.fetchall())


async def _technique(conn: Conn, number: str) -> Thing:
    """Return a technique with those below it."""
    cursor = await conn.execute(
        """
        SELECT id, articles FROM entity
        WHERE kind = ANY(%(kinds)s) AND articles > 0
            AND (value = %(number)s OR starts_with(value, %(number)s || '.'))
        """,
        {"kinds": list(_TECHNIQUES), "number": number},
    )
    return _to_thing(await cursor.fetchall())


async def _named(conn: Conn, kinds: Sequence[str], name: str) -> Thing:
    """Return the things of a name: what the pack knows by it, and what texts alone call so."""
    cursor = await conn.execute(
        "SELECT DISTINCT value FROM known_name WHERE label = %s AND kind = ANY(%s) LIMIT 50",
        (joined(name), list({*kinds, *(_RELATED if kinds != _TECHNIQUES else ())})),
    )
    values = [row[0] for row in await cursor.fetchall()]
    cursor = await conn.execute(
        """
        SELECT id, articles FROM entity WHERE key = ANY(%(keys)b) AND articles > 0
        UNION
        SELECT id, articles FROM entity
        WHERE lower(left(coalesce(nullif(name, ''), value), 100)) = %(label)s
            AND kind = ANY(%(kinds)s) AND articles > 0
        """,
        {
            "keys": [entity_key(kind, value) for kind in kinds for value in values],
            "label": name.lower()[:100],
            "kinds": list(kinds),
        },
    )
    return _to_thing(await cursor.fetchall())


def _to_thing(rows: Sequence[Sequence[int]]) -> Thing:
    return Thing(ids=tuple(row[0] for row in rows), articles=sum(row[1] for row in rows))


async def _sources(conn: Conn, value: str) -> tuple[int, ...]:
    cursor = await conn.execute(
        """
        SELECT id FROM source
        WHERE key = %(key)s OR lower(settings->>'name') = lower(%(value)s) LIMIT 20
        """,
        {"key": storable(value).lower(), "value": storable(value)},
    )
    return tuple(row[0] for row in await cursor.fetchall())


async def _people(conn: Conn, value: str, reader: int | None) -> tuple[int, ...]:
    if value == NOBODY:
        return (0,)
    if value == ME:
        return () if reader is None else (reader,)
    cursor = await conn.execute(
        "SELECT id FROM app_user WHERE login = %(name)s OR lower(name) = %(name)s LIMIT 20",
        {"name": storable(value)},
    )
    return tuple(row[0] for row in await cursor.fetchall())


async def _reader(conn: Conn, user_id: int) -> Reader:
    cursor = await conn.execute(
        "SELECT read_through, new_after FROM reader WHERE user_id = %s", (user_id,)
    )
    row = await cursor.fetchone()
    through, new = row or (0, 0)
    return Reader(user_id=user_id, read_through=through, new_after=new)


def storable(text: str) -> str:
    """Return a text without what PostgreSQL keeps no text with."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()


def _notes(resolved: Resolved) -> Iterator[SearchNote]:
    for leaf in leaves(resolved.question.tree):
        said = _told(resolved, leaf)
        if said:
            yield SearchNote(message=said, position=leaf.span.start, length=leaf.span.length)


def _told(resolved: Resolved, leaf: Word | Phrase | Term) -> str:
    if not isinstance(leaf, Term):
        common = not resolved.words[leaf] and any(map(str.isalnum, leaf.text))
        return f"{_shown(leaf.text)} is too common to be looked for" if common else ""
    if leaf.name is FieldName.SOURCE and not resolved.sources[leaf]:
        return f"there is no source {_shown(leaf.value)}"
    if leaf.name is FieldName.ASSIGNEE and not resolved.people[leaf]:
        return f"nobody is called {_shown(leaf.value)}"
    if leaf.name in PERSONAL and resolved.reader is None:
        return f"{leaf.name}: is about a reader, and this search is nobody's"
    if leaf.name in MENTIONED and not resolved.things[leaf].ids:
        return _SAID[leaf.name].format(_shown(leaf.value))
    return ""


def _shown(text: str) -> str:
    cut = text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}\u2026"
    return f"\u201c{cut}\u201d"
