"""What the product says of itself: read from its own files, so that nothing is told twice."""

import json
import re
from functools import cache
from typing import Any

import yaml

from model import text

SERVICES = {
    "web": "web",
    "worker": "worker",
    "scheduler": "beat",
    "model-worker": "model-worker",
}


@cache
def compose() -> dict[str, Any]:
    """Return the services of compose.yaml, with what they share merged in."""
    found: dict[str, Any] = yaml.safe_load(text("compose.yaml"))["services"]
    return found


@cache
def settings() -> frozenset[str]:
    """Return the variables that the product reads."""
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \|", text("docs/reference/settings.md"), re.MULTILINE)
    return frozenset(rows)


@cache
def defaults() -> dict[str, str]:
    """Return the variables that the product reads, with what each is by itself."""
    rows = re.findall(
        r"^\| `([A-Z0-9_]+)` \| (?:`([^`]*)`)? ?\|",
        text("docs/reference/settings.md"),
        re.MULTILINE,
    )
    return dict(rows)


@cache
def metrics() -> dict[str, set[frozenset[str]]]:
    """Return the metrics of the product with the dimensions that each has."""
    part = text("docs/reference/metrics.md").partition("## CloudWatch")[2]
    found: dict[str, set[frozenset[str]]] = {}
    for name, cell in re.findall(r"^\| `(\w+)` \| \w+ \| ([^|]+) \|", part, re.MULTILINE):
        found[name] = {frozenset(re.findall(r"`(\w+)`", choice)) for choice in cell.split(" and ")}
    return found


@cache
def paths() -> frozenset[str]:
    """Return the beginnings of addresses that the product serves."""
    api = set(json.loads(text("docs/reference/openapi.json"))["paths"])
    pages = set()
    for name in ("indicators", "searches", "sources", "stories", "techniques"):
        pages.add(f"/{name}")
    return frozenset(api | pages | {"/articles", "/triage", "/verdicts", "/watchlist", "/health"})


@cache
def nginx_variables() -> frozenset[str]:
    """Return the variables that the front door reads."""
    return frozenset(re.findall(r"`(NGINX_[A-Z_]+)`", text("docs/reference/containers.md")))


def seconds(value: str) -> int:
    """Return a duration of compose.yaml in seconds."""
    return int(value.removesuffix("s"))


def keepalive() -> int:
    """Return how long the front door holds an idle connection."""
    (found,) = re.findall(r"keepalive_timeout (\d+)s;", text("deploy/nginx/nginx.conf.template"))
    return int(found)


def grace() -> int:
    """Return how long a web process takes to end, at most."""
    (found,) = re.findall(r"_GRACE_SECONDS = (\d+)", text("src/ctiscraper/web/serve.py"))
    return int(found)
