"""Verdicts and what they rest on, in words."""

from dataclasses import dataclass

from ctiscraper.entity_views import MentionView
from ctiscraper.intelligence import Verdict

FOR, AGAINST, NEITHER = "for", "against", ""

VERDICTS: dict[str, str] = {
    Verdict.MALICIOUS: "Malicious",
    Verdict.SUSPICIOUS: "Suspicious",
    Verdict.MENTIONED: "Mentioned",
    Verdict.BENIGN: "Benign",
}


@dataclass(frozen=True, slots=True)
class ReasonWords:
    """One reason: what it says, for which side it speaks, and what exactly was seen."""

    words: str
    side: str
    detail: str = ""


_FEATURES = {
    FOR: {
        "defanged": "Written so that nobody opens it by accident",
        "indicators": "In a section of indicators",
        "infrastructure": "In a section on files or infrastructure",
        "titled": "The whole text is titled as a list of indicators",
        "header": "In a table with a column for such values",
        "table": "In a table",
        "list": "In a list",
        "code": "In code",
        "run": "Among many of its sort, close together",
        "attack": "Its sentence tells of an attack",
        "file_hash": "A hash, as reports give of samples",
        "onion_service": "A Tor service",
        "wallet": "A wallet",
        "same_host": "On the same host as an indicator",
        "same_owner": "Below the same registered domain as an indicator",
    },
    AGAINST: {
        "left_live": "Not defanged, though others in the text are",
        "references": "In a section of references",
        "advice": "In a section of advice",
        "cited": "Its sentence points to it for reading",
        "linked": "A live link",
        "release": "Its sentence speaks of versions",
        "commit": "Its sentence speaks of a commit",
        "windows_file": "A file of Windows itself",
        "reference_site": "A site that reports refer to",
        "own_host": "The source's own host",
        "reserved": "Reserved: it stands for nobody",
        "harmless": "A known good file",
        "official": "A known organisation's own service",
        "security": "A site of those who defend",
        "contact": "An address to write to",
        "scanner": "Scans the internet for research",
        "sinkhole": "A sinkhole",
        "popular_1k": "Among the thousand most popular sites",
        "popular_10k": "Among the ten thousand most popular sites",
        "popular_100k": "Among the hundred thousand most popular sites",
        "popular_1m": "Among the million most popular sites",
        "popular_host": "On a popular site",
        "service": "A public service that intruders use as well",
        "shared": "In a network that many share",
        "abused": "On a site where anyone may put something",
        "listed": "In a warning list",
    },
    NEITHER: {
        "as_url": "A host, told as a URL by the heading or the column over it",
        "clearly_used": "Held suspicious, as the text shows it among indicators",
        "known_good": "Held no more than suspicious, as it is known to be good",
        "context_only": "Held no more than suspicious, as others have it too",
        "may be": "The name may also mean",
    },
}
_SIDES = {name: side for side, features in _FEATURES.items() for name in features}
_RULES = {
    "id": "by its id",
    "name": "by its name",
    "exact": "by its name",
    "country": "by its name",
    "adjective": "by the word for what comes from it",
    "telling": "by a name that means nothing else",
    "again": "by a name that the text has told of before",
    "alias of": "as another name of",
    "cased": "by a name written as one, in a text on",
    "beside": "by a name beside",
    "context": "by its name, as the words around it say",
    "product": "by its name beside that of its maker",
    "program": "by the name of its program",
}
"""How a thing was recognised, by what stands before the colon of a rule."""


def reason_of(stored: str) -> ReasonWords:
    """Return a stored reason in words; one that this version does not know by its own name."""
    name, _, detail = stored.partition(":")
    side = _SIDES.get(name)
    if side is None:
        return ReasonWords(name.replace("_", " ").capitalize(), NEITHER, detail)
    return ReasonWords(_FEATURES[side][name], side, detail)


def verdict_words(verdict: str | None) -> str:
    """Return a verdict as it is read; nothing for what is not judged."""
    return VERDICTS.get(verdict, verdict.capitalize()) if verdict else ""


def found_by(mention: MentionView) -> str:
    """Return how a mention was recognised, where that says more than its words do."""
    return rule_words(mention.rule) if mention.rule else ""


def rule_words(rule: str) -> str:
    """Return how a rule recognises; the rules of behaviours are told by their own names."""
    name, _, detail = rule.partition(":")
    words = _RULES.get(name)
    if words is None:
        return f"by the rule {rule}"
    return f"{words}: {detail}" if detail else words
