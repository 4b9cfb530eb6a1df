"""Digests by what they call themselves, and lists by what they name."""

import pytest

from ctiscraper.enrich.roundups import is_roundup, is_titled_roundup
from ctiscraper.story_facts import EntityFacts

DIGESTS = (
    "Security roundup: printers, museums and a worm",
    "Weekly Threat Intelligence Report",
    "The Week in Ransomware - November 20th",
    "This week in security: a bug in a fridge",
    "November 2026 Patch Tuesday: what to patch first",
    "Vulnerability Summary for the Week of November 9",
    "Wochenrückblick KW 47",
    "Boletín semanal de ciberseguridad",
    "Обзор событий недели",
    "今週のセキュリティ",
    "Top 10 malware of Q3",
    "In Other News: a fine, a fix and a farewell",
)
REPORTS = (
    "How one group turned printers into proxies",
    "New round of layoffs at a security vendor",
    "Intruders wait a week before they strike",
    "A digestible guide to DNS",
    "Attackers target weekly backups",
    "Report: museum breached twice",
    "Ivanti fixes three flaws in its gateway",
)


@pytest.mark.parametrize("title", DIGESTS)
def test_a_digest_says_so(title: str) -> None:
    assert is_titled_roundup(title)


@pytest.mark.parametrize("title", REPORTS)
def test_a_report_does_not(title: str) -> None:
    assert not is_titled_roundup(title)


def test_a_list_names_more_than_one_event_has() -> None:
    def named(kind: str, count: int) -> list[EntityFacts]:
        return [EntityFacts(id=n, kind=kind, value=f"{kind} {n}") for n in range(count)]

    assert is_roundup(named("cve", 12))
    assert is_roundup([*named("malware", 8), *named("actor", 6)])
    assert not is_roundup([*named("cve", 5), *named("malware", 5), *named("sha256", 500)])
