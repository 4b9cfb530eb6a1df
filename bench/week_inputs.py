"""What the simulation is told: named numbers, each with where it comes from."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

FILE = Path(__file__).with_name("simulate_week.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """One number for each name in the file; `_ms` are of CPU, `_pg_ms` of PostgreSQL's."""

    sources: int
    days: int
    posts_a_day_median: float
    posts_a_day_sigma: float
    posts_a_day_most: float
    feed_entries: int
    weekend_share: float
    night_share: float
    patch_tuesday_factor: float
    patch_wednesday_factor: float
    conditional_share: float
    dead_share: float
    outages_a_week: float
    outage_hours: float
    shared_share: float
    shared_hosts: int
    latency_seconds: float
    latency_sigma: float
    tls_ms: float
    unchanged_ms: float
    unchanged_pg_ms: float
    changed_ms: float
    changed_pg_ms: float
    failed_ms: float
    article_ms: float
    article_pg_ms: float
    robots_ms: float
    unchanged_bytes: int
    feed_bytes: int
    page_bytes: int
    robots_bytes: int
    article_db_bytes: int
    article_raw_bytes: int
    check_db_bytes: int
    worker_hosts: int
    min_gap: float
    idle_seconds: float
    turn_seconds: float
    worker_connections: int
    page_connections: int
    pg_connections: int
    pg_vcpus: int
    scale_out_cpu: float
    scale_out_minutes: int
    scale_in_cpu: float
    scale_in_minutes: int
    start_seconds: float


def read_inputs(file: Path = FILE, **changes: float) -> Inputs:
    """Return the inputs of a file, some of them changed. Raises ValueError naming what is wrong."""
    rows = json.loads(file.read_text("utf-8"))
    wanted = {one.name for one in fields(Inputs)}
    if wrong := sorted(wanted ^ rows.keys()):
        raise ValueError(f"{file.name} lacks, or has without need: {', '.join(wrong)}")
    if nameless := sorted(name for name, row in rows.items() if not row["from"].strip()):
        raise ValueError(f"{file.name} does not say where these come from: {', '.join(nameless)}")
    return Inputs(**{name: row["value"] for name, row in rows.items()} | changes)
