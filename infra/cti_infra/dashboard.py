"""The dashboard: requests, services, database, cache, and the work itself."""

from collections.abc import Iterator, Mapping, Sequence

from cti_infra.alarms import MINUTE, Metric, Watched

WIDTH, HEIGHT = 8, 6
ACROSS = 24


def body(watched: Watched, alarms: Sequence[str]) -> dict[str, object]:
    """Return what the dashboard shows: the alarms, then rows of graphs."""
    shown: list[dict[str, object]] = [
        {
            "type": "alarm",
            "x": 0,
            "y": 0,
            "width": ACROSS,
            "height": 4,
            "properties": {"title": "Alarms", "alarms": list(alarms)},
        }
    ]
    for number, (title, metrics) in enumerate(_graphs(watched)):
        row, column = divmod(number, ACROSS // WIDTH)
        shown.append(
            {
                "type": "metric",
                "x": column * WIDTH,
                "y": 4 + row * HEIGHT,
                "width": WIDTH,
                "height": HEIGHT,
                "properties": {
                    "title": title,
                    "region": watched.environment.region,
                    "period": MINUTE,
                    "view": "timeSeries",
                    "metrics": [_line(metric, label) for label, metric in metrics.items()],
                },
            }
        )
    return {"widgets": shown}


def _line(metric: Metric, label: str) -> list[object]:
    places = [part for pair in metric.dimensions.items() for part in pair]
    options = {"stat": metric.statistic, "label": label}
    return [metric.namespace, metric.name, *places, options]


def _graphs(watched: Watched) -> Iterator[tuple[str, Mapping[str, Metric]]]:
    edge, product = watched.edge, watched.product
    yield "Requests", {"asked": edge("RequestCount", "Sum")}
    yield (
        "Errors",
        {
            "web": edge("HTTPCode_Target_5XX_Count", "Sum"),
            "load balancer": edge("HTTPCode_ELB_5XX_Count", "Sum"),
            "clients": edge("HTTPCode_Target_4XX_Count", "Sum"),
        },
    )
    yield (
        "Response time",
        {stat: edge("TargetResponseTime", stat) for stat in ("p50", "p95", "p99")},
    )
    for title, metric in (("CPU", "CPUUtilization"), ("Memory", "MemoryUtilization")):
        yield title, {name: watched.service(name, metric) for name in watched.services()}
    healthy = watched.healthy()
    yield (
        "Healthy web tasks",
        healthy if len(healthy) > 1 else {"healthy": next(iter(healthy.values()))},
    )
    yield (
        "Database load",
        {
            "CPU": watched.rds("CPUUtilization"),
            "connections": watched.rds("DatabaseConnections", "Maximum"),
        },
    )
    yield (
        "Database latency",
        {"read": watched.rds("ReadLatency"), "write": watched.rds("WriteLatency")},
    )
    yield "Database storage left", {"bytes": watched.rds("FreeStorageSpace", "Minimum")}
    yield (
        "Redis",
        {
            "CPU": watched.cache("EngineCPUUtilization"),
            "memory": watched.cache("DatabaseMemoryUsagePercentage"),
        },
    )
    yield "Articles processed a minute", {"items": product("ItemsPerMinute")}
    yield (
        "Sources",
        {
            "hosts that rest": product("HostsResting"),
            "requests of a day": product("RequestsLastDay", "Maximum"),
        },
    )
    yield (
        "Queue",
        {
            "waiting": product("QueueDepth", "Maximum"),
            "in flight": product("InFlight", "Maximum"),
            "dead": product("DeadLetters", "Maximum"),
        },
    )
    yield "Oldest work", {"seconds": product("OldestMessageAge", "Maximum")}
    yield "Texts that wait for a model", {"waiting": product("ModelQueueDepth", "Maximum")}
    yield "Workers", {"alive": product("Workers", "Minimum")}
