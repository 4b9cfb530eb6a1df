"""The data packs of an installation: every process uses those that are active here."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import msgspec
from psycopg.rows import TupleRow

from ctiscraper.db.cve_rows import FACTS, fill, to_facts
from ctiscraper.db.session import Conn, Database
from ctiscraper.errors import ConflictError, NotFoundError
from ctiscraper.packs.cve import CveFacts, CvePack
from ctiscraper.packs.info import PackInfo
from ctiscraper.packs.pack import Pack
from ctiscraper.packs.registry import KNOWN, KnownPack, is_newer_build, read_known

# Beside the one in use.
KEPT = 2
# One at a time installs, one at a time builds defaults.
_INSTALL_KEY, _BUILD_KEY = 0x7061636B, 0x70616362
_INSTALL_TIMEOUT = "10min"
# Longer than it takes to find the texts of one change; who was killed meanwhile is followed then.
_CHANGE_HELD = "15 minutes"

_COLUMNS = """
    name, version, source, licence, notice, sha256, records, build, active, installed_at,
    octet_length(body)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPack:
    """A pack as it is kept; `build` is what a default was made of, None when it was brought."""

    info: PackInfo
    sha256: bytes
    records: int
    build: str | None
    active: bool
    installed_at: datetime
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What an installation did: `old` was in use before, `changed` is False when it still is."""

    new: StoredPack
    old: StoredPack | None
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DueChange:
    """A pack by the checksums of before and now, for which texts are to be queued again."""

    name: str
    old: bytes
    new: bytes


class Packs:
    """The packs in PostgreSQL, in the versions that are kept.

    With `again` whatever is installed has the texts that it touches looked through again, as
    newer defaults have in any case.
    """

    def __init__(
        self, database: Database, known: Mapping[str, KnownPack] = KNOWN, *, again: bool = False
    ) -> None:
        self._database = database
        self._again = again
        self.known = known

    async def active(self) -> dict[str, StoredPack]:
        """Return the packs in use by their names."""
        return {pack.info.name: pack for pack in await self.all() if pack.active}

    async def all(self) -> list[StoredPack]:
        """Return all packs that are kept, those of a name together, the one in use first."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                f"SELECT {_COLUMNS} FROM pack ORDER BY name, active DESC, installed_at DESC"  # noqa: S608 - a constant
            )
            return [_to_pack(row) for row in await cursor.fetchall()]

    async def body(self, name: str, sha256: bytes | None = None) -> bytes:
        """Return the bytes of the pack in use, or of the one with this checksum.

        Raises NotFoundError.
        """
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT body FROM pack
                WHERE name = %(name)s AND CASE WHEN %(sha256)s::bytea IS NULL THEN active
                    ELSE sha256 = %(sha256)s END
                """,
                {"name": name, "sha256": sha256},
                binary=True,
            )
            row = await cursor.fetchone()
        if row is None:
            raise NotFoundError(
                f"no data pack {name!r} is installed: see 'ctiscraper data list', "
                "and get it with 'ctiscraper data update'"
            )
        return bytes(row[0])

    async def install(
        self,
        data: bytes,
        *,
        build: str | None = None,
        force: bool = False,
        instead_of: bytes | None = None,
    ) -> Installed:
        """Make a pack the one in use, verified first and written whole or not at all.

        With `build`, that of a default, a pack stays that an operator brought or that is made of
        something as new, unless `force` says otherwise. With `instead_of`, the checksum of the one
        that it was made from, it takes the place of no other. Raises PackError and ConflictError.
        """
        pack, records = await asyncio.to_thread(read_known, data, self.known)
        async with self._database.transaction() as conn:
            await _take_turn(conn)
            old = await _active(conn, pack.info.name)
            if instead_of is not None and (old is None or old.sha256 != instead_of):
                raise ConflictError(
                    f"another version of the data pack {pack.info.name} came into use meanwhile: "
                    "try again"
                )
            if old is not None and not _replaces(pack, None if force else build, old):
                if force and old.build != build:
                    old = await _keep(conn, pack, build)
                return Installed(new=old, old=old, changed=False)
            await conn.execute("UPDATE pack SET active = false WHERE name = %s", (pack.info.name,))
            new = await _keep(conn, pack, build)
            if old is not None:
                again = self._again or (build is not None and not force)
                await _note_change(conn, old, new, again=again)
            await _forget(conn, pack.info.name)
            if isinstance(records, CvePack):
                await fill(conn, records)
        return Installed(new=new, old=old, changed=True)

    async def use(self, name: str, version: str) -> Installed:
        """Go back, or forth, to a version that is kept, or to the start of a checksum.

        Raises NotFoundError.
        """
        found = [
            pack
            for pack in await self.all()
            if pack.info.name == name
            and (
                pack.info.version == version
                or (len(version) >= 8 and pack.sha256.hex().startswith(version.lower()))  # noqa: PLR2004 - shorter ones may be of several
            )
        ]
        if not found:
            raise NotFoundError(
                f"no version {version!r} of the data pack {name!r} is kept: see 'ctiscraper data "
                "list --all'"
            )
        wanted = found[0]
        data = await self.body(name, wanted.sha256)
        # As somebody's choice it stays when a program with a newer default starts.
        return await self.install(data)

    async def take_change(self, *, older_than: float) -> DueChange | None:
        """Return a change that is so many seconds old, for whoever asks alone for some minutes."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                f"""
                UPDATE pack_change SET held_until = now() + interval '{_CHANGE_HELD}'
                WHERE name = (SELECT name FROM pack_change
                    WHERE changed_at <= now() - make_interval(secs => %s)
                        AND (held_until IS NULL OR held_until < now())
                    ORDER BY changed_at LIMIT 1 FOR UPDATE SKIP LOCKED)
                RETURNING name, old_sha256, new_sha256
                """,  # noqa: S608 - a constant
                (older_than,),
            )
            row = await cursor.fetchone()
        return None if row is None else DueChange(name=row[0], old=row[1], new=row[2])

    async def end_change(self, change: DueChange) -> None:
        """Forget a change whose texts are queued, unless another came meanwhile."""
        async with self._database.connection() as conn:
            await conn.execute(
                """
                DELETE FROM pack_change
                WHERE name = %s AND new_sha256 = %s AND held_until IS NOT NULL
                """,
                (change.name, change.new),
            )

    async def cve(self, ids: Sequence[str]) -> dict[str, CveFacts]:
        """Return what is known of vulnerabilities, by their CVE in capitals."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(FACTS, ([cve.upper() for cve in ids],))
            return {facts.id: facts for facts in map(to_facts, await cursor.fetchall())}

    async def missing_defaults(self) -> list[KnownPack]:
        """Return the packs of which there is none, or a default of something older."""
        active = await self.active()
        return [known for known in self.known.values() if _lacks(known, active.get(known.name))]

    @asynccontextmanager
    async def build_turn(self) -> AsyncIterator[bool]:
        """Yield whether it is ours to build defaults; one process at a time does.

        The turn is held by a connection of its own: it ends with this process however that ends,
        and the pool's stay free while defaults are built.
        """
        async with self._database.apart() as conn:
            cursor = await conn.execute("SELECT pg_try_advisory_lock(%s)", (_BUILD_KEY,))
            row = await cursor.fetchone()
            yield row is not None and bool(row[0])


