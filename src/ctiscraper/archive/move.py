"""Moving an installation's database: copied while it is used, compared while nobody writes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ctiscraper.db.contents import analyze
from ctiscraper.db.migrate import upgrade
from ctiscraper.db.move import preflight, source, target
from ctiscraper.db.move.links import Side, open_side
from ctiscraper.db.move.tables import (
    PARTS,
    Brought,
    Table,
    TablePrint,
    copy_all,
    is_empty,
    make_equal,
    read_print,
    read_tables,
)
from ctiscraper.db.roles import renew_rights
from ctiscraper.db.server import ServerFacts, read_server, schema_wanted
from ctiscraper.errors import ArchiveError, Reason, SettingsError, StorageError

Told = Callable[[str], None]

# So few rows left to bring are brought in the stop; when they do not grow fewer, it comes anyway.
FEW = 500
MOST_PASSES = 6
LONGEST_STOP = 300.0
AMBIGUOUS = (
    "the source may be closed already: start the move again, it finishes what was begun; "
    "or 'ctiscraper db move --undo' opens the source"
)
TRUTH = "the source is as it was and goes on, the target is not used"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What is to be moved and how far; `told` hears what it is at."""

    source: str = field(repr=False)
    target: str = field(repr=False)
    told: Told
    copy_only: bool = False
    check_only: bool = False
    longest_stop: float = LONGEST_STOP


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What a move did: `stop_seconds` is how long writers were held, None when they were not."""

    notes: tuple[str, ...]
    copied: int = 0
    passes: tuple[int, ...] = ()
    stop_seconds: float | None = None
    tables: Mapping[str, TablePrint] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows both sides have."""
        return sum(one.rows for one in self.tables.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    source: Side
    target: Side
    tables: Mapping[str, Table]
    told: Told


async def move(wanted: Move) -> Moved:
    """Return what was moved; unless it returns, the source is the truth.

    Raises SettingsError, ConflictError, StorageError, and ArchiveError for a difference.
    """
    facts = await read_server(wanted.source), await _read_target(wanted.target)
    async with open_side(wanted.source) as old, open_side(wanted.target) as new:
        found = await preflight.look(old, new, facts)
        if found.problems:
            raise SettingsError("; ".join(found.problems))
        for note in found.notes:
            wanted.told(note)
        if wanted.check_only:
            return Moved(notes=tuple(found.notes))
        work = await _begin(old, new, wanted.told)
        copied = await _first_copy(work)
        passes = await _follow(work)
        if wanted.copy_only:
            return Moved(notes=tuple(found.notes), copied=copied, passes=passes)
        prints, seconds = await _stop(work, wanted.longest_stop)
    return Moved(
        notes=tuple(found.notes),
        copied=copied,
        passes=passes,
        stop_seconds=seconds,
        tables=prints,
    )


async def _read_target(conninfo: str) -> ServerFacts:
    """Return what the new server is. Raises as `read_server`, in the words of a move."""
    ours = "the connection string of the target"
    try:
        return await read_server(conninfo)
    except SettingsError as error:
        raise SettingsError(str(error).replace("DATABASE_URL", ours)) from error
    except StorageError as error:
        raise StorageError(error.reason, error.detail.replace("DATABASE_URL", ours)) from error


async def undo(conninfo: str) -> bool:
    """Return whether a database had been closed by a move; it can be written again.

    Raises ConflictError and StorageError.
    """
    async with open_side(conninfo) as side:
        was = await source.is_closed(side.link)
        await source.reopen(side.link)
    return was


async def _begin(old: Side, new: Side, told: Told) -> _Work:
    """Make the schema, or find the one of a move that was cut off."""
    again = await target.is_marked(new.link)
    await target.mark(new.link)
    made = await target.has_whole_schema(new.link)
    if again:
        told("going on with the move that was begun here")
    if not made:
        await asyncio.to_thread(upgrade, new.conninfo)
    tables = await read_tables(old.link)
    wrong = preflight.unlike(tables, await read_tables(new.link))
    if wrong:
        raise SettingsError(f"the two schemas are not the same: {'; '.join(wrong)}")
    # Indexes are put aside once: later, few rows change.
    await target.clear_way(new.link, ("key", "trigger", *(() if made else ("index",))))
    kept = {name: table for name, table in tables.items() if name != target.VERSIONS}
    return _Work(source=old, target=new, tables=kept, told=told)


async def _first_copy(work: _Work) -> int:
    """Return how many rows were brought into tables that had none yet."""
    copied = 0
    began = time.monotonic()
    async with _one_moment(work.source):
        for table in work.tables.values():
            if await is_empty(work.target.link, table):
                copied += await copy_all(work.source.link, work.target.link, table)
    if await target.put_back(work.target.link, "index"):
        await analyze(work.target.conninfo)
    await asyncio.to_thread(renew_rights, work.target.conninfo)
    work.told(f"copied {copied:,} rows in {time.monotonic() - began:.1f} s, collection goes on")
    return copied


async def _follow(work: _Work) -> tuple[int, ...]:
    """Bring what changed meanwhile until little is left; return how many rows each time."""
    passes: list[int] = []
    while len(passes) < MOST_PASSES:
        began = time.monotonic()
        async with _one_moment(work.source):
            brought = await _make_equal(work)
        changed = sum(one.rows for one in brought.values())
        work.told(f"{changed:,} rows had changed, in {time.monotonic() - began:.1f} s")
        passes.append(changed)
        if changed <= FEW or (len(passes) > 1 and changed >= passes[-2]):
            break
    return tuple(passes)


async def _make_equal(work: _Work) -> dict[str, Brought]:
    return {
        name: await make_equal(work.source.link, work.target.link, table)
        for name, table in work.tables.items()
    }


async def _stop(work: _Work, longest: float) -> tuple[dict[str, TablePrint], float]:
    """Hold the writers, bring the rest, compare, close the source and open the target."""
    names = [*work.tables, target.VERSIONS]
    closed = False
    try:
        async with (
            asyncio.timeout(longest) as limit,
            source.writers_held(work.source.guard, names, work.told) as since,
        ):
            work.told("writers are held")
            prints = await _bring_rest(work)
            words = (
                f"this database was moved to {work.target.place}: name that one in DATABASE_URL, "
                "or run 'ctiscraper db move --undo' to go on with this one"
            )
            # From here on the outcome is the server's: no timeout may leave it unknown.
            limit.reschedule(None)
            closed = True
            await source.close(work.source.guard, names, words)
        await target.finish(work.target.link, schema_wanted())
    except TimeoutError as error:
        raise StorageError(
            Reason.DATABASE,
            f"the stop took longer than {longest:.0f} s and was given up: {TRUTH}; start again "
            "when less is written, or allow more (--longest-stop)",
        ) from error
    except BaseException:
        work.told(AMBIGUOUS if closed else TRUTH)
        raise
    return prints, time.monotonic() - since


async def _bring_rest(work: _Work) -> dict[str, TablePrint]:
    """Return what both sides hold, once they are equal. Raises ArchiveError."""
    async with _one_moment(work.source):
        brought = await _make_equal(work)
        sequences = await target.read_sequences(work.source.link)
    work.told(f"{sum(one.rows for one in brought.values()):,} rows were left to bring")
    for kind in ("key", "trigger"):
        await target.put_back(work.target.link, kind)
    await target.set_sequences(work.target.link, sequences)
    await asyncio.to_thread(renew_rights, work.target.conninfo)
    wrong = await differences(work.target, work.tables, brought)
    if await target.read_sequences(work.target.link) != sequences:
        wrong.append("the sequences do not stand where they should")
    if wrong:
        raise ArchiveError(
            f"{work.target.place} is not equal to {work.source.place}: {'; '.join(wrong)}; {TRUTH}"
        )
    return {name: one.wanted for name, one in brought.items()}


async def differences(
    side: Side, tables: Mapping[str, Table], brought: Mapping[str, Brought]
) -> list[str]:
    """Return in which tables what was brought last did not become what it should.

    All else was found equal by reading both sides, while nobody could write.
    """
    wrong = []
    for name, one in brought.items():
        if not one.parts:
            continue
        found = await read_print(side.link, tables[name], one.parts)
        parts = one.wanted.differing(found, one.parts)
        if parts:
            here = sum(one.wanted.parts.get(part, (0, ""))[0] for part in parts)
            there = sum(found.parts.get(part, (0, ""))[0] for part in parts)
            wrong.append(
                f"{name} differs in {len(parts)} of {PARTS} parts, which have {there} rows "
                f"in the target and {here} in the source"
            )
    return wrong


@asynccontextmanager
async def _one_moment(side: Side) -> AsyncIterator[None]:
    """Let all that is read be of one moment, whatever is written meanwhile."""
    async with side.link.transaction():
        await side.link.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield
