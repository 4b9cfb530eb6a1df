"""What verdicts rest on: each feature with its points and its words, and where verdicts begin.

The points were set by hand. Those above zero speak for an indicator, those below against.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ctiscraper.intelligence import Verdict


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: its points, and what it says to a reader."""

    points: float
    words: str


FEATURES = {
    # how it is written and where it stands
    "defanged": Feature(3.0, "written so that nobody opens it by accident"),
    "left_live": Feature(-1.0, "not defanged, though others in the text are"),
    "as_url": Feature(0.0, "a host, told as a URL by the heading or the column over it"),
    "indicators": Feature(2.5, "in a section of indicators"),
    "infrastructure": Feature(1.5, "in a section on files or infrastructure"),
    "titled": Feature(1.0, "the whole text is titled as a list of indicators"),
    "header": Feature(1.25, "in a table with a column for such values"),
    "table": Feature(0.75, "in a table"),
    "list": Feature(0.5, "in a list"),
    "code": Feature(0.5, "in code"),
    "run": Feature(1.0, "among many of its sort, close together"),
    "attack": Feature(1.5, "its sentence tells of an attack"),
    "references": Feature(-2.5, "in a section of references"),
    "advice": Feature(-1.5, "in a section of advice"),
    "cited": Feature(-1.5, "its sentence points to it for reading"),
    "linked": Feature(-2.0, "a live link"),
    "release": Feature(-3.0, "its sentence speaks of versions"),
    # what it is
    "file_hash": Feature(1.5, "a hash, as reports give of samples"),
    "onion_service": Feature(1.5, "a Tor service"),
    "commit": Feature(-3.0, "its sentence speaks of a commit"),
    "wallet": Feature(1.0, "a wallet"),
    "windows_file": Feature(-4.0, "a file of Windows itself"),
    "reference_site": Feature(-3.0, "a site that reports refer to"),
    "own_host": Feature(-5.0, "the source's own host"),
    # what is known of it
    "reserved": Feature(-10.0, "reserved: it stands for nobody"),
    "harmless": Feature(-4.0, "a known good file"),
    "official": Feature(-4.0, "a known organisation's own service"),
    "security": Feature(-4.0, "a site of those who defend"),
    "contact": Feature(-4.0, "an address to write to"),
    "scanner": Feature(-2.0, "scans the internet for research"),
    "sinkhole": Feature(-1.0, "a sinkhole"),
    "popular_1k": Feature(-4.0, "among the thousand most popular sites"),
    "popular_10k": Feature(-3.0, "among the ten thousand most popular sites"),
    "popular_100k": Feature(-2.0, "among the hundred thousand most popular sites"),
    "popular_1m": Feature(-1.0, "among the million most popular sites"),
    "popular_host": Feature(-1.0, "on a popular site"),
    "service": Feature(-1.5, "a public service that intruders use as well"),
    "shared": Feature(-0.5, "in a network that many share"),
    "abused": Feature(-0.5, "on a site where anyone may put something"),
    "listed": Feature(-1.0, "in a warning list"),
    # what others in the same text are
    "same_host": Feature(1.0, "on the same host as an indicator"),
    "same_owner": Feature(0.5, "below the same registered domain as an indicator"),
    # limits, which say why a verdict is not what the points make it
    "clearly_used": Feature(0.0, "held suspicious, as the text shows it among indicators"),
    "known_good": Feature(0.0, "held no more than suspicious, as it is known to be good"),
    "context_only": Feature(0.0, "held no more than suspicious, as others have it too"),
}
"""Every feature by its name, which is what a reason has before its colon."""

_POINTS = {name: feature.points for name, feature in FEATURES.items()}

MALICIOUS, SUSPICIOUS, BENIGN = 3.0, 1.5, -2.0
"""From how many points on a verdict is the one or the other; down to how many it is benign."""


def feature_of(reason: str) -> Feature | None:
    """Return the feature that a stored reason names, None where this version knows it not."""
    return FEATURES.get(reason.partition(":")[0])


def points_of(reasons: Iterable[str]) -> float:
    """Return what reasons weigh together; those without points limit a verdict and add nothing."""
    points = 0.0
    for reason in reasons:
        points += _POINTS[reason.partition(":")[0]]
    return points


def verdict_of(points: float) -> Verdict:
    """Return the verdict of so many points."""
    if points >= MALICIOUS:
        return Verdict.MALICIOUS
    if points >= SUSPICIOUS:
        return Verdict.SUSPICIOUS
    return Verdict.BENIGN if points <= BENIGN else Verdict.MENTIONED
