"""Writes that are made once: an answer is kept by its key, and given again to the same request."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import msgspec

from ctiscraper.db.session import Database

# Whoever writes renews the claim; one that nobody renewed for so long was left by a process that
# ended in the middle of it.
CLAIM_SECONDS = 60.0
KEPT = "24 hours"
# The status of a write that ended without an answer: nobody can say whether it took effect.
_UNKNOWN = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer as it was given."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is known of a key.

    `claim` is set when the write is the caller's to make, `answer` when it was made; with
    neither another is making it, or `lost` it. `same` is False when the key came with another
    request.
    """

    same: bool
    lost: bool = False
    claim: UUID | None = None
    answer: Answered | None = None


class Once:
    """The keys of a day and their answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, key: str, request: bytes) -> Held:
        """Return what is known of a key that came with a request of this hash.

        A claim never changes hands: whoever lost it may have made the write all the same.
        """
        async with self._database.transaction() as conn:
            await conn.execute(
                f"DELETE FROM written_once WHERE claimed_at < now() - interval '{KEPT}'"  # noqa: S608 - a constant
            )
            cursor = await conn.execute(
                """
                INSERT INTO written_once (key, request, claim)
                VALUES (%(key)s, %(request)s, gen_random_uuid())
                ON CONFLICT (key) DO NOTHING RETURNING claim
                """,
                {"key": key, "request": request},
            )
            mine = await cursor.fetchone()
            if mine is not None:
                return Held(same=True, claim=mine[0])
            cursor = await conn.execute(
                """
                SELECT request, status, headers::text, body,
                    claimed_at < now() - make_interval(secs => %s)
                FROM written_once WHERE key = %s
                """,
                (CLAIM_SECONDS, key),
            )
            row = await cursor.fetchone()
        if row is None or bytes(row[0]) != request:
            return Held(same=row is None)
        if row[1] is None or row[1] == _UNKNOWN:
            return Held(same=True, lost=row[4] or row[1] == _UNKNOWN)
        headers = msgspec.json.decode(row[2], type=dict[str, str])
        return Held(same=True, answer=Answered(status=row[1], headers=headers, body=bytes(row[3])))

    async def renew(self, key: str, claim: UUID) -> None:
        """Say that a write is still being made."""
        async with self._database.connection() as conn:
            await conn.execute(
                "UPDATE written_once SET claimed_at = now() WHERE key = %s AND claim = %s",
                (key, claim),
            )

    async def lose(self, key: str, claim: UUID) -> None:
        """Note that a write ended and nobody can say whether it took effect."""
        async with self._database.connection() as conn:
            await conn.execute(
                """
                UPDATE written_once SET status = %s
                WHERE key = %s AND claim = %s AND status IS NULL
                """,
                (_UNKNOWN, key, claim),
            )

    async def keep(self, key: str, claim: UUID, answer: Answered) -> None:
        """Keep the answer of a write that was made."""
        async with self._database.connection() as conn:
            await conn.execute(
                """
                UPDATE written_once SET status = %s, headers = %s::jsonb, body = %s
                WHERE key = %s AND claim = %s
                """,
                (
                    answer.status,
                    msgspec.json.encode(answer.headers).decode(),
                    answer.body,
                    key,
                    claim,
                ),
            )

    async def release(self, key: str, claim: UUID) -> None:
        """Let a write be tried again that was refused."""
        async with self._database.connection() as conn:
            await conn.execute(
                "DELETE FROM written_once WHERE key = %s AND claim = %s AND status IS NULL",
                (key, claim),
            )
