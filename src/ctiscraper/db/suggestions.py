"""What a word with no hit may have been meant for: names that are nearly spelt so."""

from collections.abc import Iterator, Sequence

from ctiscraper.db.resolving import Resolved
from ctiscraper.db.session import Conn
from ctiscraper.packs.spelling import joined
from ctiscraper.query.tree import And, FieldName, Node, Not, Or, Phrase, Term, Word
from ctiscraper.query.write import written_term
from ctiscraper.views import Suggestion

MOST = 3
_MOST_LEAVES = 5
_MOST_NAMES = 4_000
_SHORTEST = 4
# From so many letters on two may be wrong.
_LONG = 8
_FIELDS = frozenset((FieldName.ACTOR, FieldName.MALWARE))


async def suggestions_of(conn: Conn, resolved: Resolved) -> tuple[Suggestion, ...]:
    """Return searches with one word or name spelt as a known name is, the nearest first."""
    text = resolved.question.text
    # A walk would pass over a million texts for a word that none has.
    await conn.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = on")
    found: list[tuple[int, Suggestion]] = []
    for leaf in list(_doubtful(resolved, resolved.question.tree))[:_MOST_LEAVES]:
        typed = leaf.value if isinstance(leaf, Term) else leaf.text
        if not isinstance(leaf, Term) and await _is_known(conn, resolved.words[leaf]):
            continue
        for far, name in await _near(conn, typed):
            written = _written(leaf, name)
            end = leaf.span.start + leaf.span.length
            meant = f"{text[: leaf.span.start]}{written}{text[end:]}"
            found.append((far, Suggestion(word=typed, meant=name, search=meant)))
    found.sort(key=lambda one: one[0])
    return tuple(suggestion for _, suggestion in found[:MOST])


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
    """Whether any article has a word, which the index alone tells."""
    cursor = await conn.execute(
        "SELECT EXISTS (SELECT 1 FROM article WHERE search @@ %s::tsquery LIMIT 1)",
        (words,),
        prepare=False,
    )
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def _near(conn: Conn, typed: str) -> Sequence[tuple[int, str]]:
    """Return the known names that are nearly spelt so, with how many letters are wrong."""
    label = joined(typed)
    if len(label) < _SHORTEST:
        return []
    most = 2 if len(label) >= _LONG else 1
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
