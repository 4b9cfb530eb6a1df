"""A search as conditions over articles, and what of it an index can answer alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeGuard

from psycopg import sql

from ctiscraper.db.reals import real
from ctiscraper.db.resolving import MENTIONED, Resolved, storable
from ctiscraper.db.wanted_triage import (
    TRIAGE,
    tagged_condition,
    tagged_listed,
    triage_condition,
    triage_listed,
)
from ctiscraper.query.tree import And, FieldName, Node, Not, Or, Term, demanded, leaves

Sql = sql.SQL | sql.Composed

# What the indexes by date are narrowed by.
_WALKED = frozenset(
    (FieldName.SOURCE, FieldName.TIER, FieldName.LANG, FieldName.AFTER, FieldName.BEFORE)
)
_UNITS = {"h": "hours", "d": "days", "w": "weeks", "m": "months", "y": "years"}
_SIGNS = {">": sql.SQL(">"), ">=": sql.SQL(">="), "<": sql.SQL("<"), "<=": sql.SQL("<=")}
_TIMES = {FieldName.AFTER: sql.SQL(">="), FieldName.BEFORE: sql.SQL("<")}
_FALSE = sql.SQL("false")
_PER_CENT = 100
# The articles of so many things are put into one order while they are walked.
_TOGETHER = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """What gives a superset of the matches by an index: a condition, or a list of articles.

    `articles` is how many there are, where that is known, else there are `at_least` so many; of
    each of `estimated` the statistics know about how many there are. `answers` is the filter that
    holds of all that it gives: it is not looked at again. Of each of `things` that articles
    name an index has them in list order.
    """

    condition: Sql | None = None
    listed: Sql | None = None
    articles: int | None = None
    at_least: int = 0
    estimated: tuple[Sql, ...] = ()
    answers: Sql | None = None
    things: Sql | None = None


@dataclass(slots=True)
class Wanted:
    """What articles must be like, with the values of the conditions.

    `walked` narrow the indexes by date, `filters` are looked at article by article, those in
    `texts` by reading its words; the drivers are what the search can begin with instead, where it
    is `driven`.
    """

    walked: list[Sql] = field(default_factory=list)
    filters: list[Sql] = field(default_factory=list)
    drivers: list[Driver] = field(default_factory=list)
    values: dict[str, object] = field(default_factory=dict)
    texts: list[Sql] = field(default_factory=list)
    driven: bool = True

    @property
    def nothing(self) -> bool:
        """Whether no article can be like that."""
        return _FALSE in self.conditions

    @property
    def conditions(self) -> list[Sql]:
        """All that must hold."""
        return [*self.walked, *self.filters]

    def keep(self, stem: str, value: object) -> sql.Placeholder:
        """Return the place of a value, kept under a name of its own."""
        name = f"{stem}{len(self.values)}"
        self.values[name] = value
        return sql.Placeholder(name)


def of_source(resolved: Resolved | None) -> bool:
    """Return whether all that is wanted is of named sources."""
    return resolved is not None and any(
        isinstance(part, Term) and part.name is FieldName.SOURCE
        for part in demanded(resolved.question.tree)
    )


def add_search(wanted: Wanted, resolved: Resolved) -> None:
    """Add what a search asks for to what is wanted."""
    adding = _Adding(wanted, resolved)
    tree = resolved.question.tree
    words = _conjunction([part for part in demanded(tree) if _is_text(part)])
    if words is not None:
        adding.text(words)
    elif all(_is_text(part) for part in demanded(tree)):
        wanted.filters.append(_FALSE)
    for part in demanded(tree):
        if not _is_text(part):
            adding.part(part)


@dataclass(slots=True)
class _Adding:
    wanted: Wanted
    resolved: Resolved

    def text(self, words: Node) -> None:
        """Add what the text index knows."""
        query = written_query(self.resolved, words)
        if not query:
            if all(_is_text(part) for part in demanded(self.resolved.question.tree)):
                self.wanted.filters.append(_FALSE)
            return
        matches = self._matches(query)
        self.wanted.filters.append(matches)
        self.wanted.texts.append(matches)
        loose = _loose(self.resolved, words) if self.wanted.driven else ""
        if loose:
            self.wanted.drivers.append(
                self._by_words(loose, answers=matches if loose == query else None)
            )

    def part(self, part: Node) -> None:
        """Add a part that is not of words alone."""
        condition = self._condition(part)
        if condition is None:
            return
        walked = isinstance(part, Term) and part.name in _WALKED
        (self.wanted.walked if walked else self.wanted.filters).append(condition)
        if not all(isinstance(leaf, Term) for leaf in leaves(part)):
            self.wanted.texts.append(condition)
        driver = self._driver(part) if self.wanted.driven else None
        if driver is not None:
            answers = condition if driver.things is not None else None
            self.wanted.drivers.append(replace(driver, answers=answers))

    def _matches(self, query: str) -> sql.Composed:
        return sql.SQL("a.search @@ {}::tsquery").format(self.wanted.keep("t", query))

    def _by_words(self, loose: str, answers: Sql | None = None) -> Driver:
        condition = self._matches(loose)
        return Driver(condition=condition, estimated=(condition,), answers=answers)

    def _condition(self, node: Node) -> Sql | None:
        """Return a part as a condition; None for words that are too common."""
        if _is_text(node):
            query = written_query(self.resolved, node)
            return self._matches(query) if query else None
        if isinstance(node, Not):
            inner = self._condition(node.part)
            return None if inner is None else sql.SQL("({}) IS NOT TRUE").format(inner)
        if isinstance(node, And | Or):
            return self._joined(node)
        assert isinstance(node, Term), "what is no group and no text is a field"
        return self._term(node)

    def _joined(self, node: And | Or) -> Sql | None:
        texts: list[Node] = []
        named: list[Term] = []
        rest: list[Node] = []
        for part in node.parts:
            if isinstance(node, Or) and _is_mentioned(part):
                named.append(part)
            else:
                (texts if _is_text(part) else rest).append(part)
        together = [type(node)(tuple(texts))] if len(texts) > 1 else texts
        found = [one for part in (*together, *rest) if (one := self._condition(part)) is not None]
        if named:
            # Whichever of them an article names, it is looked up once.
            found.append(self._mentioned(named))
        if isinstance(node, Or):
            found = [one for one in found if one != _FALSE] or found[:1]
        if len(found) < 2:  # noqa: PLR2004 - one part is no group
            return found[0] if found else None
        word = sql.SQL(" AND " if isinstance(node, And) else " OR ")
        return sql.SQL("({})").format(word.join(found))

    def _term(self, term: Term) -> Sql:
        if term.name in MENTIONED:
            return self._mentioned([term])
        if term.name is FieldName.SOURCE:
            return self._of_sources(self.resolved.sources[term])
        if term.name is FieldName.SCORE:
            least = self.wanted.keep("p", real(float(term.value) / _PER_CENT))
            return sql.SQL(
                "EXISTS (SELECT 1 FROM article_score r WHERE r.article_id = a.id"
                " AND r.score {} {}::real)"
            ).format(_SIGNS[term.sign], least)
        if term.name in _TIMES:
            return sql.SQL("a.sort_at {} {}").format(_TIMES[term.name], self._moment(term.value))
        return self._same(term)

    def _of_sources(self, ids: Sequence[int]) -> Sql:
        if not ids:
            return _FALSE
        if len(ids) == 1:
            # What is equal keeps the order of the index by source and date.
            return sql.SQL("a.source_id = {}").format(self.wanted.keep("s", ids[0]))
        return sql.SQL("a.source_id = ANY({}::bigint[])").format(self.wanted.keep("s", list(ids)))

    def _mentioned(self, terms: Sequence[Term]) -> Sql:
        """Return that an article names any of these."""
        ids = list({number for term in terms for number in self.resolved.things[term].ids})
        if not ids:
            return _FALSE
        # Looked up for each article: without the offset all that name a thing may be read at once.
        return sql.SQL(
            "EXISTS (SELECT 1 FROM mention m WHERE m.article_id = a.id"
            " AND m.entity_id = ANY({}::bigint[]) OFFSET 0)"
        ).format(self.wanted.keep("e", ids))

    def _same(self, term: Term) -> Sql:
        if term.name in TRIAGE:
            return triage_condition(self.resolved, term, self.wanted.keep)
        if term.name is FieldName.TAG:
            return tagged_condition(term.value, self.wanted.keep)
        value = self.wanted.keep("v", storable(term.value))
        if term.name is FieldName.TIER:
            return sql.SQL("a.tier = {}").format(value)
        assert term.name is FieldName.LANG, "every other field has its condition above"
        return sql.SQL("a.language = {}").format(value)

    def _moment(self, value: str) -> sql.Composed:
        """Return a time; one that is so long ago is counted from the database's clock."""
        if value in {"today", "yesterday"}:
            return sql.SQL(
                "((now() AT TIME ZONE 'UTC')::date - {}::integer)::timestamp AT TIME ZONE 'UTC'"
            ).format(self.wanted.keep("d", int(value == "yesterday")))
        if value[-1] in _UNITS:
            ago = f"{value[:-1]} {_UNITS[value[-1]]}"
            return sql.SQL("now() - {}::interval").format(self.wanted.keep("d", ago))
        return sql.SQL("{}::timestamp AT TIME ZONE 'UTC'").format(
            self.wanted.keep("d", value.removesuffix("Z"))
        )

    def _driver(self, node: Node) -> Driver | None:
        """Return what gives all articles that can match a part, if an index does."""
        if isinstance(node, Term):
            return self._term_driver(node)
        if isinstance(node, And):
            found = [driver for part in node.parts if (driver := self._driver(part))]
            return min(found, key=_size) if found else None
        if isinstance(node, Or):
            return self._any_driver(node)
        loose = "" if isinstance(node, Not) else _loose(self.resolved, node)
        return self._by_words(loose) if loose else None

    def _term_driver(self, term: Term) -> Driver | None:
        keep = self.wanted.keep
        if term.name is FieldName.TAG:
            return Driver(listed=tagged_listed(term.value, keep))
        if term.name in TRIAGE:
            many = triage_listed(self.resolved, term, keep)
            return None if many is None else Driver(listed=many)
        if term.name not in MENTIONED:
            return None
        thing = self.resolved.things[term]
        ids = sql.SQL("{}::bigint[]").format(self.wanted.keep("e", list(thing.ids)))
        listed = sql.SQL(
            "SELECT m.article_id AS id FROM mention m WHERE m.entity_id = ANY({})"
        ).format(ids)
        together = len(thing.ids) <= _TOGETHER
        return Driver(listed=listed, articles=thing.articles, things=ids if together else None)

    def _any_driver(self, node: Or) -> Driver | None:
        """Return all that one of several drivers gives, where each has one."""
        found = [self._driver(part) for part in node.parts]
        drivers = [driver for driver in found if driver is not None]
        if len(drivers) < len(found):
            return None
        sizes = [driver.articles for driver in drivers]
        known = [size for size in sizes if size is not None]
        return Driver(
            listed=sql.SQL(" UNION ").join(sql.SQL("({})").format(_list_of(d)) for d in drivers),
            articles=sum(known) if len(known) == len(sizes) else None,
            at_least=max([*known, *(driver.at_least for driver in drivers)]),
            estimated=tuple(one for driver in drivers for one in driver.estimated),
        )


