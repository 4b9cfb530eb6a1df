"""What robots.txt says of the addresses of a source, by what is held of it; nothing is asked."""

from collections.abc import Mapping, Sequence

from ctiscraper.collect.manners import Manners, manners_of
from ctiscraper.collect.politeness import origin_of, rules_in_force
from ctiscraper.collect.robots import Decision, RobotsRules
from ctiscraper.config import AGENT
from ctiscraper.db.source_past import SourcePast
from ctiscraper.errors import InputError
from ctiscraper.source_views import RequestRow
from ctiscraper.types import SourceSettings
from ctiscraper.web.deps import WebServices


async def read_manners(
    past: SourcePast, given: WebServices, settings: SourceSettings, url: str
) -> Manners:
    """Return how the host of a URL is treated for a source. Raises InputError for what is none."""
    return manners_of(
        settings,
        url,
        await past.robots(_origin(url)),
        agent=AGENT,
        default_gap=given.min_gap,
        now=given.database.clock(),
    )


async def row_decisions(
    past: SourcePast, given: WebServices, settings: SourceSettings, rows: Sequence[RequestRow]
) -> Mapping[int, Decision]:
    """Return what robots.txt says of each row's address; rows of hosts never asked are left out."""
    if not settings.robots.obey:
        return {}
    now = given.database.clock()
    rules: dict[str, RobotsRules | None] = {}
    decisions = {}
    for row in rows:
        if not row.url:
            continue
        origin = _origin(row.url)
        if origin not in rules:
            record = await past.robots(origin)
            rules[origin] = rules_in_force(record, now) if record is not None else None
        known = rules[origin]
        if known is not None:
            decisions[row.id] = known.decide(AGENT, row.url)
    return decisions


def _origin(url: str) -> str:
    try:
        origin = origin_of(url)
    except ValueError:
        origin = ""
    if not origin.startswith(("http://", "https://")) or origin.endswith("//"):
        raise InputError("robots.txt is of web addresses: give one as https://host/path")
    return origin.lower()
