"""The score of an article: what its text gives, joined with what the database knows.

It is joined in the process that stores articles, and anew when something of it changes, so it
knows nothing of how texts are read.
"""

import re
from collections.abc import Iterable

from ctiscraper.enrich.urgent_facts import cve_words, either, fading, with_cves
from ctiscraper.intelligence import ScorePart
from ctiscraper.weighing import (
    DEFAULT_WEIGHTS,
    PartName,
    ScoreFacts,
    SeenEntity,
    WatchHit,
    Weights,
)

VERSION = "2"
MOST_EVIDENCE = 24

NO_WATCHLIST = "the watchlist is empty: this part has no weight"
DUPLICATE = "nearly the same text was there before"

_UNFIT = re.compile("[\0\ud800-\udfff\\s]+")
_WIDEST = 120
_ROUND = 4

# An entry that an article only mentions says half as much as one that it is about.
_PASSING = 0.5
# One new value among few says little: the share is taken as if there were so many old ones more.
_OLD_ONES = 3.0
_RARE = 0.5


def total(parts: Iterable[ScorePart]) -> float:
    """Return the mean of parts by their weights, 0 when none has any."""
    parts = tuple(parts)
    weight = sum(one.weight for one in parts)
    if not weight:
        return 0.0
    return round(sum(one.weight * one.value for one in parts) / weight, _ROUND)


def joined_parts(
    parts: Iterable[ScorePart], facts: ScoreFacts, weights: Weights = DEFAULT_WEIGHTS
) -> tuple[ScorePart, ...]:
    """Return every part of a score: those of a text joined with what else is known."""
    given = {one.name: one for one in parts}
    made = {
        PartName.HUNTABILITY: given.get(PartName.HUNTABILITY),
        PartName.URGENCY: _urgent(given.get(PartName.URGENCY), facts),
        PartName.RELEVANCE: _relevant(facts),
        PartName.NOVELTY: _novel(facts),
        PartName.KEYWORDS: given.get(PartName.KEYWORDS),
    }
    return tuple(
        _weighed(part or made_part(name, 0.0, ()), _weight(name, facts, weights))
        for name, part in made.items()
    )


def _weight(name: PartName, facts: ScoreFacts, weights: Weights) -> float:
    if name is PartName.RELEVANCE and not facts.watched:
        return 0.0
    return weights.get(name, 0.0)


def _weighed(part: ScorePart, weight: float) -> ScorePart:
    return ScorePart(
        name=part.name,
        value=part.value,
        weight=weight,
        evidence=part.evidence,
        places=part.places,
        note=part.note,
    )


def _urgent(part: ScorePart | None, facts: ScoreFacts) -> ScorePart:
    """Return the urgency of words and CVEs together, as far as it has not faded."""
    left, _ = fading(facts.age_days)
    value = with_cves(part.value if part else 0.0, facts.cves) * left
    known = [one for one in facts.cves if one.kev_added or one.epss or one.cvss]
    told = sorted(known, key=lambda one: with_cves(0.0, [one]), reverse=True)
    evidence = [(cve_words(one), (one.start, one.end)) for one in told[: MOST_EVIDENCE // 2]]
    if part:
        evidence += zip(part.evidence, part.places, strict=True)
    notes = [part.note] if part and part.note else []
    if left < 1 and value:
        notes.append(f"{facts.age_days:.0f} days old: {left:.0%} of it is left")
    return made_part(PartName.URGENCY, value, evidence, note="; ".join(notes))


def _relevant(facts: ScoreFacts) -> ScorePart:
    if not facts.watched:
        return made_part(PartName.RELEVANCE, 0.0, (), note=NO_WATCHLIST)
    hits = sorted(facts.hits, key=_strength, reverse=True)
    evidence = [(_entry_words(hit), (hit.start, hit.end)) for hit in hits]
    return made_part(PartName.RELEVANCE, either(map(_strength, hits)), evidence)


def _strength(hit: WatchHit) -> float:
    return hit.entry.weight * (1.0 if hit.prominent else _PASSING)


def _entry_words(hit: WatchHit) -> str:
    times = f", {hit.count} times" if hit.count > 1 else ""
    return f"{hit.entry.term} ({hit.entry.kind.value}{times})"


def _novel(facts: ScoreFacts) -> ScorePart:
    if facts.duplicate:
        return made_part(PartName.NOVELTY, 0.0, (), note=DUPLICATE)
    new = [one for one in facts.seen if not one.earlier]
    rare = sum(_RARE**one.earlier for one in facts.seen)
    value = rare / (len(facts.seen) + _OLD_ONES)
    return made_part(PartName.NOVELTY, value, [(_name(one), (one.start, one.end)) for one in new])


def _name(one: SeenEntity) -> str:
    return one.name or one.value


def made_part(
    name: PartName, value: float, evidence: Iterable[tuple[str, tuple[int, int]]], *, note: str = ""
) -> ScorePart:
    """Return a part with the usual weight; its evidence is fit to be stored, each once."""
    kept: dict[str, tuple[int, int]] = {}
    for words, place in evidence:
        kept.setdefault(_UNFIT.sub(" ", words).strip()[:_WIDEST], place)
        if len(kept) == MOST_EVIDENCE:
            break
    return ScorePart(
        name=name.value,
        value=round(min(1.0, max(0.0, value)), _ROUND),
        weight=DEFAULT_WEIGHTS[name],
        evidence=tuple(kept),
        places=tuple(kept.values()),
        note=_UNFIT.sub(" ", note),
    )


def stale_in(facts: ScoreFacts, parts: Iterable[ScorePart]) -> float | None:
    """Return in how many days urgency gets less by age alone; None when there is none to lose."""
    urgent = any(one.name == PartName.URGENCY and one.value for one in parts)
    return fading(facts.age_days)[1] if urgent else None
