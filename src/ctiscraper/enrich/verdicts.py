"""From observables to mentions with verdicts: the features of each place and value, added up."""

from collections.abc import Iterable, Sequence

import msgspec

from ctiscraper.enrich.domains import registrable
from ctiscraper.enrich.features import MALICIOUS, SUSPICIOUS, points_of, verdict_of
from ctiscraper.enrich.kinds import HASHES, NETWORK, Kind, Observable
from ctiscraper.enrich.known import known
from ctiscraper.enrich.listed import Hit, Listed, host_in
from ctiscraper.enrich.surroundings import Surroundings
from ctiscraper.intelligence import MOST_MENTIONS, MOST_PLACES, Extractor, Mention, Verdict
from ctiscraper.packs.meanings import Meaning
from ctiscraper.packs.warninglists import WarningPack

# Named in reports for what they are; nobody is attacked from them.
_NAMED = frozenset(
    (Kind.CVE, Kind.ATTACK, Kind.YARA, Kind.SIGMA, Kind.SNORT, Kind.QUERY)
)  # fmt: skip
# What everybody's machines have too: by themselves they show nobody to be an intruder.
_COMMON = frozenset(
    (
        *(Kind.ASN, Kind.MAC, Kind.CIDR, Kind.FILE_NAME, Kind.FILE_PATH, Kind.REGISTRY_KEY),
        *(Kind.USER_AGENT, Kind.COMMAND_LINE),
    )
)
# Features that a known good value has, and those that no text can speak against.
_GOOD = frozenset(
    (
        *("harmless", "official", "security", "contact", "scanner", "reference_site"),
        *("popular_1k", "popular_10k", "popular_100k", "windows_file"),
    )
)
_SERVING = frozenset((Meaning.ABUSED, Meaning.SERVICE))
_HOSTING = frozenset(("abused", "popular_host"))
_SURE = frozenset(("reserved", "own_host"))
_PLACED = frozenset(("indicators", "titled", "infrastructure", "header", "table", "run"))
_SHOWN = frozenset(("header", "table", "list", "code", "run"))
_MEANT_TO_BE_READ = frozenset(("linked", "left_live", "cited"))


class _Judged(msgspec.Struct):
    """One thing while it is judged: its observables, and the reasons so far."""

    kind: Kind
    value: str
    host: str
    found: list[Observable]
    placed: list[str] = []
    known: list[str] = []
    points: float = 0.0
    good: bool = False

    def add(self, reason: str) -> None:
        self.known.append(reason)
        self.points += points_of((reason,))


class Verdicts:
    """Judges what a text names, by where it stands and what is known of it."""

    def __init__(self, pack: WarningPack) -> None:
        """Make the look-up in the warning lists, once."""
        self._listed = Listed(pack)

    def judge(
        self,
        text: str,
        html: str,
        observables: Sequence[Observable],
        article_url: str,
        source_host: str,
    ) -> list[Mention]:
        """Return each thing that observables name once, with its verdict and the reasons for it.

        `html` is the markup of the same words, empty where there is none. Only the first
        MOST_MENTIONS are judged and returned.
        """
        judged = _grouped(observables)
        open_ = [one for one in judged if one.kind not in _NAMED]
        host = source_host or host_in(Kind.URL, article_url.lower())
        own = registrable(host) or host
        around = Surroundings(text, html, observables)
        hits = self._listed.look_up([(one.kind, one.value) for one in open_])
        for one, listed in zip(open_, hits, strict=True):
            _judge(one, listed, own, around)
        _compare(open_)
        return [_mention(one) for one in judged]


def notes_on(observables: Iterable[Observable]) -> tuple[str, ...]:
    """Return what a reader should know of what was left out."""
    things = len({(one.kind, one.value) for one in observables})
    if things <= MOST_MENTIONS:
        return ()
    return (f"only the first {MOST_MENTIONS} of {things} observables were kept",)


def _grouped(observables: Iterable[Observable]) -> list[_Judged]:
    """Return each thing once, with its places in order."""
    found: dict[tuple[Kind, str], _Judged] = {}
    for one in observables:
        thing = found.get((one.kind, one.value))
        if thing is not None:
            thing.found.append(one)
        elif len(found) < MOST_MENTIONS:
            host = host_in(one.kind, one.value)
            found[one.kind, one.value] = _Judged(one.kind, one.value, host, [one])
    return list(found.values())


