"""What makes an article urgent beside its words: what is known of its CVEs, and its age."""

import math
from collections.abc import Iterable, Sequence

from ctiscraper.weighing import CveFact

OPENING = 2_000
"""What begins an article, so many characters of it, is what it is about."""

# How much of it is left when an article is so many days old.
_FADES = ((3.0, 1.0), (7.0, 0.9), (30.0, 0.65), (90.0, 0.4))
_FADED = 0.2

_KEV, _KEV_LONG_AGO, _RANSOMWARE, _EPSS, _CVSS = 0.5, 0.2, 0.15, 0.4, 0.25
_LONG_AGO = 60.0
_OFTEN = 3
_PASSING = 0.5


def either(strengths: Iterable[float]) -> float:
    """Return what several reasons come to together: each takes its share of what is left of 1."""
    return 1.0 - math.prod(1.0 - min(1.0, max(0.0, one)) for one in strengths)


def cve_strength(cve: CveFact) -> float:
    """Return how urgent a CVE alone makes an article that names it."""
    reasons = [
        _EPSS * (cve.epss or 0.0),
        _CVSS * ((cve.cvss or 0.0) / 10) ** 2,
        _RANSOMWARE * cve.kev_ransomware,
    ]
    if cve.kev_added:
        recent = cve.kev_age is None or cve.kev_age <= _LONG_AGO
        reasons.append(_KEV if recent else _KEV_LONG_AGO)
    prominent = cve.count >= _OFTEN or cve.start < OPENING
    return either(reasons) * (1.0 if prominent else _PASSING)


def cve_words(cve: CveFact) -> str:
    """Return a CVE with its figures."""
    figures = [
        f"exploited, in KEV since {cve.kev_added}" if cve.kev_added else "",
        "used by ransomware" if cve.kev_ransomware else "",
        f"EPSS {cve.epss:.2f}" if cve.epss is not None else "",
        f"CVSS {cve.cvss:.1f}" if cve.cvss is not None else "",
    ]
    told = ", ".join(one for one in figures if one)
    return f"{cve.id}: {told}" if told else cve.id


def with_cves(words: float, cves: Sequence[CveFact]) -> float:
    """Return the urgency of words and of the worst CVE together."""
    return either((words, max(map(cve_strength, cves), default=0.0)))


def fading(age_days: float) -> tuple[float, float | None]:
    """Return what is left of urgency at an age, and in how many days it gets less again."""
    for days, left in _FADES:
        if age_days < days:
            return left, days - max(0.0, age_days)
    return _FADED, None
