"""What the words and fields of a search stand for in this database."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
# What one name may stand for.
_MOST_VALUES, _MOST_OF_A_NAME = 50, 20


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

    The leaves of searches that were resolved with it are among them. Of `people` nobody has the
    number 0. `reader` is None where none is asked about.
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
    [resolved] = await resolve_all(conn, [question], reader)
    return resolved


async def resolve_all(
    conn: Conn, questions: Sequence[Question], reader: int | None = None
) -> list[Resolved]:
    """Return searches of a reader with what they stand for, each in its place.

    However many they are, what they have of one kind is looked up together.
    """
    found = dict.fromkeys(leaf for question in questions for leaf in leaves(question.tree))
    terms = [leaf for leaf in found if isinstance(leaf, Term)]
    keys = {value: pairs for question in questions for value, pairs in question.things.items()}
    words = await _words(conn, [leaf for leaf in found if not isinstance(leaf, Term)])
    things = await _things(conn, terms, keys)
    sources = await _sources(conn, [term for term in terms if term.name is FieldName.SOURCE])
    people = await _people(
        conn, [term for term in terms if term.name is FieldName.ASSIGNEE], reader
    )
    personal = any(term.name in PERSONAL for term in terms)
    known = await _reader(conn, reader) if personal and reader is not None else None
    resolved = [
        Resolved(
            question=question,
            words=words,
            things=things,
            sources=sources,
            people=people,
            reader=known,
        )
        for question in questions
    ]
    return [replace(one, notes=tuple(_notes(one))) for one in resolved]


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


async def _things(
    conn: Conn, terms: Sequence[Term], keys: Mapping[str, Sequence[tuple[str, str]]]
) -> dict[Term, Thing]:
    """Return what each field stands for that asks for what an article names."""
    pairs: dict[Term, Sequence[tuple[str, str]]] = {}
    techniques: list[Term] = []
    named: dict[FieldName, list[Term]] = {}
    for term in terms:
        if term.name is FieldName.IOC:
            pairs[term] = keys.get(term.value, ())
        elif term.name is FieldName.CVE:
            pairs[term] = [("cve", term.value)]
        elif term.name is FieldName.ATTACK and _is_number(term.value):
            techniques.append(term)
        elif term.name in KINDS:
            named.setdefault(term.name, []).append(term)
    found = {**await _by_keys(conn, pairs), **await _by_numbers(conn, techniques)}
    for name, those in named.items():
        found |= await _named(conn, KINDS[name], those)
    return found


def _is_number(value: str) -> bool:
    return value[:1] == "T" and value[1:5].isdigit()


async def _by_keys(
    conn: Conn, pairs: Mapping[Term, Sequence[tuple[str, str]]]
) -> dict[Term, Thing]:
    if not pairs:
        return {}
    keys = {
        term: [entity_key(kind, value) for kind, value in those] for term, those in pairs.items()
    }
    cursor = await conn.execute(
        "SELECT key, id, articles FROM entity WHERE key = ANY(%b) AND articles > 0",
        (list({key for those in keys.values() for key in those}),),
        binary=True,
    )
    known = {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}
    return {
        term: _to_thing([known[key] for key in dict.fromkeys(those) if key in known])
        for term, those in keys.items()
    }


async def _by_numbers(conn: Conn, terms: Sequence[Term]) -> dict[Term, Thing]:
    """Return techniques, each with those below it."""
    if not terms:
        return {}
    cursor = await conn.execute(
        """
        SELECT value, id, articles FROM entity
        WHERE kind = ANY(%(kinds)s) AND articles > 0
            AND (value = ANY(%(numbers)s) OR split_part(value, '.', 1) = ANY(%(numbers)s))
        """,
        {"kinds": list(_TECHNIQUES), "numbers": [storable(term.value) for term in terms]},
    )
    rows: dict[str, list[tuple[int, int]]] = {}
    for value, number, articles in await cursor.fetchall():
        for asked in {value, value.partition(".")[0]}:
            rows.setdefault(asked, []).append((number, articles))
    return {term: _to_thing(rows.get(storable(term.value), ())) for term in terms}


async def _named(conn: Conn, kinds: Sequence[str], terms: Sequence[Term]) -> dict[Term, Thing]:
    """Return the things of names: what the pack knows by each, and what texts alone call so."""
    names = {term: storable(term.value) for term in terms}
    values = await _known_values(conn, kinds, names.values())
    keys = {
        term: [entity_key(kind, value) for kind in kinds for value in values.get(joined(name), ())]
        for term, name in names.items()
    }
    cursor = await conn.execute(
        """
        SELECT key, NULL, id, articles FROM entity WHERE key = ANY(%(keys)b) AND articles > 0
        UNION ALL
        SELECT NULL, lower(left(coalesce(nullif(name, ''), value), 100)), id, articles FROM entity
        WHERE lower(left(coalesce(nullif(name, ''), value), 100)) = ANY(%(labels)s)
            AND kind = ANY(%(kinds)s) AND articles > 0
        """,
        {
            "keys": list({key for those in keys.values() for key in those}),
            "labels": list({_label(name) for name in names.values()}),
            "kinds": list(kinds),
        },
        binary=True,
    )
    rows: dict[bytes | str, dict[int, int]] = {}
    for key, label, number, articles in await cursor.fetchall():
        rows.setdefault(label if key is None else key, {})[number] = articles
    found: dict[Term, Thing] = {}
    for term, name in names.items():
        by: tuple[bytes | str, ...] = (*keys[term], _label(name))
        found[term] = _to_thing(row for one in by for row in rows.get(one, {}).items())
    return found


async def _known_values(
    conn: Conn, kinds: Sequence[str], names: Iterable[str]
) -> dict[str, list[str]]:
    """Return under the letters of each name the values that the pack has for it."""
    cursor = await conn.execute(
        "SELECT DISTINCT label, value FROM known_name WHERE label = ANY(%s) AND kind = ANY(%s)",
        (
            list({joined(name) for name in names}),
            list({*kinds, *(_RELATED if kinds != _TECHNIQUES else ())}),
        ),
    )
    found: dict[str, list[str]] = {}
    for label, value in await cursor.fetchall():
        found.setdefault(label, []).append(value)
    return {label: values[:_MOST_VALUES] for label, values in found.items()}


def _label(name: str) -> str:
    """Return a name as the index of things has it."""
    return name.lower()[:100]


def _to_thing(rows: Iterable[tuple[int, int]]) -> Thing:
    known = dict(rows)
    return Thing(ids=tuple(known), articles=sum(known.values()))


async def _sources(conn: Conn, terms: Sequence[Term]) -> dict[Term, tuple[int, ...]]:
    if not terms:
        return {}
    values = [storable(term.value) for term in terms]
    cursor = await conn.execute(
        """
        WITH g AS (SELECT * FROM unnest(%(keys)s::text[], %(values)s::text[])
            WITH ORDINALITY AS g (key, value, place))
        SELECT g.place, s.id FROM g JOIN source s ON s.key = g.key
        UNION
        SELECT g.place, s.id FROM g JOIN source s ON lower(s.settings->>'name') = lower(g.value)
        """,
        {"keys": [value.lower() for value in values], "values": values},
    )
    found: dict[int, list[int]] = {}
    for place, number in await cursor.fetchall():
        found.setdefault(place, []).append(number)
    return {
        term: tuple(found.get(place, ())[:_MOST_OF_A_NAME]) for place, term in enumerate(terms, 1)
    }


async def _people(
    conn: Conn, terms: Sequence[Term], reader: int | None
) -> dict[Term, tuple[int, ...]]:
    own = {NOBODY: (0,), ME: () if reader is None else (reader,)}
    names = [storable(term.value) for term in terms if term.value not in own]
    found: dict[str, dict[int, None]] = {}
    if names:
        cursor = await conn.execute(
            "SELECT login, lower(name), id FROM app_user"
            " WHERE login = ANY(%(names)s) OR lower(name) = ANY(%(names)s)",
            {"names": names},
        )
        for login, name, number in await cursor.fetchall():
            for called in (login, name):
                found.setdefault(called, {})[number] = None
    return {
        term: own[term.value]
        if term.value in own
        else tuple(found.get(storable(term.value), ()))[:_MOST_OF_A_NAME]
        for term in terms
    }


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
