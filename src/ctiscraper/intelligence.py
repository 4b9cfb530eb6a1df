"""What is claimed of a text, each claim with the places that say so."""

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """What a value that stands in a text is held to be; nothing is ever left out for it."""

    MALICIOUS = "malicious"
    SUSPICIOUS = "suspicious"
    MENTIONED = "mentioned"
    BENIGN = "benign"


class Name(StrEnum):
    """The kinds of what texts name by a name, beside the observables of `enrich.kinds`."""

    TECHNIQUE = "technique"
    ACTOR = "actor"
    MALWARE = "malware"
    RANSOMWARE = "ransomware"
    TOOL = "tool"
    SECTOR = "sector"
    COUNTRY = "country"
    VENDOR = "vendor"
    PRODUCT = "product"


class Extractor(StrEnum):
    """What finds claims; each has a version of its own and is run again by itself."""

    OBSERVABLES = "observables"
    ATTACK = "attack"
    NAMES = "names"
    SCORE = "score"


class Mention(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a text names, with its places: `text[start:end]` are its words.

    `value` identifies the thing within its `kind`; `name` is what readers call it where that
    differs. `count` is how often it stands there, `places` the first of them. `reasons` are the
    features that the verdict rests on, each `feature` or `feature:detail`; `alias` is the name
    that matched, `rule` what recognised a behaviour.
    """

    kind: str
    value: str
    extractor: Extractor
    places: tuple[tuple[int, int], ...]
    count: int
    name: str = ""
    host: str = ""
    verdict: Verdict | None = None
    reasons: tuple[str, ...] = ()
    alias: str = ""
    rule: str = ""


class ScorePart(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a score: its value from 0 to 1, its weight, and the words that gave it.

    `places[n]` is where `evidence[n]` stands in the text, (0, 0) for what stands nowhere there.
    `note` says why a part has no weight here, or what lowers it.
    """

    name: str
    value: float
    weight: float
    evidence: tuple[str, ...] = ()
    places: tuple[tuple[int, int], ...] = ()
    note: str = ""


class Enrichment(msgspec.Struct, frozen=True, kw_only=True):
    """All that is claimed of one text by the extractors that were asked.

    `versions` has what each of them was, `notes` what was left out and why.
    """

    mentions: tuple[Mention, ...]
    parts: tuple[ScorePart, ...]
    versions: dict[str, str]
    notes: tuple[str, ...] = ()


MOST_MENTIONS = 5_000
"""How many different things of one text are kept; a note says when there were more."""

MOST_PLACES = 50
"""How many places of one thing in one text are kept; `count` counts all."""

# Days after which a value says half as much: addresses change hands, files never do. Orders as in
# "Decaying Indicators of Compromise" (Iklody et al., 2018), set by hand.
_HALF_LIVES = {
    "ipv4": 30.0, "ipv6": 30.0, "cidr": 60.0, "url": 30.0, "domain": 90.0, "email": 180.0,
    "onion": 180.0, "ja3": 180.0, "ja4": 180.0, "user_agent": 180.0, "crypto_address": 365.0,
    "md5": 365.0, "sha1": 365.0, "sha256": 365.0, "sha512": 365.0, "ssdeep": 365.0,
}  # fmt: skip
_HALF_LIFE = 365.0


def freshness(kind: str, days: float) -> float:
    """Return how much a thing last seen so many days ago still says, from 1 down towards 0."""
    return float(0.5 ** (max(days, 0.0) / _HALF_LIVES.get(kind, _HALF_LIFE)))
