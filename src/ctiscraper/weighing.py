"""What a score is made of beside a text: weights, the watchlist, and facts from the database."""

import re
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from ctiscraper.errors import CatalogError


class PartName(StrEnum):
    """The parts of a score, in the order in which they are shown."""

    HUNTABILITY = "huntability"
    URGENCY = "urgency"
    RELEVANCE = "relevance"
    NOVELTY = "novelty"
    KEYWORDS = "keywords"


Weights = Mapping[str, float]

DEFAULT_WEIGHTS: Weights = {
    PartName.HUNTABILITY: 0.4,
    PartName.URGENCY: 0.25,
    PartName.RELEVANCE: 0.25,
    PartName.NOVELTY: 0.1,
    PartName.KEYWORDS: 0.0,
}


class WatchKind(StrEnum):
    """What an entry of the watchlist names."""

    VENDOR = "vendor"
    PRODUCT = "product"
    SECTOR = "sector"
    COUNTRY = "country"
    ACTOR = "actor"
    MALWARE = "malware"
    TECHNIQUE = "technique"
    CVE = "cve"
    DOMAIN = "domain"
    KEYWORD = "keyword"


SHORTEST_TERM, LONGEST_TERM = 2, 200
LONGEST_NOTE = 400
LEAST_WEIGHT = 0.001
DEFAULT_WATCH_WEIGHT = 0.5

# No host is hidden deeper; who sends a million brackets is not to keep the page busy.
_MOST_PASSES = 20
_SPACES = re.compile(r"\s+")
_UNFIT = re.compile("[\0-\x1f\x7f\ud800-\udfff]")
_SCHEME, _BEHIND_HOST = re.compile(r"^[a-z]+://"), re.compile(r"[/:?#].*$")
_FORMS: Mapping[str, tuple[re.Pattern[str], str]] = {
    WatchKind.CVE: (re.compile(r"CVE-\d{4}-\d{4,}"), "CVE-2026-12345"),
    WatchKind.DOMAIN: (re.compile(r"[^\s@.]+(?:\.[^\s@.]+)+"), "example.com"),
}


class WatchGiven(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the watchlist as it is to be kept."""

    kind: WatchKind
    term: str
    weight: float = DEFAULT_WATCH_WEIGHT
    note: str = ""


def watch_given(
    kind: str, term: str, weight: float = DEFAULT_WATCH_WEIGHT, note: str = ""
) -> WatchGiven:
    """Return an entry in its normal form. Raises CatalogError with all that is wrong in it."""
    faults = []
    if kind not in frozenset(WatchKind):
        faults.append(f"{kind!r} is no kind: {', '.join(WatchKind)}")
    term = normal_term(kind, term)
    if not SHORTEST_TERM <= len(term) <= LONGEST_TERM or _UNFIT.search(term):
        faults.append(f"a term has {SHORTEST_TERM} to {LONGEST_TERM} characters, all of them seen")
    form = _FORMS.get(kind)
    if form and not form[0].fullmatch(term):
        faults.append(f"{term!r} should read like {form[1]}")
    if not LEAST_WEIGHT <= weight <= 1:
        faults.append(f"the weight {weight:g} should be at least {LEAST_WEIGHT:g} and at most 1")
    if len(note) > LONGEST_NOTE or _UNFIT.search(note):
        faults.append(f"a note has at most {LONGEST_NOTE} characters, all of them seen")
    if faults:
        raise CatalogError(faults)
    return WatchGiven(kind=WatchKind(kind), term=term, weight=weight, note=note)


def normal_term(kind: str, term: str) -> str:
    """Return a term with single spaces; numbers in upper case, a domain alone and in lower."""
    term = _SPACES.sub(" ", term).strip()
    if kind == WatchKind.CVE or (kind == WatchKind.TECHNIQUE and term[1:5].isdigit()):
        return term.upper()
    if kind == WatchKind.DOMAIN:
        return _plain_host(term.lower())
    return term


def _plain_host(text: str) -> str:
    """Return what is left once nothing more can be taken off, within a few passes."""
    for _ in range(_MOST_PASSES):
        plain = text.replace("[.]", ".").replace("hxxp", "http")
        plain = _BEHIND_HOST.sub("", _SCHEME.sub("", plain)).lstrip("*. ").rstrip(". ")
        if plain == text:
            break
        text = plain
    return text


class WatchTerm(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the watchlist; one match alone makes `weight` (0 to 1) of relevance."""

    id: int
    kind: WatchKind
    term: str
    weight: float = DEFAULT_WATCH_WEIGHT


class WatchHit(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the watchlist in one article.

    `count` is how often it stands there, `start` and `end` where first (both 0 when its title
    alone has it); `prominent` is what an article is about rather than what it mentions.
    """

    entry: WatchTerm
    count: int
    prominent: bool
    start: int = 0
    end: int = 0


class SeenEntity(msgspec.Struct, frozen=True, kw_only=True):
    """What an article names, and how many articles did before it (counted to a few)."""

    kind: str
    value: str
    name: str = ""
    earlier: int = 0
    start: int = 0
    end: int = 0


class CveFact(msgspec.Struct, frozen=True, kw_only=True):
    """A CVE of an article with what is known of it; None where nothing is.

    `kev_age` is how many days before the article CISA listed it as exploited, negative when it
    was listed after.
    """

    id: str
    count: int = 1
    start: int = 0
    end: int = 0
    cvss: float | None = None
    epss: float | None = None
    epss_percentile: float | None = None
    kev_added: str = ""
    kev_age: float | None = None
    kev_ransomware: bool = False


class ScoreFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the score of one article depends on beside its text.

    `watched` is whether there is a watchlist at all.
    """

    age_days: float = 0.0
    duplicate: bool = False
    seen: tuple[SeenEntity, ...] = ()
    cves: tuple[CveFact, ...] = ()
    watched: bool = False
    hits: tuple[WatchHit, ...] = ()