def _judge(one: _Judged, hits: Iterable[Hit], own: str, around: Surroundings) -> None:
    """Add the reasons that a thing has by itself, and those of its most telling place."""
    hits = tuple(hits)
    one.known = list(known(one.kind, one.value, one.host, hits, own))
    places = [around.reasons(place) for place in one.found[:MOST_PLACES]]
    one.placed = max(places, key=points_of) if len(places) > 1 else places[0]
    one.points = points_of(one.placed) + points_of(one.known)
    one.good = _is_platform(one, hits) or not _GOOD.isdisjoint(map(_name, one.known))


def _is_platform(one: _Judged, hits: Iterable[Hit]) -> bool:
    """Whether a domain itself serves everybody, or has below it what anybody puts there."""
    return one.kind is Kind.DOMAIN and any(
        hit.list.meaning in _SERVING and hit.matched == one.host for hit in hits
    )


def _compare(judged: list[_Judged]) -> None:
    """Add what a thing has in common with those that are surely indicators."""
    bad = [
        one
        for one in judged
        if one.points >= MALICIOUS and one.kind in NETWORK and not (one.good or _is_shadow(one))
    ]
    hosts = {one.host or one.value for one in bad if not _is_lent(one)}
    owners = {owner for host in hosts if (owner := registrable(host)) is not None}
    listed = {one.host for one in judged if one.host and one.good}
    counted = {(one.kind, one.value) for one in bad}
    for one in judged:
        if not one.host or (one.kind, one.value) in counted or one.good or _is_shadow(one):
            continue
        owner = registrable(one.host)
        if one.host in hosts:
            one.add(f"same_host:{one.host}")
        elif owner in owners and owner not in listed:
            one.add(f"same_owner:{owner}")


def _is_shadow(one: _Judged) -> bool:
    """Whether a URL stands nowhere but where its host does, and so bears nothing else out."""
    return all(place.listed for place in one.found)


def _is_lent(one: _Judged) -> bool:
    """Whether the host of a bad thing is that of many others, who are not to blame."""
    if one.kind is Kind.EMAIL:
        return True
    return one.kind is Kind.URL and not _HOSTING.isdisjoint(map(_name, one.known))


def _mention(one: _Judged) -> Mention:
    verdict, limits = (Verdict.MENTIONED, []) if one.kind in _NAMED else _verdict(one)
    return Mention(
        kind=one.kind,
        value=one.value,
        extractor=Extractor.OBSERVABLES,
        places=tuple((place.start, place.end) for place in one.found[:MOST_PLACES]),
        count=len(one.found),
        host=one.host,
        verdict=verdict,
        reasons=(*one.placed, *one.known, *limits),
    )


def _verdict(one: _Judged) -> tuple[Verdict, list[str]]:
    """Return the verdict of the points, and what it is limited by."""
    points = one.points
    if not _SURE.isdisjoint(map(_name, one.known)):
        return verdict_of(min(points, 0)), []
    if one.good and points < SUSPICIOUS and _is_clear(one):
        return Verdict.SUSPICIOUS, ["clearly_used"]
    if points >= MALICIOUS and one.good:
        return Verdict.SUSPICIOUS, ["known_good"]
    if points >= MALICIOUS and one.kind in _COMMON:
        return Verdict.SUSPICIOUS, ["context_only"]
    return verdict_of(points), []


def _is_clear(one: _Judged) -> bool:
    """Whether the text shows a value among its indicators, whatever is known of it."""
    names = set(map(_name, one.placed))
    if one.kind in HASHES:
        return bool(names & {"indicators", "header"}) and bool(names & _SHOWN)
    if one.kind not in NETWORK:
        return False
    if "defanged" in names:
        return bool(names & _PLACED)
    if names & _MEANT_TO_BE_READ or "security" in map(_name, one.known):
        return False
    return "indicators" in names and bool(names & _SHOWN)


def _name(reason: str) -> str:
    return reason.partition(":")[0]
