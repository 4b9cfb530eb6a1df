"""The plan, line by line: what was measured here, on pages that state it."""

import re

from model import ROOT, load, text
from planned import line

PROD = load("prod")
DRILLS, LOAD = "docs/explanation/drills.md", "docs/explanation/load.md"
# Of noticing, and of services that start: the rest of the time is the restore's.
AROUND_A_RESTORE = 15
PLANNED_HOURS = 8


def rows(page: str, first: str) -> list[list[str]]:
    """Return the rows of a page that begin with these words, cell by cell."""
    found = re.findall(rf"^\| {re.escape(first)}.*\|$", text(page), re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in found]


@line("Recovery Procedures", "RTO: 4-8 hours for full recovery", at=DRILLS)
def test_a_recovery_takes_less_than_an_hour_by_the_drills() -> None:
    storage = PROD["data.Database"]["AllocatedStorage"]
    ((_, rate, minutes, _),) = rows(DRILLS, "Recovery from base backup and logs")
    per_second = int(rate.removesuffix(" MB/s"))
    needed = int(storage) * 1000 / per_second / 60
    assert round(needed) == int(minutes.removesuffix(" min"))
    assert needed + AROUND_A_RESTORE < 60 < PLANNED_HOURS * 60
    assert f"{storage} GB" in text(DRILLS)
    assert "RTO: an hour" in text(DRILLS)


@line("Next Steps", "Performance Testing: Load testing and optimization", at=LOAD)
def test_what_tasks_carry_was_measured_under_load() -> None:
    for name, first in (("web", "Web"), ("worker", "Worker")):
        task = PROD[f"app.{name.title()}Task"]
        size = f"{int(task['Cpu']) // 1024} vCPU, {int(task['Memory']) // 1024} GB"
        assert [row[1] for row in rows(LOAD, first) if "vCPU" in row[1]] == [size]
    (command,) = re.findall(r"\.venv/bin/python (\S+)", text(LOAD))
    assert (ROOT / command).is_file()
    assert "10,000 sources" in text(LOAD)
    ((_, twenty, _),) = rows(LOAD, "Exit code")
    assert twenty == "0"


@line(
    "Performance Optimization",
    "Optimize database queries",
    at="docs/explanation/measurements.md",
)
def test_slow_queries_are_seen_and_those_of_pages_were_measured() -> None:
    parameters = PROD["data.DatabaseParameters"]["Parameters"]
    assert parameters["shared_preload_libraries"] == "pg_stat_statements"
    assert int(parameters["log_min_duration_statement"]) <= 1000
    assert PROD["data.Database"]["EnablePerformanceInsights"] is True
    page = text("docs/explanation/measurements.md")
    assert "200 searches over 940,000 articles" in page
    assert "index only" in page


@line(
    "Performance Optimization",
    "Configure caching strategies",
    at="deploy/nginx/nginx.conf.template",
)
def test_what_never_changes_is_kept_by_browsers_and_answers_bear_tags() -> None:
    door = text("deploy/nginx/nginx.conf.template")
    (kept,) = re.findall(
        r"map \"\$status \$arg_v \$uri\" \$own_cache_control \{(.*?)\}", door, re.DOTALL
    )
    assert "immutable" in kept
    # A page of the API that has not changed is asked for by its tag.
    ((_, twenty, _),) = rows(LOAD, "95th percentile: API, API with tag")
    whole, by_tag = (int(part) for part in twenty.removesuffix(" ms").split(", "))
    assert by_tag < whole
