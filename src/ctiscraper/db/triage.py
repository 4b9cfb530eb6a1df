"""What the team makes of articles: state, assignee and tags, changed one by one or many at once."""

import re
import unicodedata
from collections.abc import Sequence

from ctiscraper.db.changing import Way, change_many, lock, open_change, undo_many
from ctiscraper.db.session import Conn, Database
from ctiscraper.errors import InputError, NotFoundError
from ctiscraper.identity import Principal
from ctiscraper.triage_views import Change, PersonRef, ReaderStanding, Tagged, Undone
from ctiscraper.types import TriageState

TAGS_MOST = 30
"""How many tags an article has at most."""
TAG_LONGEST = 50
PEOPLE_MOST = 200
STATE, ASSIGNEE, TAG, UNTAG = "state", "assignee", "tag", "untag"
"""What of an article the team changes."""

_SPACE = re.compile(r"[\s_]+")
_UNFIT = re.compile(r"[^\w.:/+#@&-]")

_ROWS = """
    SELECT a.id, coalesce(t.state, 'new') AS state, t.assignee_id, coalesce(t.tags, '{{}}') AS tags
    FROM article a LEFT JOIN article_triage t ON t.article_id = a.id
    WHERE a.id = ANY(%(ids)s::bigint[]) AND {differs}
"""
_WRITE = """
    INSERT INTO article_triage AS t (article_id, {column}, changed_by)
    SELECT id, {value}, %(actor)s FROM known
    ON CONFLICT (article_id) DO UPDATE
    SET {column} = {update}, changed_at = now(), changed_by = excluded.changed_by
"""
# Where somebody else changed it since, what he chose stays.
_RESTORE = """
    UPDATE article_triage t SET {column} = {former}, changed_at = now(), changed_by = %(actor)s
    FROM triage_change c, jsonb_to_recordset(c.former)
        AS f (id bigint, state text, assignee_id bigint, tags text[])
    WHERE c.id = %(change)s AND t.article_id = f.id AND {same}
    RETURNING t.article_id
"""
_SORTED = "(SELECT coalesce(array_agg(DISTINCT g ORDER BY g), '{{}}') FROM unnest({tags}) g)"
_WITH = _SORTED.format(tags="t.tags || %(value)s::text")
_LESS = "array_remove(t.tags, %(value)s::text)"
_HELD = "coalesce(t.tags, '{}') @> ARRAY[%(value)s::text]"
_FULL = f"cardinality(coalesce(t.tags, '{{}}')) >= {TAGS_MOST}"
_ID = "nullif(%(value)s, '')::bigint"

_WAYS = {
    STATE: Way(
        known=_ROWS.format(differs="coalesce(t.state, 'new') <> %(value)s"),
        write=_WRITE.format(column="state", value="%(value)s", update="excluded.state"),
        restore=_RESTORE.format(column="state", former="f.state", same="t.state = %(value)s"),
        personal=False,
    ),
    ASSIGNEE: Way(
        known=_ROWS.format(differs=f"t.assignee_id IS DISTINCT FROM {_ID}"),
        write=_WRITE.format(column="assignee_id", value=_ID, update="excluded.assignee_id"),
        restore=_RESTORE.format(
            column="assignee_id",
            former="(SELECT u.id FROM app_user u WHERE u.id = f.assignee_id)",
            same=f"t.assignee_id IS NOT DISTINCT FROM {_ID}",
        ),
        personal=False,
    ),
    TAG: Way(
        known=_ROWS.format(differs=f"NOT ({_HELD}) AND NOT ({_FULL})"),
        full=_ROWS.format(differs=f"NOT ({_HELD}) AND {_FULL}"),
        write=_WRITE.format(column="tags", value="ARRAY[%(value)s::text]", update=_WITH),
        restore=_RESTORE.format(column="tags", former=_LESS, same=_HELD),
        personal=False,
    ),
    UNTAG: Way(
        known=_ROWS.format(differs=_HELD),
        write=_WRITE.format(column="tags", value="ARRAY[%(value)s::text]", update=_LESS),
        restore=_RESTORE.format(column="tags", former=_WITH, same=f"NOT ({_HELD})"),
        personal=False,
    ),
}


def normal_tag(given: str) -> str:
    """Return a tag as it is kept: lower case, hyphens for spaces. Raises InputError."""
    tag = _SPACE.sub("-", unicodedata.normalize("NFKC", given).strip().lower())
    tag = _UNFIT.sub("", tag).strip("-")
    if not tag or len(tag) > TAG_LONGEST:
        raise InputError(
            f"a tag has 1 to {TAG_LONGEST} letters, digits, hyphens or . : / + # @ &, "
            "and hyphens for spaces"
        )
    return tag


