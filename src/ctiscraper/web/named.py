"""What an article names, made ready for its page: marks in the body, and a list by kind."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from urllib.parse import urlsplit

from markupsafe import Markup

from ctiscraper.enrich.domains import registrable
from ctiscraper.entity_views import MentionView, TeamVerdict
from ctiscraper.intelligence import Verdict
from ctiscraper.triage_views import PlacedHighlight
from ctiscraper.views import ArticleDetail, ScoredPart
from ctiscraper.web.article_html import present, without_links
from ctiscraper.web.highlights import (
    Highlighted,
    Place,
    highlight,
    highlight_quotes,
    highlight_words,
)
from ctiscraper.web.kind_words import kind_group, kind_order, kind_words, shown
from ctiscraper.web.verdict_words import ReasonWords, found_by, reason_of, verdict_words

MOST_EVIDENCE = 400
"""How many things of an article have their evidence on its page; the rest have it on their own."""

MOST_LISTED = 2_000
"""How many things of an article its page lists."""

_LONGEST_TITLE = 120
_GRAVITY = {Verdict.MALICIOUS: 0, Verdict.SUSPICIOUS: 1, None: 1, Verdict.MENTIONED: 2}
_HARMLESS = 3
_ARMED = frozenset({Verdict.MALICIOUS.value, Verdict.SUSPICIOUS.value})
_HOSTS = frozenset({"domain", "onion", "ipv4", "ipv6"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedThing:
    """A thing that an article names; without `evidence` only its row is shown."""

    number: int
    mention: MentionView
    words: str
    reasons: tuple[ReasonWords, ...]
    found_by: str
    decisions: tuple[TeamVerdict, ...]
    domains: tuple[str, ...]
    evidence: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedKind:
    """The things of one kind, the gravest first; `total` counts those as well that are left out."""

    kind: str
    words: str
    group: str
    things: tuple[NamedThing, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What an article names; `unlisted` of them are counted alone."""

    kinds: tuple[NamedKind, ...]
    total: int
    unlisted: int
    without_evidence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedBody:
    """The body of an article with its marks; `unmarked` places have none, so many have one.

    `anchors` are the numbers of the places that its score rests on, of those that stand in it.
    `quoted` are the addresses of the places that models quoted.
    """

    markup: Markup
    unmarked: int
    places: int
    anchors: Mapping[tuple[int, int], int]
    quoted: Mapping[tuple[int, int], str]


def marked_body(
    article: ArticleDetail,
    mentions: Sequence[MentionView],
    chosen: Sequence[PlacedHighlight] = (),
    quotes: Iterable[tuple[int, int]] = (),
) -> MarkedBody:
    """Return the body of an article with a mark at each place of what it names.

    `chosen` are the words that people marked besides, `quotes` the places that models quoted.
    """
    markup = Markup(without_links(present(article.html), *_armed(mentions)))  # noqa: S704 - it was
    if not markup and article.text:
        markup = Markup('<p class="text">{}</p>').format(article.text)
    places = [
        Place(start, end, mention.entity.id)
        for mention in mentions
        for start, end in zip(mention.starts, mention.ends, strict=True)
    ]
    attributes = {mention.entity.id: _attributes(mention) for mention in mentions}
    anchors = evidence_places(article.parts)
    found = highlight(
        str(markup),
        article.text,
        places,
        attributes,
        [Place(*place, number) for place, number in anchors.items()],
    )
    numbered = {place: number for number, place in enumerate(sorted(set(quotes)), 1)}
    quoted = _with_quotes(_with_chosen(found.markup, article.text, chosen), article.text, numbered)
    return MarkedBody(
        markup=quoted.markup,
        quoted={at: f"#q-{n}" for at, n in numbered.items() if n in quoted.anchored},
        unmarked=found.unmarked,
        places=len(places) - found.unmarked,
        anchors={at: number for at, number in anchors.items() if number in found.anchored},
    )


def _with_quotes(markup: Markup, text: str, numbered: Mapping[tuple[int, int], int]) -> Highlighted:
    if not numbered:
        return Highlighted(markup, 0)
    places = [Place(*place, number) for place, number in numbered.items()]
    return highlight_quotes(str(markup), text, places)


def _with_chosen(markup: Markup, text: str, chosen: Sequence[PlacedHighlight]) -> Markup:
    places = [
        Place(one.start, one.end, one.highlight.id)
        for one in chosen
        if one.start is not None and one.end is not None
    ]
    if not places:
        return markup
    titles = {one.highlight.id: f"Marked by {one.highlight.author}" for one in chosen}
    return highlight_words(str(markup), text, places, titles)


