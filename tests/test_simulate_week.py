"""The simulated week keeps its own books: nothing vanishes, nobody is asked too often."""

import json
import random
from pathlib import Path

import pytest

from ctiscraper.collect.schedule import TIER_BOUNDS
from simulate_week import percentile, simulated, uses
from week import Scaling
from week_inputs import FILE, Inputs, read_inputs
from week_world import DAY, HOUR, Feed, Host, make_hosts, weight

SMALL = {"sources": 120, "days": 2, "shared_hosts": 2}


def small(**changes: float) -> Inputs:
    return read_inputs(FILE, **{**SMALL, **changes})


def hosts_of(inputs: Inputs, *, seed: int = 3, cold: bool = False) -> list[Host]:
    return make_hosts(inputs, random.Random(seed), cold=cold)


@pytest.mark.parametrize("cold", [False, True])
@pytest.mark.parametrize("workers", [1, 5])
def test_what_was_announced_was_fetched_or_waits(workers: int, *, cold: bool) -> None:
    inputs = small()
    hosts = hosts_of(inputs, cold=cold)
    before = sum(feed.known for host in hosts for feed in host.feeds)
    week = simulated(inputs, hosts, workers, seed=1)
    record = week.record
    feeds = [feed for host in week.hosts for feed in host.feeds]
    assert record.announced == record.fetched + week.waiting
    assert week.waiting == sum(len(host.items) for host in week.hosts)
    assert record.announced + record.missed == sum(feed.known for feed in feeds) - before
    assert record.fetched == sum(record.articles)
    assert record.fetched == len(record.item_delays) + len(record.shared_delays)
    assert sum(record.requests) == sum(host.requests for host in week.hosts)
    assert record.announced > 100
    assert min(record.check_delays + record.item_delays) >= 0


def test_the_same_seed_gives_the_same_week_and_another_another() -> None:
    inputs = small()
    hosts = hosts_of(inputs)
    first = simulated(inputs, hosts, 2, seed=1).record
    assert simulated(inputs, hosts, 2, seed=1).record == first
    assert simulated(inputs, hosts, 2, seed=2).record != first


def test_cpu_is_what_was_done_times_what_it_costs() -> None:
    nothing_fails = {"dead_share": 0, "outages_a_week": 1e-9, "conditional_share": 1}
    free = {"robots_ms": 0, "tls_ms": 0, "unchanged_ms": 0, "changed_ms": 0, "changed_pg_ms": 0}
    inputs = small(**nothing_fails, **free, article_ms=10, article_pg_ms=2, unchanged_pg_ms=0)
    record = simulated(inputs, hosts_of(inputs), 1, seed=1).record
    assert sum(record.cpu) == pytest.approx(record.fetched * 0.010, rel=0.01)
    assert sum(record.database) == pytest.approx(record.fetched * 0.002, rel=0.01)


def test_more_workers_never_make_it_slower_when_the_cpu_is_short() -> None:
    inputs = small(article_ms=3000, latency_sigma=0)
    hosts = hosts_of(inputs, cold=True)
    medians, most = [], []
    for workers in (1, 2, 5):
        week = simulated(inputs, hosts, workers, seed=1)
        medians.append(percentile(week.record.item_delays, 0.5))
        most.append(uses(inputs, week, workers)["CPU of the workers"])
    assert medians == sorted(medians, reverse=True)
    assert medians[0] > 2 * medians[2]
    assert most == sorted(most, reverse=True)


def test_a_host_is_asked_no_faster_than_its_gap() -> None:
    inputs = small(sources=40, shared_share=1.0, shared_hosts=1, dead_share=0, outages_a_week=1e-9)
    slow = small(
        sources=40, shared_share=1.0, shared_hosts=1, dead_share=0, outages_a_week=1e-9, min_gap=10
    )
    hosts = hosts_of(inputs, cold=True)
    assert len(hosts) == 1
    # 40 feeds of 20 entries each, one request after the other.
    quick = simulated(inputs, hosts, 5, seed=1).record
    assert max(quick.shared_delays) > 20 * 40 * inputs.min_gap * 0.9
    slower = simulated(slow, hosts, 5, seed=1).record
    assert max(slower.shared_delays) > 5 * max(quick.shared_delays)
    assert max(slower.requests) <= HOUR / slow.min_gap + 1


def test_due_times_are_the_programs_own() -> None:
    inputs = small()
    chance = random.Random(1)
    for host in hosts_of(inputs):
        for feed in host.feeds:
            feed.stand(1000.0, inputs.feed_entries, chance.random(), changed=True)
            bounds = TIER_BOUNDS[feed.tier]
            assert bounds.least <= feed.due - 1000.0 <= bounds.most * 1.1
            feed.stand_failed(1000.0, chance.random())
            assert bounds.least <= feed.due - 1000.0 <= DAY


def test_a_feed_tells_what_is_new_once_and_what_passed_by() -> None:
    feed = Feed(tier=next(iter(TIER_BOUNDS)), moments=[1.0, 2.0, 3.0], conditional=True, dead=False)
    assert feed.missed(2.5, entries=1) == 1
    assert feed.announce(2.5, entries=1) == 1
    assert feed.announce(2.5, entries=1) == 0
    assert feed.announce(9.0, entries=5) == 1


def test_patch_day_is_the_busiest_and_nights_and_weekends_the_quietest() -> None:
    inputs = small()
    hours = [weight(inputs, hour) for hour in range(7 * 24)]
    assert max(range(7 * 24), key=hours.__getitem__) == 24 + 17
    assert hours[3] < hours[12]
    assert hours[5 * 24 + 12] < hours[12]


def test_scaling_adds_workers_under_load_and_takes_them_back() -> None:
    inputs = small(days=1, article_ms=1500)
    hosts = hosts_of(inputs, cold=True)
    scaled = simulated(inputs, hosts, 2, 1, Scaling(least=2, most=5)).record
    assert max(scaled.workers) == 5
    assert scaled.workers[-1] == 2
    alone = simulated(inputs, hosts, 2, 1).record
    assert percentile(scaled.item_delays, 0.5) < percentile(alone.item_delays, 0.5)
    assert scaled.worker_hours < 5 * 24


def test_every_input_says_where_it_comes_from(tmp_path: Path) -> None:
    rows = json.loads(FILE.read_text("utf-8"))
    assert {row["from"] for row in rows.values()} & {"", "to be measured"} == set()
    for spoilt, said in (
        ({**rows, "surplus": rows["days"]}, "surplus"),
        ({name: row for name, row in rows.items() if name != "days"}, "days"),
        ({**rows, "days": {"value": 7, "from": " "}}, "days"),
    ):
        file = tmp_path / "inputs.json"
        file.write_text(json.dumps(spoilt), "utf-8")
        with pytest.raises(ValueError, match=said):
            read_inputs(file)
