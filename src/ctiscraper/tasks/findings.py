"""What is found of a part of an installation, and how it is judged wherever it is looked at."""

from dataclasses import dataclass
from enum import StrEnum

CLOCK_WARN = 5.0
CLOCK_FAIL = 60.0


class Verdict(StrEnum):
    """How a part is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One part of the installation; `advice` is what can be done, empty when nothing need be."""

    part: str
    verdict: Verdict
    words: str
    advice: str = ""


def finding(part: str, verdict: Verdict, words: str, advice: str = "") -> Finding:
    """Return what is found of a part."""
    return Finding(part=part, verdict=verdict, words=words, advice=advice)


def judge_clock(apart: float) -> Finding:
    """Return how the database's clock is that stands so many seconds apart from ours."""
    words = f"{abs(apart):.1f} s apart from ours"
    if abs(apart) < CLOCK_WARN:
        return finding("database clock", Verdict.OK, words)
    verdict = Verdict.FAIL if abs(apart) >= CLOCK_FAIL else Verdict.WARN
    return finding("database clock", verdict, words, "let both machines keep time by NTP")


def judge_schema(found: str | None, wanted: str) -> Finding:
    """Return how a database's revision is against the one that this program needs."""
    if found is not None and found > wanted:
        return finding(
            "schema",
            Verdict.WARN,
            f"{found}, newer than the {wanted} of this program",
            "update the program: it goes on with what it knows of the schema",
        )
    if found == wanted:
        return finding("schema", Verdict.OK, found)
    return finding(
        "schema",
        Verdict.FAIL,
        f"it is {found or 'empty'}, this program needs {wanted}",
        "run 'ctiscraper migrate'",
    )
