"""Writes that are made once: an answer is kept by its key, and given again to the same request."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import msgspec

from ctiscraper.db.session import Database

# A process that ended in the middle of a write leaves its claim; after that it is void.
CLAIM_SECONDS = 60.0
KEPT = "24 hours"


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
    neither another is making it. `same` is False when the key came with another request.
    """

    same: bool
    claim: UUID | None = None
    answer: Answered | None = None


class Once:
    """The keys of a day and their answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, key: str, request: bytes) -> Held:
        """Return what is known of a key that came with a request of this hash."""
        async with self._database.transaction() as conn:
            await conn.execute(
                f"DELETE FROM written_once WHERE claimed_at < now() - interval '{KEPT}'"  # noqa: S608 - a constant
            )
            cursor = await conn.execute(
                """
                INSERT INTO written_once AS w (key, request, claim)
                VALUES (%(key)s, %(request)s, gen_random_uuid())
                ON CONFLICT (key) DO UPDATE SET claim = excluded.claim, claimed_at = now()
                WHERE w.status IS NULL AND w.request = excluded.request
                    AND w.claimed_at < now() - make_interval(secs => %(seconds)s)
                RETURNING claim
                """,
                {"key": key, "request": request, "seconds": CLAIM_SECONDS},
            )
            mine = await cursor.fetchone()
            if mine is not None:
                return Held(same=True, claim=mine[0])
            cursor = await conn.execute(
                "SELECT request, status, headers::text, body FROM written_once WHERE key = %s",
                (key,),
            )
            row = await cursor.fetchone()
        if row is None or bytes(row[0]) != request:
            return Held(same=row is None)
        if row[1] is None:
            return Held(same=True)
        headers = msgspec.json.decode(row[2], type=dict[str, str])
        return Held(same=True, answer=Answered(status=row[1], headers=headers, body=bytes(row[3])))

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
        """Let a write be tried again that was refused or failed."""
        async with self._database.connection() as conn:
            await conn.execute(
                "DELETE FROM written_once WHERE key = %s AND claim = %s AND status IS NULL",
                (key, claim),
            )
