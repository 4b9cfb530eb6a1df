"""A week of many sources, simulated from measured costs with the program's own schedule.

Run: .venv/bin/python bench/simulate_week.py [--sources 10000] [--seed 1] [--cold] [--within 60]
"""

import argparse
import copy
import random
from collections.abc import Iterable, Sequence
from statistics import quantiles

from week import Record, Scaling, Week
from week_inputs import Inputs, read_inputs
from week_world import HOUR, Host, make_hosts

WORKERS = (1, 2, 5)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of them does not pass, 0 without any."""
    if len(values) < 2:
        return values[0] if values else 0.0
    return quantiles(values, n=1000, method="inclusive")[int(share * 1000) - 1]


def by_hour(counts: Iterable[float]) -> str:
    """Return median, 95th percentile and peak of hourly counts, each a second."""
    rates = [count / HOUR for count in counts]
    shown = (percentile(rates, 0.5), percentile(rates, 0.95), max(rates))
    return " / ".join(f"{rate:.2f}" for rate in shown)


def delays(values: Sequence[float]) -> str:
    """Return median, 95th and 99th percentile of seconds."""
    return " / ".join(f"{percentile(values, share):,.1f}" for share in (0.5, 0.95, 0.99))


def uses(inputs: Inputs, week: Week, workers: int) -> dict[str, float]:
    """Return how much of each resource the busiest hour (or moment) took."""
    record = week.record
    busiest = max(week.hosts, key=lambda host: host.requests)
    return {
        "CPU of the workers": max(record.cpu) / HOUR / workers,
        "CPU of PostgreSQL": max(record.database) / HOUR / inputs.pg_vcpus,
        "hosts at a time": record.most_turns / (workers * inputs.worker_hosts),
        "connections": (workers * inputs.worker_connections + inputs.page_connections)
        / inputs.pg_connections,
        "pace of the busiest host": busiest.requests * inputs.min_gap / week.end,
    }


def report(inputs: Inputs, week: Week, workers: int) -> None:
    record = week.record
    print(f"| Checks a second by hour, p50 / p95 / peak | {by_hour(record.checks)} |")
    print(f"| Articles a second by hour, p50 / p95 / peak | {by_hour(record.articles)} |")
    print(f"| Due to checked, s, p50 / p95 / p99 | {delays(record.check_delays)} |")
    print(f"| Announced to fetched, s, p50 / p95 / p99 | {delays(record.item_delays)} |")
    print(f"| The same on shared hosts | {delays(record.shared_delays)} |")
    depths = list(record.depths)
    print(f"| Items waiting, p95 / most | {percentile(depths, 0.95):,.0f} / {max(depths):,.0f} |")
    for name, use in sorted(uses(inputs, week, workers).items(), key=lambda pair: -pair[1]):
        print(f"| Used at most: {name} | {use:.1%} |")


def totals(inputs: Inputs, record: Record) -> None:
    checks, articles = sum(record.checks), record.fetched
    database = articles * inputs.article_db_bytes + checks * inputs.check_db_bytes
    print(f"| Checks | {checks:,}, {record.unchanged / checks:.1%} without anything new |")
    print(f"| Requests | {sum(record.requests):,} |")
    print(f"| Articles | {record.fetched:,} of {record.announced:,} announced |")
    print(f"| Passed through a feed unseen | {record.missed:,} |")
    print(f"| Failed requests | {record.failed:,} |")
    print(f"| Received | {sum(record.wire) / 1e9:.1f} GB |")
    print(f"| CPU, workers | {sum(record.cpu):,.0f} s |")
    print(f"| CPU, PostgreSQL | {sum(record.database):,.0f} s |")
    print(f"| Database grows by | {database / 1e9:.2f} GB |")
    print(f"| Raw store grows by | {articles * inputs.article_raw_bytes / 1e9:.2f} GB |")


def simulated(
    inputs: Inputs, hosts: Sequence[Host], workers: int, seed: int, scaling: Scaling | None = None
) -> Week:
    """Return a week that was run; the hosts given stay as they are."""
    week = Week(inputs, copy.deepcopy(hosts), workers, seed, scaling=scaling)
    week.run()
    return week


def enough(weeks: dict[int, Week], seconds: float) -> str:
    """Return the fewest workers of those tried whose 95th percentile keeps within."""
    for workers, week in weeks.items():
        record = week.record
        both = percentile(record.check_delays, 0.95), percentile(record.item_delays, 0.95)
        if max(both) <= seconds:
            return str(workers)
    return f"more than {max(weeks)}"


def main(options: argparse.Namespace) -> None:
    changes = {"sources": options.sources, "days": options.days}
    inputs = read_inputs(**{name: value for name, value in changes.items() if value})
    hosts = make_hosts(inputs, random.Random(options.seed), cold=options.cold)
    print(f"{inputs.sources:,} sources on {len(hosts):,} hosts, {inputs.days} days, seed", end=" ")
    print(f"{options.seed}{', all of them new and due at once' if options.cold else ''}\n")
    weeks = {}
    for workers in WORKERS:
        weeks[workers] = week = simulated(inputs, hosts, workers, options.seed)
        print(f"| {workers} of 1 vCPU | |\n|---|---|")
        report(inputs, week, workers)
        print()
    print("| In all, with one worker | |\n|---|---|")
    totals(inputs, weeks[1].record)
    print(f"\nWorkers for a p95 within {options.within:g} s: {enough(weeks, options.within)}")
    scaling = Scaling(least=2, most=5)
    scaled = simulated(inputs, hosts, scaling.least, options.seed, scaling)
    record = scaled.record
    print(
        f"Scaling between 2 and 5: {min(record.workers)} to {max(record.workers)} workers, "
        f"{record.worker_hours:,.0f} worker hours of {5 * inputs.days * 24:,} at most; "
        f"announced to fetched, s: {delays(record.item_delays)}"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=int)
    parser.add_argument("--days", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cold", action="store_true", help="nothing is known of any source")
    parser.add_argument("--within", type=float, default=60.0, help="seconds for the p95")
    return parser.parse_args()


if __name__ == "__main__":
    main(arguments())
