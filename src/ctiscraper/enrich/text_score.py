"""The parts of a score that depend on the text alone, made where texts are read."""

import re
from collections.abc import Iterable, Sequence

from ctiscraper.enrich.hunting import Huntability, huntability
from ctiscraper.enrich.keywords import keyword_score
from ctiscraper.enrich.kinds import Kind, Observable
from ctiscraper.enrich.score import joined_parts, made_part, total
from ctiscraper.enrich.urgency import urgency
from ctiscraper.intelligence import Extractor, Mention, ScorePart, Verdict
from ctiscraper.weighing import DEFAULT_WEIGHTS, PartName, ScoreFacts, Weights

DENIED = "it says that there is no exploitation"

_KINDS = frozenset(Kind)
_ADDRESSES = frozenset({Kind.URL, Kind.DOMAIN, Kind.IPV4})
_MARKS = re.compile(r"[\[({<\\]|h[x*]{1,2}p", re.IGNORECASE)
_FROM_EACH = {"traces": 10, "acts": 8, "shows": 6}


def score(
    text: str,
    title: str,
    mentions: Sequence[Mention],
    facts: ScoreFacts,
    weights: Weights = DEFAULT_WEIGHTS,
) -> tuple[float, tuple[ScorePart, ...]]:
    """Return the score of an article from 0 to 1, and its parts."""
    parts = joined_parts(text_parts(text, title, mentions), facts, weights)
    return total(parts), parts


def text_parts(text: str, title: str, mentions: Sequence[Mention]) -> tuple[ScorePart, ...]:
    """Return the parts that depend on the text alone, with the weights that are usual."""
    hunted = huntability(text, _observables(text, mentions))
    urgent = urgency(text, title)
    keywords = keyword_score(text)
    return (
        _hunted(hunted),
        made_part(
            PartName.URGENCY,
            urgent.value,
            zip(urgent.words, urgent.places, strict=True),
            note=DENIED if urgent.denied else "",
        ),
        made_part(
            PartName.KEYWORDS, keywords.score / 100, keywords.words, note=_less(keywords.against)
        ),
    )


def _observables(text: str, mentions: Iterable[Mention]) -> list[Observable]:
    """Return the observables that mentions were made of, at the places that were kept."""
    return [
        Observable(
            kind=Kind(one.kind),
            value=one.value,
            start=start,
            end=end,
            defanged=_MARKS.search(text, start, end) is not None and text[start:end] != one.value,
        )
        for one in mentions
        if one.extractor is Extractor.OBSERVABLES and one.kind in _KINDS and not _is_reading(one)
        for start, end in one.places
    ]


def _is_reading(mention: Mention) -> bool:
    """Whether an address is none to hunt for: a reference, the source's own, a well-known one."""
    return mention.kind in _ADDRESSES and mention.verdict is Verdict.BENIGN


def _hunted(done: Huntability) -> ScorePart:
    parts = {part.name: part for part in done.parts}
    evidence = [
        pair
        for name, most in _FROM_EACH.items()
        for pair in tuple(zip(parts[name].evidence, parts[name].places, strict=True))[:most]
    ]
    return made_part(PartName.HUNTABILITY, done.score, evidence, note=_less(parts["talk"].evidence))


def _less(words: Sequence[str]) -> str:
    return f"less for {', '.join(words[:6])}" if words else ""
