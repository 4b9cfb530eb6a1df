"""Everything that is claimed of one article, by each extractor that is asked."""

from collections.abc import Callable

from ctiscraper.enrich.kinds import Kind, Observable
from ctiscraper.enrich.observables import find_observables
from ctiscraper.intelligence import (
    MOST_MENTIONS,
    MOST_PLACES,
    Enrichment,
    Extractor,
    Mention,
    ScorePart,
)
from ctiscraper.messages import EnrichMessage

# Techniques are told from their ids by an extractor of their own.
_ELSEWHERE = frozenset({Kind.ATTACK})


def enrich_article(message: EnrichMessage) -> Enrichment:
    """Return what an article names, by the extractors that the message asks for."""
    asked = message.extractors or tuple(_STEPS)
    mentions: list[Mention] = []
    parts: list[ScorePart] = []
    notes: list[str] = []
    versions: dict[str, str] = {}
    for extractor in asked:
        step = _STEPS.get(extractor)
        if step is None:
            continue
        found = step(message)
        versions[extractor] = _VERSIONS[extractor]
        mentions += found[:MOST_MENTIONS]
        if len(found) > MOST_MENTIONS:
            notes.append(f"{extractor}: the first {MOST_MENTIONS:,} of {len(found):,} are kept")
    return Enrichment(
        mentions=tuple(mentions), parts=tuple(parts), versions=versions, notes=tuple(notes)
    )


def _observables(message: EnrichMessage) -> list[Mention]:
    grouped: dict[tuple[Kind, str], list[Observable]] = {}
    for one in find_observables(message.text):
        if one.kind not in _ELSEWHERE:
            grouped.setdefault((one.kind, one.value), []).append(one)
    return [
        Mention(
            kind=kind,
            value=value,
            extractor=Extractor.OBSERVABLES,
            places=tuple((one.start, one.end) for one in places[:MOST_PLACES]),
            count=len(places),
        )
        for (kind, value), places in grouped.items()
    ]


_STEPS: dict[Extractor, Callable[[EnrichMessage], list[Mention]]] = {
    Extractor.OBSERVABLES: _observables,
}
_VERSIONS = {Extractor.OBSERVABLES: "1"}
