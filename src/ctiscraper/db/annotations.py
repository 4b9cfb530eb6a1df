"""What people write beside articles, and the words that they mark in them."""

from psycopg.rows import TupleRow

from ctiscraper.db.session import Conn, Database
from ctiscraper.errors import ConflictError, InputError, NotFoundError
from ctiscraper.identity import Principal
from ctiscraper.triage_views import Highlight, Note

NOTES_MOST = 200
"""How many notes an article has at most."""
NOTE_LONGEST = 20_000
HIGHLIGHTS_MOST = 500
"""How many highlights an article has at most."""
QUOTE_LONGEST = 4_000
AROUND = 64
"""How many characters before and behind highlighted words are kept, to find them again."""

_NOTE = "id, article_id, author, body, version, made_at, edited_at, edited_by"
_HIGHLIGHT = "id, article_id, author, revision, start_at, quote, before, after, made_at"


class Notes:
    """The notes of this installation; everybody who may annotate may mend any of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_article(self, article_id: int) -> tuple[Note, ...]:
        """Return the notes on an article, the oldest first."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                f"SELECT {_NOTE} FROM article_note WHERE article_id = %s ORDER BY id",  # noqa: S608 - a constant
                (article_id,),
            )
            return tuple(_to_note(row) for row in await cursor.fetchall())

    async def add(self, who: Principal, article_id: int, body: str) -> Note:
        """Return a new note. Raises NotFoundError, InputError and ConflictError."""
        async with self._database.transaction() as conn:
            await _lock_article(conn, article_id)
            if await _count(conn, "article_note", article_id) >= NOTES_MOST:
                raise ConflictError(
                    f"an article has at most {NOTES_MOST} notes: mend or remove one"
                )
            cursor = await conn.execute(
                f"""
                INSERT INTO article_note (article_id, user_id, author, body)
                VALUES (%s, %s, %s, %s) RETURNING {_NOTE}
                """,  # noqa: S608 - a constant
                (article_id, who.user_id, who.signature, _body(body)),
            )
            return _to_note(await cursor.fetchone())

    async def edit(self, who: Principal, number: int, body: str, *, version: int) -> Note:
        """Return a note with other words, if it is still the version that was read.

        Raises NotFoundError, InputError, and ConflictError when somebody was quicker.
        """
        async with self._database.transaction() as conn:
            note = await _locked(conn, number)
            _check_version(note, version)
            cursor = await conn.execute(
                f"""
                UPDATE article_note SET body = %(body)s, version = version + 1,
                    edited_at = now(), edited_by = %(name)s
                WHERE id = %(id)s RETURNING {_NOTE}
                """,  # noqa: S608 - a constant
                {"id": number, "body": _body(body), "name": who.signature},
            )
            return _to_note(await cursor.fetchone())

    async def remove(self, number: int, *, version: int | None = None) -> Note:
        """Return a note that is no more. Raises as `edit`; without a version any is removed."""
        async with self._database.transaction() as conn:
            note = await _locked(conn, number)
            if version is not None:
                _check_version(note, version)
            await conn.execute("DELETE FROM article_note WHERE id = %s", (number,))
        return note

    async def get(self, number: int) -> Note:
        """Return one note. Raises NotFoundError."""
        async with self._database.transaction() as conn:
            return await _locked(conn, number)


