"""Everything that is claimed of one article, by each extractor that is asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ctiscraper.enrich.kinds import Kind, Observable
from ctiscraper.enrich.observables import find_observables
from ctiscraper.enrich.verdicts import Verdicts
from ctiscraper.intelligence import (
    MOST_MENTIONS,
    MOST_PLACES,
    Enrichment,
    Extractor,
    Mention,
    ScorePart,
)
from ctiscraper.messages import EnrichMessage
from ctiscraper.packs import warninglists
from ctiscraper.packs.registry import read_known
from ctiscraper.packs.warninglists import WarningPack

OBSERVABLES_VERSION = "1"

# Techniques are told from their ids by an extractor of their own.
_ELSEWHERE = frozenset({Kind.ATTACK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """The recognisers, each made of a data pack; None where there is no such pack.

    `packs` are the versions of what they were made of, by the names of the packs.
    """

    verdicts: Verdicts | None = None
    packs: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Known:
    knowledge: Knowledge = field(default_factory=Knowledge)


_known = _Known()


def use_packs(paths: Mapping[str, str]) -> None:
    """Make the recognisers of the data packs in these files, for all texts from now on.

    Raises PackError for a damaged one.
    """
    _known.knowledge = knowledge_of({name: Path(path).read_bytes() for name, path in paths.items()})


def knowledge_of(packs: Mapping[str, bytes]) -> Knowledge:
    """Return the recognisers of data packs, by their names. Raises PackError."""
    versions: dict[str, str] = {}
    verdicts = None
    for name, data in packs.items():
        if name not in (warninglists.NAME,):
            continue
        pack, records = read_known(data)
        versions[name] = pack.info.version
        if isinstance(records, WarningPack):
            verdicts = Verdicts(records)
    return Knowledge(verdicts=verdicts, packs=versions)


def enrich_article(message: EnrichMessage, knowledge: Knowledge | None = None) -> Enrichment:
    """Return what an article names, by the extractors that the message asks for."""
    known = _known.knowledge if knowledge is None else knowledge
    mentions: list[Mention] = []
    parts: list[ScorePart] = []
    notes: list[str] = []
    versions: dict[str, str] = {}
    for extractor in message.extractors or tuple(_STEPS):
        step = _STEPS.get(extractor)
        if step is None:
            continue
        found = step(message, known)
        versions[extractor] = _version(extractor, known)
        mentions += found[:MOST_MENTIONS]
        if len(found) > MOST_MENTIONS:
            notes.append(f"{extractor}: the first {MOST_MENTIONS:,} of {len(found):,} are kept")
    return Enrichment(
        mentions=tuple(mentions), parts=tuple(parts), versions=versions, notes=tuple(notes)
    )


def _observables(message: EnrichMessage, known: Knowledge) -> list[Mention]:
    found = [one for one in find_observables(message.text) if one.kind not in _ELSEWHERE]
    if known.verdicts is None:
        return _unjudged(found)
    host = urlsplit(message.source_url).hostname or ""
    return known.verdicts.judge(message.text, message.html, found, message.url, host)


def _unjudged(found: Sequence[Observable]) -> list[Mention]:
    grouped: dict[tuple[Kind, str], list[Observable]] = {}
    for one in found:
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


def _version(extractor: Extractor, known: Knowledge) -> str:
    """Return what an extractor was: of which version, over which pack."""
    version, pack = _VERSIONS[extractor]
    return f"{version}+{known.packs[pack]}" if pack in known.packs else version


_VERSIONS = {Extractor.OBSERVABLES: (OBSERVABLES_VERSION, warninglists.NAME)}
_STEPS: dict[Extractor, Callable[[EnrichMessage, Knowledge], list[Mention]]] = {
    Extractor.OBSERVABLES: _observables,
}
