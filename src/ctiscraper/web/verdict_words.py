"""Verdicts and what they rest on, in words."""

from dataclasses import dataclass

from ctiscraper.enrich.features import feature_of
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


# Reasons that stand beside the features of verdicts: what else a name may mean.
_BESIDE = {"may be": "The name may also mean"}
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
    feature = feature_of(stored)
    if feature is None:
        words = _BESIDE.get(name) or name.replace("_", " ").capitalize()
        return ReasonWords(words, NEITHER, detail)
    words = feature.words[:1].upper() + feature.words[1:]
    return ReasonWords(words, _side_of(feature.points), detail)


def _side_of(points: float) -> str:
    if points == 0:
        return NEITHER
    return FOR if points > 0 else AGAINST


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
