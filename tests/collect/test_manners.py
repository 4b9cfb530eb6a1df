"""How a host is treated, as people see it."""

from datetime import timedelta

from ctiscraper.collect.manners import Manners, manners_of
from ctiscraper.collect.robots import Decision
from ctiscraper.types import RobotsPolicy, RobotsRecord, SourceSettings
from make import NOW, settings

TEXT = """# polite
User-agent: *
Disallow: /private/
Allow: /private/press/   # for you
Crawl-delay: 7

User-agent: Other
Disallow: /
"""
ORIGIN = "https://acme.example"


def told(path: str, record: RobotsRecord | None, given: SourceSettings | None = None) -> Manners:
    return manners_of(
        given or settings(),
        f"{ORIGIN}{path}",
        record,
        agent="CTIScraper",
        default_gap=1.0,
        now=NOW,
    )


def record(body: str | None, status: int | None = 200, **changes: object) -> RobotsRecord:
    return RobotsRecord(origin=ORIGIN, status=status, body=body, fetched_at=NOW, **changes)  # type: ignore[arg-type]  # a builder


def test_the_line_that_decides_is_named() -> None:
    refused = told("/private/x", record(TEXT)).decision
    assert refused == Decision(allowed=False, agent="*", line=3, words="Disallow: /private/")
    allowed = told("/private/press/1", record(TEXT)).decision
    assert allowed == Decision(allowed=True, agent="*", line=4, words="Allow: /private/press/")
    assert told("/blog", record(TEXT)).decision == Decision(allowed=True, agent="*")


def test_the_longest_gap_that_anybody_asks_for_holds() -> None:
    assert told("/", record(TEXT)).gap == 7.0
    assert told("/", record(TEXT), settings(crawl_delay=9.0)).gap == 9.0
    assert told("/", record(TEXT), settings(requests_per_minute=4)).gap == 15.0
    assert told("/", None).gap == 1.0


def test_where_robots_are_not_obeyed_their_delay_is_none() -> None:
    own = settings(robots=RobotsPolicy(obey=False, override_reason="permitted"))
    found = told("/private/x", record(TEXT), own)
    assert (found.obeyed, found.robots_delay, found.gap) == (False, None, 1.0)


def test_what_was_never_asked_or_is_unreachable_is_not_known() -> None:
    never = told("/", None)
    assert (never.known, never.asked_at, never.decision) == (False, None, None)
    away = told("/", record(None, 503))
    assert (away.known, away.status, away.decision) == (False, 503, None)
    copy = record(None, 503, good_body=TEXT, good_at=NOW - timedelta(days=2))
    assert told("/private/x", copy).known
