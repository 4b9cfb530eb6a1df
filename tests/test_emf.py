"""The Embedded Metric Format: what CloudWatch accepts, and what alarms and scaling read."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

import make_operations as made
from ctiscraper.emf import Document, MetricPlace, metric_documents
from ctiscraper.operations import DatabaseState, Operations
from make import NOW

PLACE = MetricPlace(namespace="CTIScraper", environment="test")
# The units of MetricDatum, as the Amazon CloudWatch API reference lists them.
UNITS = {"Seconds", "Bytes", "Count", "Percent", "None", "Count/Second", "Bytes/Second"}


def faults(document: Mapping[str, Any]) -> list[str]:
    """What is against the specification's schema and its rules for references."""
    found = []
    metadata = document.get("_aws")
    if not isinstance(metadata, dict) or set(metadata) != {"Timestamp", "CloudWatchMetrics"}:
        return ["_aws"]
    if type(metadata["Timestamp"]) is not int or not 1e12 < metadata["Timestamp"] < 1e13:
        found.append("Timestamp is not in milliseconds")
    if not isinstance(metadata["CloudWatchMetrics"], list) or not metadata["CloudWatchMetrics"]:
        found.append("CloudWatchMetrics")
    for directive in metadata["CloudWatchMetrics"]:
        if set(directive) != {"Namespace", "Dimensions", "Metrics"}:
            found.append("directive")
        if not re.fullmatch(r"[^:].{0,1023}", directive["Namespace"]):
            found.append("Namespace")
        found += [
            fault for names in directive["Dimensions"] for fault in _dimension(names, document)
        ]
        if not directive["Dimensions"]:
            found.append("Dimensions are empty")
        if not 0 < len(directive["Metrics"]) <= 100:
            found.append("Metrics are too few or too many")
        found += [fault for metric in directive["Metrics"] for fault in _metric(metric, document)]
    return found


def _dimension(names: list[str], document: Mapping[str, Any]) -> list[str]:
    found = [] if 0 < len(names) <= 30 else ["a dimension set's size"]
    for name in names:
        value = document.get(name)
        if not (isinstance(value, str) and 0 < len(value) <= 1024 and value.isascii()):
            found.append(f"dimension {name}")
    return found


def _metric(metric: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    value = document.get(metric["Name"])
    found = []
    if not set(metric) <= {"Name", "Unit", "StorageResolution"} or metric["Unit"] not in UNITS:
        found.append(f"metric {metric}")
    if not isinstance(value, int | float) or isinstance(value, bool) or value != value:  # noqa: PLR0124 - NaN
        found.append(f"value of {metric['Name']}")
    return found


def decoded(document: Document) -> dict[str, Any]:
    """The document as CloudWatch has it, through one line of JSON."""
    line = msgspec.json.encode(document)
    assert b"\n" not in line
    assert len(line) < 1_000_000, "an event of CloudWatch Logs"
    read: dict[str, Any] = msgspec.json.decode(line)
    return read


def documents(seen: Operations) -> list[dict[str, Any]]:
    return [decoded(document) for document in metric_documents(seen, PLACE, NOW)]


def test_every_document_keeps_to_the_specification() -> None:
    for seen in (
        made.operations(workers=(made.worker(),), balanced=False),
        made.operations(balanced=None),
        Operations(database=made.database(writable=False)),
        Operations(database=DatabaseState(reachable=False, detail="away")),
    ):
        assert [faults(document) for document in documents(seen)] == [[] for _ in documents(seen)]


@pytest.mark.parametrize(
    "break_it",
    [
        lambda d: d.pop("_aws"),
        lambda d: d["_aws"].update(Timestamp=1.5),
        lambda d: d["_aws"].update(Timestamp=1_795_000_000),
        lambda d: d["_aws"]["CloudWatchMetrics"][0].update(Namespace=""),
        lambda d: d["_aws"]["CloudWatchMetrics"][0].update(Dimensions=[]),
        lambda d: d["_aws"]["CloudWatchMetrics"][0].update(Dimensions=[["Tier"]]),
        lambda d: d["_aws"]["CloudWatchMetrics"][0]["Metrics"][0].update(Unit="seconds"),
        lambda d: d["_aws"]["CloudWatchMetrics"][0]["Metrics"][0].update(Name="Unknown"),
        lambda d: d.update(DatabaseReachable=True),
        lambda d: d.update(Environment=""),
    ],
)
def test_the_check_sees_what_is_against_it(break_it: Any) -> None:  # noqa: ANN401 - any lambda
    document = documents(Operations(database=made.database()))[0]
    break_it(document)
    assert faults(document)


def test_the_whole_and_each_tier_have_dimensions_of_their_own() -> None:
    tiers = (
        made.tier("premium", due=2, sources_due=1, oldest_seconds=9.0),
        made.tier("basic", due=4),
    )
    whole, premium, basic = documents(made.operations(tiers=tiers, workers=(made.worker(),) * 2))
    sets = [d["_aws"]["CloudWatchMetrics"][0]["Dimensions"] for d in (whole, premium, basic)]
    assert sets == [[["Environment"]], [["Environment", "Tier"]], [["Environment", "Tier"]]]
    assert (premium["Tier"], basic["Tier"]) == ("premium", "basic")
    assert [d["QueueDepth"] for d in (whole, premium, basic)] == [7, 3, 4]
    assert [d["OldestMessageAge"] for d in (whole, premium, basic)] == [9.0, 9.0, 0.0]
    assert whole["BacklogPerWorker"] == 3.5
    assert whole["Workers"] == 2
    assert {d["Environment"] for d in (whole, premium, basic)} == {"test"}


def test_without_workers_all_of_the_backlog_is_for_the_first_to_come() -> None:
    whole, *_ = documents(made.operations(tiers=(made.tier(due=12),)))
    assert (whole["BacklogPerWorker"], whole["Workers"]) == (12, 0)


def test_what_is_not_known_is_left_out_rather_than_said_to_be_nothing() -> None:
    [away] = documents(Operations(database=DatabaseState(reachable=False)))
    assert away["DatabaseReachable"] == 0
    assert "QueueDepth" not in away
    assert "AccountingBalanced" not in documents(made.operations(balanced=None))[0]
    known, unknown = (
        documents(made.operations(summed_seconds=seconds))[0] for seconds in (9.0, None)
    )
    sums = {"DeadLetters", "StorageWaiting", "BytesReceivedLastDay", "BytesSavedLastDay"}
    assert set(known) - set(unknown) == sums


def test_workers_are_counted_that_are_not_listed() -> None:
    seen = made.operations(
        tiers=(made.tier(due=300),), workers=(made.worker(),) * 100, worker_count=150
    )
    whole = documents(seen)[0]
    assert (whole["Workers"], whole["BacklogPerWorker"]) == (150, 2)
