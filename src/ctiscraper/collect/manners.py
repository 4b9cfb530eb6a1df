"""How a host is treated, as its robots.txt and its source's settings ask: for people to see."""

from dataclasses import dataclass
from datetime import datetime

from ctiscraper.collect.politeness import gap_in_force, origin_of, rules_in_force
from ctiscraper.collect.robots import Decision
from ctiscraper.types import RobotsRecord, SourceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """What robots.txt says of a URL, and the pace that its host is asked at.

    `status` is that of robots.txt, None when it gave no answer; `known` is False when its rules
    are not, so that nothing is asked. `decision` is None then, and where it is not obeyed.
    """

    origin: str
    url: str
    obeyed: bool
    asked_at: datetime | None
    status: int | None
    has_rules: bool
    known: bool
    decision: Decision | None
    robots_delay: float | None
    gap: float


def manners_of(
    settings: SourceSettings,
    url: str,
    record: RobotsRecord | None,
    *,
    agent: str,
    default_gap: float,
    now: datetime,
) -> Manners:
    """Return how a URL's host is treated for a source, by the robots.txt that is held."""
    rules = rules_in_force(record, now) if record is not None else None
    obeyed = settings.robots.obey
    delay = rules.crawl_delay(agent) if rules is not None and obeyed else None
    return Manners(
        origin=origin_of(url),
        url=url,
        obeyed=obeyed,
        asked_at=record.fetched_at if record is not None else None,
        status=record.status if record is not None else None,
        has_rules=bool(record is not None and (record.body or record.good_body)),
        known=rules is not None,
        decision=rules.decide(agent, url) if rules is not None else None,
        robots_delay=delay,
        gap=gap_in_force(settings, default_gap, delay),
    )
