"""Leases and due times are reckoned by the database's clock alone, whatever a worker's says."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "ctiscraper"
ROOMS = ("db", "tasks")
# They pass the server's clock on to the stages, whose dates and robots.txt are judged by it.
PROCESS = (SOURCE / "pipeline.py", SOURCE / "bootstrap.py", SOURCE / "collect" / "find.py")

MOMENTS = (
    "lease_until|next_check_at|run_after|work_at|open_until|next_allowed_at|turn_at"
    "|claimed_until|leased_until|held_until|rest_until|changed_at"
)
SET_OR_COMPARED = re.compile(rf"\b(?:\w+\.)?({MOMENTS})\s*(<=|>=|=|<|>)\s*([^\s,()]+)")
# The server's own clock, another such moment, or no moment at all.
OF_THE_SERVER = re.compile(
    rf"now\b|current_date\b|clock_timestamp\b|NULL\b|'-?infinity'|greatest\b|least\b|(?:\w+\.)?(?:{MOMENTS})\b"
)
CHOSEN = re.compile(rf"\b(?:{MOMENTS})\s*=\s*CASE\b(.*?)\bEND\b", re.DOTALL)
WALL_CLOCKS = {"datetime.now", "datetime.today", "datetime.utcnow", "time.time", "time.time_ns"}
# They tell how far the clocks differ, date a line, or how old a file is: no lease hangs on that.
CLOCKS_SHOWN = {
    SOURCE / "tasks" / "diagnosis.py",
    SOURCE / "db" / "operations.py",
    SOURCE / "tasks" / "publish.py",
    SOURCE / "db" / "raw_outbox.py",
    SOURCE / "db" / "raw_s3.py",
}


def statements(module: Path) -> Iterator[str]:
    """Every string of a module that mentions a moment, its placeholders left in."""
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        words = node.value if isinstance(node, ast.Constant) else None
        if (
            isinstance(words, str)
            and re.search(rf"\b(?:{MOMENTS})\b", words)
            and re.search(r"\b(?:SELECT|UPDATE|INSERT|WHERE)\b", words)
        ):
            yield words


def strangers(sql: str) -> list[str]:
    """What moments are set to or compared with that is not the server's clock."""
    chosen = [
        value
        for case in CHOSEN.finditer(sql)
        for value in re.findall(r"\b(?:THEN|ELSE)\s+(\S+)", case[1])
        if not OF_THE_SERVER.match(value)
    ]
    others = SET_OR_COMPARED.finditer(CHOSEN.sub("", sql))
    return chosen + [match[0] for match in others if not OF_THE_SERVER.match(match[3])]


def wall_clocks(source: str) -> list[int]:
    """The lines that read a worker's own calendar."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and f"{node.func.value.id}.{node.func.attr}" in WALL_CLOCKS
    ]


def test_every_moment_of_the_queue_is_the_servers() -> None:
    found = [sql for module in (SOURCE / "db").rglob("*.py") for sql in statements(module)]
    assert len(found) > 20
    assert sum(len(SET_OR_COMPARED.findall(sql)) for sql in found) > 20
    assert [stranger for sql in found for stranger in strangers(sql)] == []


def test_no_worker_reads_its_own_calendar() -> None:
    reads = {
        str(module.relative_to(SOURCE)): lines
        for module in (
            *PROCESS,
            *(file for room in ROOMS for file in (SOURCE / room).rglob("*.py")),
        )
        if module not in CLOCKS_SHOWN and (lines := wall_clocks(module.read_text("utf-8")))
    }
    assert reads == {}


def test_a_workers_clock_would_be_seen() -> None:
    assert strangers("UPDATE fetch_job SET lease_until = %(until)s WHERE id = 1")
    assert strangers("SELECT 1 FROM host WHERE h.lease_until < %s")
    assert strangers("UPDATE host SET work_at = CASE WHEN a THEN now() ELSE %s END")
    assert not strangers("UPDATE host SET work_at = CASE WHEN %s THEN work_at ELSE now() END")
    assert not strangers("UPDATE host SET lease_until = now() + make_interval(secs => %s)")
    assert wall_clocks("import time\nuntil = time.time() + 60") == [2]
    assert not wall_clocks("import time\nstarted = time.monotonic()")