def _list_of(driver: Driver) -> Sql:
    if driver.listed is not None:
        return driver.listed
    assert driver.condition is not None, "a driver is a condition or a list"
    return sql.SQL("SELECT a.id FROM article a WHERE {} LIMIT %(cap)s").format(driver.condition)


def _size(driver: Driver) -> float:
    return float("inf") if driver.articles is None else driver.articles


def written_query(resolved: Resolved, node: Node) -> str:
    """Return words as one query of PostgreSQL; empty where all of them are too common."""
    if isinstance(node, And | Or):
        parts = [one for part in node.parts if (one := written_query(resolved, part))]
        return (" & " if isinstance(node, And) else " | ").join(f"({part})" for part in parts)
    if isinstance(node, Not):
        inner = written_query(resolved, node.part)
        return f"!({inner})" if inner else ""
    assert not isinstance(node, Term), "fields are conditions of their own"
    return resolved.words[node]


def _loose(resolved: Resolved, node: Node) -> str:
    """Return a query that the index answers alone and all matches fit; empty where none does."""
    if isinstance(node, And):
        # An index can leave out what has a word, but not what has a phrase.
        given = [_loose(resolved, part) for part in node.parts]
        parts = [
            one or _excluded(resolved, part) for one, part in zip(given, node.parts, strict=True)
        ]
        return " & ".join(f"({part})" for part in parts if part) if any(given) else ""
    if isinstance(node, Or):
        parts = [_loose(resolved, part) for part in node.parts if written_query(resolved, part)]
        return " | ".join(f"({part})" for part in parts) if all(parts) else ""
    if isinstance(node, Not | Term):
        return ""
    return resolved.words[node].replace("<->", "&")


def _excluded(resolved: Resolved, node: Node) -> str:
    query = written_query(resolved, node) if isinstance(node, Not) else ""
    return "" if "<" in query else query


def _is_mentioned(node: Node) -> TypeGuard[Term]:
    return isinstance(node, Term) and node.name in MENTIONED


def _is_text(node: Node) -> bool:
    if isinstance(node, And | Or):
        return all(_is_text(part) for part in node.parts)
    if isinstance(node, Not):
        return _is_text(node.part)
    return not isinstance(node, Term)


def _conjunction(parts: Sequence[Node]) -> Node | None:
    if len(parts) < 2:  # noqa: PLR2004 - one part is no group
        return parts[0] if parts else None
    return And(tuple(parts))
