"""What a search asks of a reader's articles and of the team's, as conditions and as lists."""

from collections.abc import Callable
from typing import TypeAlias

from psycopg import sql

from ctiscraper.db.resolving import Reader, Resolved, storable
from ctiscraper.query.fields import NEW, UNREAD, YES
from ctiscraper.query.tree import FieldName, Term
from ctiscraper.types import TriageState

Sql = sql.SQL | sql.Composed
Keep: TypeAlias = Callable[[str, object], sql.Placeholder]
"""What gives a value a place in a statement."""

TRIAGE = frozenset((FieldName.STATE, FieldName.ASSIGNEE, FieldName.STARRED, FieldName.IS))
"""The fields that ask for what people made of articles."""

_FALSE = sql.SQL("false")
_ROW = "SELECT 1 FROM article_triage k WHERE k.article_id = a.id"


def triage_condition(resolved: Resolved, term: Term, keep: Keep) -> Sql:
    """Return what articles must be like for one of the fields of `TRIAGE`."""
    if term.name is FieldName.STATE:
        return _in_state(term.value, keep)
    if term.name is FieldName.ASSIGNEE:
        return _assigned(resolved.people[term], keep)
    reader = resolved.reader
    if reader is None:
        return _FALSE
    if term.name is FieldName.STARRED:
        starred = sql.SQL(
            "EXISTS (SELECT 1 FROM article_reader k WHERE k.user_id = {} AND k.article_id = a.id"
            " AND k.starred_at IS NOT NULL)"
        ).format(keep("r", reader.user_id))
        return starred if term.value == YES else sql.SQL("NOT {}").format(starred)
    if term.value == NEW:
        return sql.SQL("a.id > {}").format(keep("r", reader.new_after))
    read = sql.SQL(
        "coalesce((SELECT k.read FROM article_reader k"
        " WHERE k.user_id = {} AND k.article_id = a.id), a.id <= {})"
    ).format(keep("r", reader.user_id), keep("r", reader.read_through))
    return sql.SQL("NOT {}").format(read) if term.value == UNREAD else read


def triage_listed(resolved: Resolved, term: Term, keep: Keep) -> Sql | None:
    """Return the numbers of all articles that can fit such a field, where an index gives them."""
    if term.name is FieldName.STATE:
        if term.value == TriageState.NEW:
            return None
        return sql.SQL("SELECT k.article_id AS id FROM article_triage k WHERE k.state = {}").format(
            keep("r", term.value)
        )
    if term.name is FieldName.ASSIGNEE:
        ids = resolved.people[term]
        if 0 in ids:
            return None
        return sql.SQL(
            "SELECT k.article_id AS id FROM article_triage k"
            " WHERE k.assignee_id = ANY({}::bigint[])"
        ).format(keep("r", list(ids)))
    return None if resolved.reader is None else _of_reader(resolved.reader, term, keep)


def _of_reader(reader: Reader, term: Term, keep: Keep) -> Sql | None:
    if term.name is FieldName.STARRED and term.value == YES:
        return sql.SQL(
            "SELECT k.article_id AS id FROM article_reader k"
            " WHERE k.user_id = {} AND k.starred_at IS NOT NULL"
        ).format(keep("r", reader.user_id))
    if term.name is not FieldName.IS:
        return None
    if term.value == NEW:
        return sql.SQL("SELECT n.id FROM article n WHERE n.id > {}").format(
            keep("r", reader.new_after)
        )
    # Without a mark nearly all articles are unread: by date the walk meets them at once.
    if term.value != UNREAD or not reader.read_through:
        return None
    return sql.SQL(
        "SELECT n.id FROM article n WHERE n.id > {through} AND NOT EXISTS (SELECT 1 FROM"
        " article_reader k WHERE k.user_id = {user} AND k.article_id = n.id AND k.read)"
        " UNION ALL SELECT k.article_id FROM article_reader k WHERE k.user_id = {user}"
        " AND NOT k.read AND k.article_id <= {through}"
    ).format(through=keep("r", reader.read_through), user=keep("r", reader.user_id))


def tagged_condition(tag: str, keep: Keep) -> Sql:
    """Return that a publisher or the team tagged an article so."""
    return sql.SQL(
        "(a.tags @> ARRAY[{}] OR EXISTS (" + _ROW + " AND k.tags @> ARRAY[{}::text]))"
    ).format(keep("v", storable(tag)), keep("v", team_tag(tag)))


def tagged_listed(tag: str, keep: Keep) -> Sql:
    """Return the numbers of all articles that are tagged so."""
    return sql.SQL(
        "(SELECT a.id FROM article a WHERE a.tags @> ARRAY[{}] LIMIT %(cap)s) UNION"
        " (SELECT k.article_id FROM article_triage k WHERE k.tags @> ARRAY[{}::text]"
        " LIMIT %(cap)s)"
    ).format(keep("v", storable(tag)), keep("v", team_tag(tag)))


def team_tag(given: str) -> str:
    """Return a tag as the team's are kept."""
    return "-".join(storable(given).lower().replace("_", " ").split())


def _in_state(state: str, keep: Keep) -> Sql:
    if state == TriageState.NEW:
        return sql.SQL("NOT EXISTS (" + _ROW + " AND k.state <> 'new')")
    return sql.SQL("EXISTS (" + _ROW + " AND k.state = {})").format(keep("r", state))


def _assigned(ids: tuple[int, ...], keep: Keep) -> Sql:
    if not ids:
        return _FALSE
    if 0 in ids:
        return sql.SQL("NOT EXISTS (" + _ROW + " AND k.assignee_id IS NOT NULL)")
    return sql.SQL("EXISTS (" + _ROW + " AND k.assignee_id = ANY({}::bigint[]))").format(
        keep("r", list(ids))
    )
