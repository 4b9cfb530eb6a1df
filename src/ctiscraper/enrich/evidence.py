"""How much it weighs that two articles name the same thing: its kind, its rarity, the days."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log

from ctiscraper.enrich.commands import is_general
from ctiscraper.enrich.kinds import Kind
from ctiscraper.intelligence import Name, Verdict
from ctiscraper.story_facts import ArticleFacts, Candidate, EntityFacts, StoryReason

# With fewer articles than this nothing can be called rare yet.
LEAST_CORPUS = 1_000
# What was first seen so shortly before is new with the event, however many name it already.
NEW_DAYS = 21
NEW_COUNTS_AS = 3
# But what so large a part of all articles names is no news.
NEW_SHARE = 20
# What was named so long before or after comes up again and again, and marks no event.
RECURS_DAYS = 30
# A value that only one source has, and in many articles, belongs to its pages and to no event.
OWN_HABIT = 4
# Rarer than this a shared thing is evidence by itself; the rest bears out what others say.
ANCHOR = 0.6
# Below this a shared thing says nothing, and is not told of.
LEAST_WEIGHT = 0.02


@dataclass(frozen=True, slots=True)
class _Sort:
    """A sort of things: the most that all shared ones weigh together, and the days it holds.

    After `days` a shared thing weighs half of what it does on the same day; what `recurs` weighs
    so much of it.
    """

    name: str
    most: float
    days: float
    recurs: float = 1.0


_HASH = _Sort("hash", 3.0, 45, 0.9)
_NETWORK = _Sort("network", 3.0, 30, 0.5)
_CVE = _Sort("vulnerability", 1.5, 14, 0.7)
_NAME = _Sort("name", 0.8, 12)
_TRACE = _Sort("trace", 0.8, 30, 0.5)
_COMMON = _Sort("common", 0.15, 10)

# What one shared thing of each kind weighs when no other article has it.
_STRENGTH: dict[str, tuple[_Sort, float]] = {
    **dict.fromkeys(
        (Kind.SHA256, Kind.SHA1, Kind.SHA512, Kind.MD5, Kind.SSDEEP, Kind.CRYPTO_ADDRESS),
        (_HASH, 1.4),
    ),
    **dict.fromkeys((Kind.DOMAIN, Kind.ONION, Kind.URL), (_NETWORK, 1.2)),
    Kind.EMAIL: (_NETWORK, 0.9),
    **dict.fromkeys((Kind.IPV4, Kind.IPV6), (_NETWORK, 0.8)),
    **dict.fromkeys((Kind.CIDR, Kind.MAC, Kind.JA3, Kind.JA4), (_NETWORK, 0.3)),
    Kind.CVE: (_CVE, 0.95),
    **dict.fromkeys((Name.MALWARE, Name.RANSOMWARE, Name.ACTOR), (_NAME, 0.65)),
    Name.TOOL: (_NAME, 0.3),
    Kind.MUTEX: (_TRACE, 0.8),
    **dict.fromkeys((Kind.YARA, Kind.SIGMA, Kind.SNORT, Kind.QUERY), (_TRACE, 0.6)),
    Kind.COMMAND_LINE: (_TRACE, 0.5),
    **dict.fromkeys((Kind.FILE_PATH, Kind.REGISTRY_KEY, Kind.USER_AGENT), (_TRACE, 0.25)),
    Kind.FILE_NAME: (_TRACE, 0.2),
    **dict.fromkeys((Name.PRODUCT, Name.VENDOR), (_COMMON, 0.3)),
    **dict.fromkeys((Kind.ASN, Name.SECTOR, Name.COUNTRY), (_COMMON, 0.1)),
    **dict.fromkeys((Kind.ATTACK, Name.TECHNIQUE), (_COMMON, 0.03)),
}
_NONE = (_COMMON, 0.0)
# What is so weak even alone bears others out and is no evidence by itself.
_LEAST_ANCHOR = 0.5
# What administrators type, intruders do in every network.
_GENERAL = (_TRACE, 0.1)
# A name or a trace that so many sources have, over more than a month, is in general use.
MANY_SOURCES = 6
# Shown among links as often as among indicators: without a sign of harm it counts half.
_LINKED = frozenset({Kind.DOMAIN, Kind.URL, Kind.EMAIL, Kind.IPV4, Kind.IPV6, Kind.ONION})
# A vulnerability with who is hit or who uses it is an event, where either alone is a subject.
_WHO = frozenset({Name.PRODUCT, Name.VENDOR, Name.ACTOR, Name.MALWARE, Name.RANSOMWARE})
BOTH = 0.2

SHARES, ALSO_SHARES = "shares", "also_shares"


def rarity(one: EntityFacts, at: datetime, corpus: int) -> float:
    """Return from 0 (in every article) to 1 (in this one alone) how rare a thing is."""
    known = max(corpus, LEAST_CORPUS)
    articles = max(one.articles, 1)
    if is_new(one, at) and articles * NEW_SHARE <= known:
        articles = min(articles, NEW_COUNTS_AS)
    return max(0.0, log(known / articles) / log(known))


def is_new(one: EntityFacts, at: datetime) -> bool:
    """Return whether a thing came up with the event, so that many name it for that reason alone.

    Only vulnerabilities and hashes are taken so: in a young collection every name and every host
    was first seen a few days ago.
    """
    if one.first_seen is None or _STRENGTH.get(one.kind, _NONE)[0] not in {_CVE, _HASH}:
        return False
    return at - one.first_seen <= timedelta(days=NEW_DAYS)


def worth(one: EntityFacts, at: datetime, corpus: int, *, flagged: bool = False) -> float:
    """Return what it weighs that an article of the same moment shares this thing.

    `flagged` when the other article has it as something malicious.
    """
    if one.verdict == Verdict.BENIGN:
        return 0.0
    sort, strength = _strength(one)
    rare = rarity(one, at, corpus)
    if not is_anchor(one, at, corpus):
        return strength * rare * rare
    if one.verdict == Verdict.MENTIONED and one.kind in _LINKED and not flagged:
        strength /= 2
    return strength * rare * (sort.recurs if _recurs(one, at) else 1)


def is_anchor(one: EntityFacts, at: datetime, corpus: int) -> bool:
    """Return whether sharing a thing is evidence by itself."""
    sort, strength = _strength(one)
    if strength < _LEAST_ANCHOR or one.verdict == Verdict.BENIGN:
        return False
    if sort in {_NAME, _TRACE} and one.sources >= MANY_SOURCES and _recurs(one, at):
        return False
    if sort is _NAME and corpus < LEAST_CORPUS:
        # In a young collection every name is rare.
        return False
    return rarity(one, at, corpus) >= ANCHOR


def _strength(one: EntityFacts) -> tuple[_Sort, float]:
    if one.kind == Kind.COMMAND_LINE and is_general(one.value):
        return _GENERAL
    return _STRENGTH.get(one.kind, _NONE)


def is_name(reason: StoryReason) -> bool:
    """Return whether a reason is that both name the same actor or malware."""
    kind = reason.detail.partition(" ")[0]
    return _STRENGTH.get(kind, _NONE)[0] is _NAME


def fading(apart: float, days: float) -> float:
    """Return what is left of a weight after so many days apart."""
    return 1 / (1 + (apart / days) ** 2)


def days_apart(one: datetime, other: datetime) -> float:
    """Return how many days lie between two moments, whichever is first."""
    return abs((one - other).total_seconds()) / 86_400


def shared_reasons(article: ArticleFacts, other: Candidate, corpus: int) -> list[StoryReason]:
    """Return what the things that both name weigh, the heaviest first; evidence is `SHARES`."""
    apart = days_apart(article.at, other.article.at)
    same_source = article.source_id == other.article.source_id
    weighed = [
        (
            worth(one, article.at, corpus, flagged=one.id in other.flagged)
            * _habit(one, same_source=same_source),
            one,
        )
        for one in article.entities
        if one.id in other.shared
    ]
    by_sort: dict[_Sort, list[tuple[float, EntityFacts]]] = defaultdict(list)
    for weight, one in _one_each_host(weighed):
        by_sort[_STRENGTH[one.kind][0]].append((weight, one))
    reasons = [
        StoryReason(
            name=SHARES if is_anchor(one, article.at, corpus) else ALSO_SHARES,
            weight=weight,
            detail=f"{one.kind} {one.name or one.value}",
        )
        for sort, found in by_sort.items()
        for weight, one in _within(found, sort.most, fading(apart, sort.days))
    ]
    kinds = {one.kind for _, one in weighed}
    if Kind.CVE in kinds and kinds & _WHO:
        reasons.append(StoryReason(name="both", weight=BOTH * fading(apart, _CVE.days)))
    return sorted(reasons, key=lambda reason: (reason.name != SHARES, -reason.weight))


def _recurs(one: EntityFacts, at: datetime) -> bool:
    span = timedelta(days=RECURS_DAYS)
    before = one.first_seen is not None and at - one.first_seen > span
    return before or (one.last_seen is not None and one.last_seen - at > span)


def _habit(one: EntityFacts, *, same_source: bool) -> float:
    if not same_source or one.sources > 1 or _STRENGTH.get(one.kind, _NONE)[0] is _CVE:
        return 1.0
    return 0.3 if one.articles >= OWN_HABIT else 0.8


def _one_each_host(
    weighed: Iterable[tuple[float, EntityFacts]],
) -> Iterable[tuple[float, EntityFacts]]:
    """Return the heaviest of what lies at one host: a URL and its domain are one thing."""
    best: dict[str, tuple[float, EntityFacts]] = {}
    for weight, one in weighed:
        if weight < LEAST_WEIGHT:
            continue
        place = f"host:{one.host}" if one.host else f"{one.kind}:{one.value}"
        if place not in best or best[place][0] < weight:
            best[place] = (weight, one)
    return best.values()


def _within(
    found: list[tuple[float, EntityFacts]], most: float, left: float
) -> Iterable[tuple[float, EntityFacts]]:
    """Return what is left of the weights of one sort, their sum kept to what the sort may weigh."""
    for weight, one in sorted(found, key=lambda each: -each[0]):
        kept = min(weight, most)
        most -= kept
        if kept * left >= LEAST_WEIGHT:
            yield kept * left, one
