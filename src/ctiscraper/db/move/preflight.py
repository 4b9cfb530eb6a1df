"""What is asked of both databases before a move changes anything."""

from dataclasses import dataclass, field

from ctiscraper.db.move.links import Link, Side
from ctiscraper.db.move.source import is_closed
from ctiscraper.db.move.tables import Table
from ctiscraper.db.move.target import MARK, VERSIONS, held_relations, is_marked
from ctiscraper.db.server import ServerFacts, schema_wanted

_NOT_OURS = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')
    AND NOT pg_has_role(c.relowner, 'USAGE') ORDER BY 1 LIMIT 5
"""
_RIGHTS = """
SELECT current_schema(), coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
    pg_encoding_to_char(encoding), current_user
FROM pg_database WHERE datname = current_database()
"""


@dataclass(slots=True)
class Findings:
    """What keeps a move from beginning, and what its operator should know."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


async def look(source: Side, target: Side, facts: tuple[ServerFacts, ServerFacts]) -> Findings:
    """Return all that was found, on both sides."""
    found = Findings()
    old, new = facts
    found.notes.append(
        f"from PostgreSQL {old.version} at {source.place} "
        f"into PostgreSQL {new.version} at {target.place}"
    )
    await _source(source, old, found)
    if await is_closed(source.link) and not await is_marked(target.link):
        # What was moved has a successor, which may be in use: a second one would be of the past.
        found.problems.append(
            f"{source.place} was moved already: 'ctiscraper db move --undo' lets it be used again"
        )
    await _target(target, found)
    missing = sorted({*old.extensions} - {*new.extensions} - await _available(target.link))
    if missing:
        found.notes.append(
            f"the target does not offer {', '.join(missing)}; the program needs none of them"
        )
    roles = await _missing_roles(source.link, target.link)
    if roles:
        found.notes.append(
            f"the target has no role {', '.join(roles)}: make it before the move, "
            "or with 'ctiscraper db roles' after it"
        )
    return found


def unlike(source: dict[str, Table], target: dict[str, Table]) -> list[str]:
    """Return in which tables two schemas differ."""
    ours = {name: table for name, table in target.items() if name != MARK}
    wrong = [f"only the source has the table {name}" for name in sorted(source.keys() - ours)]
    wrong += [f"only the target has the table {name}" for name in sorted(ours.keys() - source)]
    for name in sorted(source.keys() & ours.keys()):
        if source[name] != ours[name]:
            wrong.append(f"the columns of {name} are not the same in both")
        elif not source[name].key and name != VERSIONS:
            wrong.append(f"{name} has no primary key")
    return wrong


async def _source(source: Side, facts: ServerFacts, found: Findings) -> None:
    if facts.revision != schema_wanted():
        found.problems.append(
            f"the schema of {source.place} is {facts.revision or 'empty'}, this program needs "
            f"{schema_wanted()}: bring both to one version first ('ctiscraper migrate')"
        )
    strange = [str(row[0]) for row in await (await source.link.execute(_NOT_OURS)).fetchall()]
    if strange:
        found.problems.append(
            f"the user of {source.place} does not own {', '.join(strange)}: name the owner of the "
            "schema in DATABASE_URL"
        )
    row = await (
        await source.link.execute("SELECT pg_size_pretty(pg_database_size(current_database()))")
    ).fetchone()
    assert row is not None, "a query without FROM has one row"
    found.notes.append(
        f"the source has {row[0]}: the target needs as much, and half as much again for its log; "
        "how much is free there only its host can tell (FreeStorageSpace on AWS)"
    )


async def _target(target: Side, found: Findings) -> None:
    held = await held_relations(target.link)
    if held:
        found.problems.append(
            f"{target.place} is not empty, it holds {', '.join(held)}: name an empty database"
        )
    row = await (await target.link.execute(_RIGHTS)).fetchone()
    assert row is not None, "the database we are connected to is there"
    schema, creates, encoding, user = row
    if schema is None or not creates:
        found.problems.append(
            f"{user} may not make tables in {target.place}: GRANT CREATE, USAGE ON SCHEMA public "
            f"TO {user}, or name the owner of the database"
        )
    if encoding != "UTF8":
        found.problems.append(
            f"{target.place} is in {encoding}: make it with ENCODING 'UTF8' TEMPLATE template0"
        )


async def _available(link: Link) -> set[str]:
    cursor = await link.execute("SELECT name::text FROM pg_available_extensions")
    return {str(row[0]) for row in await cursor.fetchall()}


async def _missing_roles(source: Link, target: Link) -> list[str]:
    there = await (
        await source.execute("SELECT to_regclass('database_role') IS NOT NULL")
    ).fetchone()
    if there != (True,):
        return []
    cursor = await source.execute("SELECT name::text FROM database_role ORDER BY 1")
    wanted = [str(row[0]) for row in await cursor.fetchall()]
    cursor = await target.execute("SELECT rolname::text FROM pg_roles")
    known = {str(row[0]) for row in await cursor.fetchall()}
    return [name for name in wanted if name not in known]
