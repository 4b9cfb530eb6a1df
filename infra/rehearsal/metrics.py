"""Figures that the product writes into its log, brought to CloudWatch as AWS does itself."""

import json
from collections.abc import Iterable
from typing import Any

from cti_ops.place import Place
from rehearsal.containers import LocalTask


class Reader:
    """Reads logs, each line once."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._read: dict[str, int] = {}

    def read(self, tasks: Iterable[tuple[str, LocalTask]]) -> None:
        """Put the figures of new lines."""
        for name, task in tasks:
            if name == "scheduler":
                for container, lines in task.lines().items():
                    key = f"{task.folder.name}/{container}"
                    for line in lines[self._read.get(key, 0) :]:
                        self._put(line)
                    self._read[key] = len(lines)

    def _put(self, line: str) -> None:
        document = _document(line)
        for group in document.get("_aws", {}).get("CloudWatchMetrics", []):
            data = [
                {
                    "MetricName": metric["Name"],
                    "Unit": metric.get("Unit", "None"),
                    "Value": float(document[metric["Name"]]),
                    "Dimensions": [{"Name": key, "Value": document[key]} for key in keys],
                }
                for keys in group["Dimensions"]
                for metric in group["Metrics"]
            ]
            self._place.client("cloudwatch").put_metric_data(
                Namespace=group["Namespace"], MetricData=data
            )


def _document(line: str) -> dict[str, Any]:
    if '"_aws"' not in line:
        return {}
    found: dict[str, Any] = json.loads(line)
    return found
