"""The pipeline of production: its stages, and what each runs."""

import json
from typing import Any

from model import load

PROD = load("prod")


def stages() -> dict[str, list[dict[str, Any]]]:
    return {stage["Name"]: stage["Actions"] for stage in PROD["delivery.Pipeline"]["Stages"]}


def commands(step: str) -> list[str]:
    spec = json.loads(PROD[f"delivery.{step}Project"]["Source"]["BuildSpec"])
    found: list[str] = spec["phases"]["build"]["commands"]
    return found
