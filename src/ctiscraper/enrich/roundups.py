"""Which articles tell of many events at once: digests, newsletters, lists of patches."""

import re
from collections.abc import Iterable

from ctiscraper.enrich.kinds import Kind
from ctiscraper.intelligence import Name
from ctiscraper.story_facts import EntityFacts

# More subjects than one event has: a report on an intrusion names a few.
MOST_CVES = 12
MOST_NAMES = 14

_SUBJECTS = frozenset({Kind.CVE, Name.ACTOR, Name.MALWARE, Name.RANSOMWARE})

# What such articles call themselves in the languages that sources write in.
_TITLE = re.compile(
    r"""
    \b(?:round-?\s?ups?|digest|newsletter|recap|wrap-?\s?up|bulletin\ board|link\s?dump)\b
    | \b(?:this|last|past)\ (?:week|month)(?:['\u2019]s)?\ (?:in|threats|security|cyber|news)\b
    | \b(?:week|month|year)\ in\ (?:review|security|cyber\w*|malware|ransomware|threats|breach\w*)
    | \b(?:weekly|monthly|daily|quarterly|annual|yearly)\s(?:\w+\s){0,4}?
        (?:report|summary|update|review|brief(?:ing)?|intelligence|news|bulletin|threats?|edition)\b
    | \bsummary\ (?:for|of)\ the\ (?:week|month)\b
    | \b(?:morning|daily|weekly)\ brew\b
    | \bpatch\ tuesday\b
    | \btop\ \d+\ (?:\w+\s){0,3}?(?:threats|malware|vulnerabilities|cves|stories|attacks|breaches)\b
    | \bin\ other\ news\b
    | \b(?:wochen|monats)(?:r\w{1,2}ckblick|bericht|schau)\b
    | \b(?:resumen|boletín|bolet[ií]n|resumo)\s(?:semanal|mensual|mensal)\b
    | \b(?:actualité|bulletin|revue|récap\w*)\s(?:\w+\s){0,2}?(?:hebdo\w*|semaine|mensuel\w*)\b
    | \bнедел[июя]\b.*\b(?:обзор|итоги|дайджест)\b | \b(?:обзор|итоги|дайджест)\b.*\bнедел
    | 周报 | 月报 | 週報 | 月報 | 週刊 | 今週の
    """,  # noqa: RUF001 - some are written in Russian
    re.IGNORECASE | re.VERBOSE,
)


def breadth_of(entities: Iterable[EntityFacts]) -> int:
    """Return how many subjects an article names: vulnerabilities, actors and malware."""
    return sum(one.kind in _SUBJECTS for one in entities)


def is_titled_roundup(title: str) -> bool:
    """Return whether an article calls itself a digest; some that do have one subject."""
    return _TITLE.search(title) is not None


def is_roundup(entities: Iterable[EntityFacts]) -> bool:
    """Return whether an article names more than one event has."""
    subjects = [one.kind for one in entities if one.kind in _SUBJECTS]
    cves = sum(kind == Kind.CVE for kind in subjects)
    return cves >= MOST_CVES or len(subjects) - cves >= MOST_NAMES