def _lacks(known: KnownPack, active: StoredPack | None) -> bool:
    """Return whether a default is to be built."""
    if active is None:
        return True
    return active.build is not None and is_newer_build(known.build(), active.build)


def _replaces(pack: Pack, build: str | None, old: StoredPack) -> bool:
    """Return whether a pack takes the place of the one in use."""
    if build is None:
        return pack.sha256 != old.sha256
    return old.build is not None and is_newer_build(build, old.build)


async def _take_turn(conn: Conn) -> None:
    """Wait until nobody else installs."""
    await conn.execute(f"SET LOCAL statement_timeout = '{_INSTALL_TIMEOUT}'")
    await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_INSTALL_KEY,))


async def _active(conn: Conn, name: str) -> StoredPack | None:
    cursor = await conn.execute(
        f"SELECT {_COLUMNS} FROM pack WHERE name = %s AND active",  # noqa: S608 - a constant
        (name,),
    )
    row = await cursor.fetchone()
    return None if row is None else _to_pack(row)


async def _keep(conn: Conn, pack: Pack, build: str | None) -> StoredPack:
    """Write a pack as the one in use."""
    cursor = await conn.execute(
        f"""
        INSERT INTO pack (name, version, source, licence, notice, sha256, records, build, active,
            body)
        VALUES (%(name)s, %(version)s, %(source)s, %(licence)s, %(notice)s, %(sha256)s,
            %(records)s, %(build)s, true, %(body)s)
        ON CONFLICT (name, sha256) DO UPDATE
        SET active = true, build = excluded.build, installed_at = now()
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - a constant
        {
            **msgspec.structs.asdict(pack.info),
            "sha256": pack.sha256,
            "records": pack.header.records,
            "build": build,
            "body": pack.data,
        },
    )
    row = await cursor.fetchone()
    assert row is not None, "what was written comes back"
    return _to_pack(row)


async def _note_change(conn: Conn, old: StoredPack, new: StoredPack, *, again: bool) -> None:
    """Keep that texts are to be looked through `again`; what is to be done already is so anew."""
    if not again:
        await conn.execute(
            """
            UPDATE pack_change SET new_sha256 = %s, changed_at = now(), held_until = NULL
            WHERE name = %s
            """,
            (new.sha256, new.info.name),
        )
        return
    await conn.execute(
        """
        INSERT INTO pack_change (name, old_sha256, new_sha256) VALUES (%s, %s, %s)
        ON CONFLICT (name) DO UPDATE
        SET new_sha256 = excluded.new_sha256, changed_at = now(), held_until = NULL
        """,
        (new.info.name, old.sha256, new.sha256),
    )


async def _forget(conn: Conn, name: str) -> None:
    """Delete the versions that are too many."""
    await conn.execute(
        """
        DELETE FROM pack WHERE name = %(name)s AND sha256 IN (
            SELECT sha256 FROM pack WHERE name = %(name)s AND NOT active
            ORDER BY installed_at DESC, sha256 OFFSET %(kept)s
        )
        """,
        {"name": name, "kept": KEPT},
    )


def _to_pack(row: TupleRow) -> StoredPack:
    name, version, source, licence, notice, sha256, *rest = row
    records, build, active, installed_at, size = rest
    return StoredPack(
        info=PackInfo(name=name, version=version, source=source, licence=licence, notice=notice),
        sha256=bytes(sha256),
        records=records,
        build=build,
        active=active,
        installed_at=installed_at,
        size=size,
    )