def evidence_places(parts: Iterable[ScoredPart]) -> dict[tuple[int, int], int]:
    """Return the places that a score rests on, each with a number from 1."""
    places = sorted({place for part in parts for place in part.places if place[0] < place[1]})
    return {place: number for number, place in enumerate(places, 1)}


def _armed(mentions: Sequence[MentionView]) -> tuple[set[str], set[str]]:
    """Return the hosts and the URLs that nobody should open from here by accident."""
    bad = [one.entity for one in mentions if one.verdict in _ARMED]
    hosts = {one.value for one in bad if one.kind in _HOSTS}
    return hosts, {one.value.rstrip("/") for one in bad if one.kind == "url"}


def _attributes(mention: MentionView) -> str:
    entity = mention.entity
    words = shown(entity)
    if len(words) > _LONGEST_TITLE:
        words = f"{words[:_LONGEST_TITLE]}\N{HORIZONTAL ELLIPSIS}"
    verdict = verdict_words(mention.verdict)
    title = f"{kind_words(entity.kind)}: {words}{f' ({verdict.lower()})' if verdict else ''}"
    values = {
        "data-e": str(entity.id),
        "data-kind": entity.kind,
        "data-group": kind_group(entity.kind),
        "data-v": mention.verdict or "",
        "title": title,
    }
    return " ".join(f'{name}="{escape(value)}"' for name, value in values.items() if value)


def named(
    mentions: Sequence[MentionView], decisions: Mapping[int, tuple[TeamVerdict, ...]]
) -> Named:
    """Return what an article names, by kind; the gravest come first and have their evidence."""
    by_kind: dict[str, list[MentionView]] = {}
    for mention in sorted(mentions, key=_rank):
        by_kind.setdefault(mention.entity.kind, []).append(mention)
    # Each kind in its turn, so that one with thousands leaves room for the others.
    ranked = [one for turn in zip_longest(*by_kind.values()) for one in turn if one is not None]
    things: dict[str, list[NamedThing]] = {}
    for number, mention in enumerate(ranked[:MOST_LISTED]):
        thing = _thing(
            mention, decisions.get(mention.entity.id, ()), evidence=number < MOST_EVIDENCE
        )
        things.setdefault(mention.entity.kind, []).append(thing)
    kinds = (
        NamedKind(
            kind=kind,
            words=kind_words(kind),
            group=kind_group(kind),
            things=tuple(found),
            total=len(by_kind[kind]),
        )
        for kind, found in sorted(things.items(), key=lambda item: (kind_order(item[0]), item[0]))
    )
    return Named(
        kinds=tuple(kinds),
        total=len(ranked),
        unlisted=max(0, len(ranked) - MOST_LISTED),
        without_evidence=max(0, len(ranked) - MOST_EVIDENCE),
    )


def _rank(mention: MentionView) -> tuple[int, int]:
    verdict = Verdict(mention.verdict) if mention.verdict else None
    return _GRAVITY.get(verdict, _HARMLESS), mention.starts[0] if mention.starts else 0


def _thing(
    mention: MentionView, decisions: tuple[TeamVerdict, ...], *, evidence: bool
) -> NamedThing:
    entity = mention.entity
    return NamedThing(
        number=entity.id,
        mention=mention,
        words=shown(entity),
        reasons=reason_list(mention.reasons),
        found_by=found_by(mention),
        decisions=decisions,
        domains=domains_of(entity.kind, entity.value) if evidence else (),
        evidence=evidence,
    )


def reason_list(stored: Iterable[str]) -> tuple[ReasonWords, ...]:
    """Return stored reasons in words; which rule recognised a behaviour stands elsewhere."""
    return tuple(reason_of(one) for one in stored if not one.startswith("rule:"))


def domains_of(kind: str, value: str) -> tuple[str, ...]:
    """Return the domains that a decision on a value may cover: its host, and what is above that.

    The last is the part that someone registered: what is above it is nobody's.
    """
    host = value
    if kind == "url":
        try:
            host = urlsplit(value).hostname or ""
        except ValueError:
            return ()
    elif kind == "email":
        host = value.rpartition("@")[2]
    elif kind not in ("domain", "onion"):
        return ()
    return domains_above(host)


def domains_above(host: str) -> tuple[str, ...]:
    """Return a host name and the domains above it, down to what someone registered."""
    host = host.lower().strip(".")
    labels = host.split(".")
    own = ".".join(labels[-2:]) if host.endswith(".onion") else registrable(host)
    if not own or "." not in own:
        return ()
    least = own.count(".") + 1
    return tuple(".".join(labels[number:]) for number in range(len(labels) - least + 1))