class Highlights:
    """The words that people marked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_article(self, article_id: int) -> tuple[Highlight, ...]:
        """Return the highlights of an article, in their order in its text."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                f"""
                SELECT {_HIGHLIGHT} FROM article_highlight
                WHERE article_id = %s ORDER BY start_at, id
                """,  # noqa: S608 - a constant
                (article_id,),
            )
            return tuple(_to_highlight(row) for row in await cursor.fetchall())

    async def add(
        self, who: Principal, article_id: int, start: int, end: int, *, revision: int
    ) -> Highlight:
        """Return the highlight of the words at a place of an article's present text.

        Raises NotFoundError, InputError for a place without words, and ConflictError when the
        text is another than that revision's, or there are too many.
        """
        async with self._database.transaction() as conn:
            text, present = await _lock_article(conn, article_id)
            if revision != present:
                raise ConflictError(
                    "the article was revised while you read: load it again, and mark the words then"
                )
            start, end = _trimmed(text, start, end)
            if await _count(conn, "article_highlight", article_id) >= HIGHLIGHTS_MOST:
                raise ConflictError(f"an article has at most {HIGHLIGHTS_MOST} highlights")
            cursor = await conn.execute(
                f"""
                INSERT INTO article_highlight
                    (article_id, user_id, author, revision, start_at, quote, before, after)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING {_HIGHLIGHT}
                """,  # noqa: S608 - a constant
                (
                    article_id, who.user_id, who.signature, present, start, text[start:end],
                    text[max(0, start - AROUND) : start], text[end : end + AROUND],
                ),
            )  # fmt: skip
            return _to_highlight(await cursor.fetchone())

    async def remove(self, number: int) -> Highlight:
        """Return a highlight that is no more. Raises NotFoundError."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                f"DELETE FROM article_highlight WHERE id = %s RETURNING {_HIGHLIGHT}",  # noqa: S608 - a constant
                (number,),
            )
            row = await cursor.fetchone()
        if row is None:
            raise NotFoundError(f"there is no highlight number {number}")
        return _to_highlight(row)


async def _lock_article(conn: Conn, article_id: int) -> tuple[str, int]:
    """Return the text of an article and its revision, which stay until the end."""
    cursor = await conn.execute(
        "SELECT text, revision FROM article WHERE id = %s FOR NO KEY UPDATE", (article_id,)
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFoundError(f"there is no article number {article_id}")
    return row[0], row[1]


async def _count(conn: Conn, table: str, article_id: int) -> int:
    cursor = await conn.execute(
        f"SELECT count(*) FROM {table} WHERE article_id = %s",  # noqa: S608 - a table of this module
        (article_id,),
    )
    row = await cursor.fetchone()
    assert row is not None, "a count is one row"
    return int(row[0])


async def _locked(conn: Conn, number: int) -> Note:
    cursor = await conn.execute(
        f"SELECT {_NOTE} FROM article_note WHERE id = %s FOR UPDATE",  # noqa: S608 - a constant
        (number,),
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFoundError(f"there is no note number {number}, or it was removed")
    return _to_note(row)


def _check_version(note: Note, version: int) -> None:
    if note.version != version:
        raise ConflictError(
            f"{note.edited_by or note.author} has changed this note since you read it: "
            "look at it as it is now, and put your words in again"
        )


def _body(given: str) -> str:
    """Return the words of a note as they are kept. Raises InputError."""
    body = "\n".join(line.rstrip() for line in given.replace("\0", "").splitlines()).strip()
    if not body or len(body) > NOTE_LONGEST:
        raise InputError(f"a note has 1 to {NOTE_LONGEST:,} characters")
    return body


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a place without the spaces at its ends. Raises InputError."""
    words = text[start:end]
    start += len(words) - len(words.lstrip())
    end = start + len(words.strip())
    if not words.strip() or len(text) < end or end - start > QUOTE_LONGEST:
        raise InputError(f"mark 1 to {QUOTE_LONGEST:,} characters of the text")
    return start, end


def _to_note(row: TupleRow | None) -> Note:
    assert row is not None, "what was written is returned"
    number, article, author, body, version, made, edited, by = row
    return Note(
        id=number, article_id=article, author=author, body=body, version=version,
        made_at=made, edited_at=edited, edited_by=by,
    )  # fmt: skip


def _to_highlight(row: TupleRow | None) -> Highlight:
    assert row is not None, "what was written is returned"
    number, article, author, revision, start, quote, before, after, made = row
    return Highlight(
        id=number, article_id=article, author=author, revision=revision, start=start, quote=quote,
        before=before, after=after, made_at=made,
    )  # fmt: skip
