"""What is found of a part of an installation, and how it is judged wherever it is looked at."""

from dataclasses import dataclass
from enum import StrEnum

from ctiscraper.db.passages import EmbeddingProgress
from ctiscraper.db.vector_index import IndexState

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


def judge_storage(items: int, cause: str) -> Finding:
    """Return how our own storage is, for which so many items wait; one of them tells why."""
    if not items:
        return finding("storage", Verdict.OK, "nothing waits for our own database or disk")
    return finding(
        "storage",
        Verdict.FAIL,
        f"{items:,} items wait for our own database or disk: {cause}",
        "mend what it names, on the server of DATABASE_URL or in the data folder: they are "
        "taken again by themselves and lose no attempt",
    )


_EXACTLY = "every vector is compared, exactly"
_INDEX = {
    IndexState.MADE: ("by the index of pgvector", ""),
    IndexState.BEHIND: (
        f"{_EXACTLY}: some are not yet copied for pgvector",
        "keep 'ctiscraper up' or 'ctiscraper beat' running, or run 'ctiscraper embed'",
    ),
    IndexState.UNMADE: (
        f"{_EXACTLY}: the index of pgvector is not made yet",
        "run 'ctiscraper embed', which makes it once no text waits",
    ),
    IndexState.OWNERS: (
        f"{_EXACTLY}: there is no index of pgvector, and this role may not make one",
        "run 'ctiscraper embed' once with the DATABASE_URL of the schema's owner",
    ),
    IndexState.CLOSED: (
        f"{_EXACTLY}: this role may not read the copy that pgvector searches",
        "run 'ctiscraper db roles' again as the schema's owner",
    ),
    IndexState.UNPREPARED: (
        f"{_EXACTLY}: the server offers pgvector, and nothing was made for it",
        "run 'ctiscraper migrate' as a role that may make extensions and schemas",
    ),
    IndexState.ABSENT: (f"{_EXACTLY}: the server has no pgvector for them", ""),
}


def judge_vectors(progress: EmbeddingProgress | None) -> Finding:
    """Return how searches by meaning are served; None is that no text has vectors yet."""
    part = "search by meaning"
    if progress is None or not progress.passages:
        return finding(
            part,
            Verdict.WARN,
            "no article has vectors yet, so that nothing is found by meaning",
            "keep 'ctiscraper up' or 'ctiscraper beat' running, or run 'ctiscraper embed'",
        )
    how, advice = said_of_index(progress.index)
    kept = (
        f", {progress.withheld:,} may not leave this network (CTISCRAPER_MODEL_TLP)"
        if progress.withheld
        else ""
    )
    words = f"{progress.texts:,} of {progress.articles:,} articles have vectors{kept}; {how}"
    return finding(part, Verdict.WARN if advice else Verdict.OK, words, advice)


def said_of_index(state: IndexState) -> tuple[str, str]:
    """Return how vectors are searched, and what to do about it, empty where nothing need be."""
    return _INDEX[state]