class Triage:
    """What the team made of each article."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set_state(
        self, who: Principal, ids: Sequence[int], state: TriageState, *, capped: bool = False
    ) -> Change:
        """Return the change that puts articles into a state."""
        return await self._change(who, STATE, ids, state.value, capped=capped)

    async def assign(
        self, who: Principal, ids: Sequence[int], user_id: int | None, *, capped: bool = False
    ) -> Change:
        """Return the change that gives articles to somebody, or to nobody. Raises NotFoundError."""
        if user_id is not None and await self.person(user_id) is None:
            raise NotFoundError("there is no such user, or he may not log in any more")
        value = "" if user_id is None else str(user_id)
        return await self._change(who, ASSIGNEE, ids, value, capped=capped)

    async def tag(
        self, who: Principal, ids: Sequence[int], tag: str, *, capped: bool = False
    ) -> Change:
        """Return the change that tags articles; those with 30 tags are full. Raises InputError."""
        return await self._change(who, TAG, ids, normal_tag(tag), capped=capped)

    async def untag(
        self, who: Principal, ids: Sequence[int], tag: str, *, capped: bool = False
    ) -> Change:
        """Return the change that takes a tag from articles. Raises InputError."""
        return await self._change(who, UNTAG, ids, normal_tag(tag), capped=capped)

    async def _change(
        self, who: Principal, field: str, ids: Sequence[int], value: str, *, capped: bool
    ) -> Change:
        values: dict[str, object] = {"ids": list(ids), "field": field, "value": value}
        async with self._database.transaction() as conn:
            return await change_many(conn, _WAYS[field], who, values, capped=capped)

    async def undo(self, who: Principal, number: int) -> Undone:
        """Return what became of a change of the team. Raises NotFoundError and ConflictError."""
        async with self._database.transaction() as conn:
            await lock(conn, who, personal=False)
            change = await open_change(conn, who, number, fields=tuple(_WAYS))
            return await undo_many(conn, _WAYS[change.field], who, change)

    async def person(self, user_id: int) -> PersonRef | None:
        """Return a user to whom articles may be given."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "SELECT id, login, name FROM app_user WHERE id = %s AND disabled_at IS NULL",
                (user_id,),
            )
            row = await cursor.fetchone()
        return None if row is None else PersonRef(id=row[0], login=row[1], name=row[2])

    async def people(self) -> tuple[PersonRef, ...]:
        """Return those to whom articles may be given, by name."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT id, login, name FROM app_user WHERE disabled_at IS NULL
                AND role <> 'viewer' ORDER BY lower(name), id LIMIT %s
                """,
                (PEOPLE_MOST,),
            )
            return tuple(
                PersonRef(id=row[0], login=row[1], name=row[2]) for row in await cursor.fetchall()
            )

    async def tags(self, beginning: str = "", *, limit: int = 50) -> tuple[Tagged, ...]:
        """Return the tags in use that begin so, the most frequent first."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT g, count(*) FROM (SELECT unnest(tags) AS g FROM article_triage
                    WHERE tags <> '{}' ORDER BY changed_at DESC LIMIT 100000) t
                WHERE starts_with(g, %(beginning)s)
                GROUP BY g ORDER BY count(*) DESC, g LIMIT %(limit)s
                """,
                {"beginning": beginning.lower(), "limit": max(1, min(limit, 200))},
            )
            return tuple(Tagged(tag=row[0], articles=row[1]) for row in await cursor.fetchall())

    async def standings(self, user_id: int | None, ids: Sequence[int]) -> dict[int, ReaderStanding]:
        """Return what articles are to a reader and to the team; without a reader nothing is new."""
        async with self._database.connection() as conn:
            return await standings_of(conn, user_id, ids)


_STANDINGS = """
    SELECT a.id, coalesce(r.read, a.id <= coalesce(m.read_through, 0)), a.id > m.new_after,
        r.starred_at, t.state, u.id, u.login, u.name, t.tags,
        (SELECT count(*) FROM article_note n WHERE n.article_id = a.id),
        (SELECT count(*) FROM article_highlight h WHERE h.article_id = a.id), x.story_id
    FROM unnest(%(ids)s::bigint[]) AS a (id)
    LEFT JOIN reader m ON m.user_id = %(user)s
    LEFT JOIN article_reader r ON r.user_id = %(user)s AND r.article_id = a.id
    LEFT JOIN article_triage t ON t.article_id = a.id
    LEFT JOIN app_user u ON u.id = t.assignee_id
    LEFT JOIN story_article x ON x.article_id = a.id
"""


async def standings_of(
    conn: Conn, user_id: int | None, ids: Sequence[int]
) -> dict[int, ReaderStanding]:
    """Return what articles are to a reader and to the team."""
    if not ids:
        return {}
    cursor = await conn.execute(_STANDINGS, {"ids": list(ids), "user": user_id})
    return {
        row[0]: ReaderStanding(
            read=row[1] or user_id is None,
            new=bool(row[2]),
            starred_at=row[3],
            state=TriageState(row[4] or TriageState.NEW),
            assignee=PersonRef(id=row[5], login=row[6], name=row[7]) if row[5] else None,
            tags=tuple(row[8] or ()),
            notes=row[9],
            highlights=row[10],
            story=row[11],
        )
        for row in await cursor.fetchall()
    }
