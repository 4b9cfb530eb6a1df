"""What a word with no hit may have been meant for: names and words that are nearly spelt so."""

from collections.abc import Iterator, Sequence

from psycopg import sql

from ctiscraper.db.article_filters import FOUND_MOST
from ctiscraper.db.finding import estimated
from ctiscraper.db.known_words import LONGEST, SHORTEST, articles_with, spelt_nearly
from ctiscraper.db.resolving import Resolved, storable
from ctiscraper.db.session import Conn
from ctiscraper.packs.spelling import joined
from ctiscraper.query.tree import And, FieldName, Node, Not, Or, Phrase, Term, Word
from ctiscraper.query.write import written_term
from ctiscraper.views import Suggestion

MOST = 3
_MOST_LEAVES = 5
_MOST_NAMES = 4_000
# A word that so many of all articles have is one of those whose frequency the server keeps.
_FREQUENT = 0.01
# From so many letters on two may be wrong.
_LONG = 8
_FIELDS = frozenset((FieldName.ACTOR, FieldName.MALWARE))


async def suggestions_of(conn: Conn, resolved: Resolved) -> tuple[Suggestion, ...]:
    """Return searches with one word or name spelt as a known one is, the nearest first."""
    text = resolved.question.text
    # A walk would pass over a million texts for a word that none has.
    await conn.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = on")
    found: list[tuple[int, Suggestion]] = []
    for leaf in list(_doubtful(resolved, resolved.question.tree))[:_MOST_LEAVES]:
        typed = leaf.value if isinstance(leaf, Term) else leaf.text
        if not isinstance(leaf, Term) and await _is_known(conn, resolved.words[leaf]):
            continue
        near = await _near(conn, typed)
        if not isinstance(leaf, Term):
            near = [*near, *await _near_words(conn, typed)]
        for far, name in near:
            written = _written(leaf, name)
            end = leaf.span.start + leaf.span.length
            meant = f"{text[: leaf.span.start]}{written}{text[end:]}"
            found.append((far, Suggestion(word=typed, meant=name, search=meant)))
    found.sort(key=lambda one: one[0])
    # A name may be one of the words too, written otherwise.
    once: dict[str, Suggestion] = {}
    for _, suggestion in found:
        once.setdefault(suggestion.search.lower(), suggestion)
    return tuple(once.values())[:MOST]


def _doubtful(resolved: Resolved, node: Node) -> Iterator[Word | Phrase | Term]:
    """Yield what is looked for and may be misspelt."""
    if isinstance(node, And | Or):
        for part in node.parts:
            yield from _doubtful(resolved, part)
    elif isinstance(node, Term):
        if node.name in _FIELDS and not resolved.things[node].ids:
            yield node
    elif not isinstance(node, Not) and resolved.words[node] and not _is_prefix(node):
        yield node


def _is_prefix(node: Word | Phrase) -> bool:
    return isinstance(node, Word) and node.prefix


def _written(leaf: Word | Phrase | Term, name: str) -> str:
    if isinstance(leaf, Term):
        return written_term(leaf.name, leaf.sign, name)
    plain = name.replace('"', "")
    return plain if plain.isalnum() and isinstance(leaf, Word) else f'"{plain}"'


async def _is_known(conn: Conn, words: str) -> bool:
    """Whether any article has a word, which the statistics or else the index alone tell.

    To ask the index for a word that all of a million articles have takes 0.2 seconds.
    """
    values = {"words": words}
    rows = await estimated(conn, _HAVING, values)
    cursor = await conn.execute("SELECT reltuples FROM pg_class WHERE oid = 'article'::regclass")
    row = await cursor.fetchone()
    assert row is not None, "there is this table"
    if rows > max(FOUND_MOST, _FREQUENT * row[0]):
        return True
    statement = sql.SQL("SELECT EXISTS (SELECT 1 FROM article a WHERE {} LIMIT 1)")
    cursor = await conn.execute(statement.format(_HAVING), values, prepare=False)
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


_HAVING = sql.SQL("a.search @@ %(words)s::tsquery")


async def _near(conn: Conn, typed: str) -> Sequence[tuple[int, str]]:
    """Return the known names that are nearly spelt so, with how many letters are wrong."""
    label = joined(typed)
    if len(label) < SHORTEST:
        return []
    most = _most_wrong(label)
    # All that are misspelt behind their second letter, along the key, and those before it.
    cursor = await conn.execute(
        """
        (SELECT label, name FROM known_name
            WHERE label >= %(first)s AND label < %(beyond)s LIMIT %(most)s)
        UNION
        (SELECT label, name FROM known_name
            WHERE right(label, 3) = right(%(label)s, 3)
                AND length(label) BETWEEN length(%(label)s) - 1 AND length(%(label)s) + 1
            LIMIT %(most)s)
        """,
        {
            "first": label[:2],
            "beyond": f"{label[:2]}\U0010ffff",
            "label": label,
            "most": _MOST_NAMES,
        },
    )
    near = {
        name: far
        for known, name in await cursor.fetchall()
        if known != label and (far := distance(label, known, most)) <= most
    }
    return sorted((far, name) for name, far in near.items())[:MOST]


async def _near_words(conn: Conn, typed: str) -> Sequence[tuple[int, str]]:
    """Return what was typed with one word spelt as articles spell it."""
    parts = storable(typed).split()
    lowered = [part.lower() for part in parts]
    known = await articles_with(conn, lowered)
    found: list[tuple[int, str]] = []
    for place, word in enumerate(lowered):
        if word in known or not SHORTEST <= len(word) <= LONGEST or not word.isalnum():
            continue
        most = _most_wrong(word)
        candidates = await spelt_nearly(conn, word, most)
        near = [(far, one) for one in candidates if (far := distance(word, one, most)) <= most]
        # The sort keeps the most frequent of those that are equally near first.
        for far, one in sorted(near, key=lambda it: it[0])[:MOST]:
            found.append((far, " ".join([*parts[:place], one, *parts[place + 1 :]])))
    return found


def _most_wrong(word: str) -> int:
    return 2 if len(word) >= _LONG else 1


def distance(one: str, other: str, most: int) -> int:
    """Return how many letters of two words differ, are missing or exchanged; at most one over."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        this = [row]
        for column, found in enumerate(other, 1):
            cost = min(last[column] + 1, this[-1] + 1, last[column - 1] + (letter != found))
            if row > 1 and column > 1 and _exchanged(one, other, row, column):
                cost = min(cost, before[column - 2] + 1)
            this.append(cost)
        if min(this) > most:
            return most + 1
        before, last = last, this
    return min(last[-1], most + 1)


def _exchanged(one: str, other: str, row: int, column: int) -> bool:
    return one[row - 1] == other[column - 2] and one[row - 2] == other[column - 1]
