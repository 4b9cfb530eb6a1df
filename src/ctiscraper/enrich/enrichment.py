"""Everything that is claimed of one article: by every extractor, over the data packs in use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from ctiscraper.enrich import names as naming
from ctiscraper.enrich import score as scoring
from ctiscraper.enrich.attack import Techniques
from ctiscraper.enrich.kinds import Kind, Observable
from ctiscraper.enrich.names import Names
from ctiscraper.enrich.observables import find_observables
from ctiscraper.enrich.text_score import text_parts
from ctiscraper.enrich.verdicts import Verdicts, notes_on
from ctiscraper.intelligence import (
    MOST_MENTIONS,
    MOST_PLACES,
    Enrichment,
    Extractor,
    Mention,
)
from ctiscraper.messages import EnrichMessage
from ctiscraper.packs.attack_matrix import AttackPack
from ctiscraper.packs.records import NamesPack
from ctiscraper.packs.registry import read_known
from ctiscraper.packs.warninglists import WarningPack

OBSERVABLES_VERSION = "3"
ATTACK_VERSION = "2"

# Techniques are told from their ids by an extractor of their own.
_ELSEWHERE = frozenset({Kind.ATTACK})
_UNFIT = str.maketrans(dict.fromkeys((0, *range(0xD800, 0xE000)), "\ufffd"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """The recognisers, each made of a data pack; None where there is no such pack.

    `packs` are the versions of what they were made of, by the names of the packs.
    """

    verdicts: Verdicts | None = None
    techniques: Techniques | None = None
    names: Names | None = None
    packs: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Known:
    knowledge: Knowledge = field(default_factory=Knowledge)


_known = _Known()

_VERSIONS = {
    Extractor.OBSERVABLES: (OBSERVABLES_VERSION, "warninglists"),
    Extractor.ATTACK: (ATTACK_VERSION, "attack"),
    Extractor.NAMES: (naming.VERSION, "names"),
    Extractor.SCORE: (scoring.VERSION, ""),
}


def use_packs(paths: Mapping[str, str]) -> None:
    """Make the recognisers of the data packs in these files, for all texts from now on.

    Raises PackError for a damaged one.
    """
    _known.knowledge = knowledge_of({name: Path(path).read_bytes() for name, path in paths.items()})


def knowledge_of(packs: Mapping[str, bytes]) -> Knowledge:
    """Return the recognisers of data packs, by their names. Raises PackError."""
    needed = {pack for _, pack in _VERSIONS.values()}
    opened = [read_known(data) for name, data in packs.items() if name in needed]
    versions = {pack.info.name: pack.info.version for pack, _ in opened}
    made = Knowledge(packs=versions)
    for _, records in opened:
        match records:
            case WarningPack():
                made = _with(made, verdicts=Verdicts(records))
            case AttackPack():
                made = _with(made, techniques=Techniques(records))
            case NamesPack():
                made = _with(made, names=Names(records))
    return made


def _with(
    made: Knowledge,
    *,
    verdicts: Verdicts | None = None,
    techniques: Techniques | None = None,
    names: Names | None = None,
) -> Knowledge:
    return Knowledge(
        verdicts=verdicts or made.verdicts,
        techniques=techniques or made.techniques,
        names=names or made.names,
        packs=made.packs,
    )


def enrich_article(message: EnrichMessage, knowledge: Knowledge | None = None) -> Enrichment:
    """Return what an article names, and the parts of its score that its text gives.

    All extractors look, as the score rests on what all of them find; `versions` has those that
    the message asks for.
    """
    known = _known.knowledge if knowledge is None else knowledge
    mentions: list[Mention] = []
    notes: list[str] = []
    observables = find_observables(message.text, message.html)
    seen = [one for one in observables if one.kind not in _ELSEWHERE]
    notes += notes_on(seen)
    mentions += _judged(message, seen, known)
    for found, what in (
        (known.techniques.find(message.text) if known.techniques else [], "techniques"),
        (known.names.find(message.text) if known.names else [], "names"),
    ):
        mentions += found[:MOST_MENTIONS]
        if len(found) > MOST_MENTIONS:
            notes.append(f"only the first {MOST_MENTIONS} of {len(found)} {what} were kept")
    asked = message.extractors or tuple(_VERSIONS)
    return Enrichment(
        mentions=tuple(_fit(one) for one in mentions),
        parts=text_parts(message.text, message.title, mentions),
        versions={extractor: _version(extractor, known) for extractor in asked},
        notes=tuple(notes),
    )


def _judged(message: EnrichMessage, seen: Sequence[Observable], known: Knowledge) -> list[Mention]:
    if known.verdicts is None:
        return _unjudged(seen)[:MOST_MENTIONS]
    host = urlsplit(message.source_url).hostname or ""
    return known.verdicts.judge(message.text, message.html, seen, message.url, host)


def _unjudged(seen: Sequence[Observable]) -> list[Mention]:
    grouped: dict[tuple[Kind, str], list[Observable]] = {}
    for one in seen:
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


def _fit(mention: Mention) -> Mention:
    """Return a mention whose words the database takes: a text by hand may hold anything."""
    words = f"{mention.value}{mention.name}{mention.alias}{''.join(mention.reasons)}"
    if words.translate(_UNFIT) == words:
        return mention
    return msgspec.structs.replace(
        mention,
        value=mention.value.translate(_UNFIT),
        name=mention.name.translate(_UNFIT),
        alias=mention.alias.translate(_UNFIT),
        reasons=tuple(reason.translate(_UNFIT) for reason in mention.reasons),
    )


def _version(extractor: Extractor, known: Knowledge) -> str:
    """Return what an extractor was: of which version, over which pack."""
    version, pack = _VERSIONS[extractor]
    return f"{version}+{known.packs[pack]}" if pack in known.packs else version
