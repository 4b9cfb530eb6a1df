"""The watchlist held against an article: by what it names, and by its words."""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from ctiscraper.enrich.kinds import Kind
from ctiscraper.enrich.terms import Found, Terms
from ctiscraper.intelligence import Mention, Name
from ctiscraper.weighing import WatchHit, WatchKind, WatchTerm

KINDS: dict[WatchKind, frozenset[str]] = {
    WatchKind.VENDOR: frozenset({Name.VENDOR}),
    WatchKind.PRODUCT: frozenset({Name.PRODUCT, Name.TOOL}),
    WatchKind.SECTOR: frozenset({Name.SECTOR}),
    WatchKind.COUNTRY: frozenset({Name.COUNTRY}),
    WatchKind.ACTOR: frozenset({Name.ACTOR}),
    WatchKind.MALWARE: frozenset({Name.MALWARE, Name.RANSOMWARE, Name.TOOL}),
    WatchKind.TECHNIQUE: frozenset({Name.TECHNIQUE, Kind.ATTACK}),
    WatchKind.CVE: frozenset({Kind.CVE}),
    WatchKind.DOMAIN: frozenset({Kind.DOMAIN, Kind.ONION, Kind.URL, Kind.EMAIL}),
    WatchKind.KEYWORD: frozenset(),
}
"""Which kinds of mentions an entry of a kind can be."""

# An article is about what stands in its title, at its beginning, or often.
_OPENING = 600
_OFTEN = 3
_NOWHERE = (0, 0)


class Watch:
    """The entries of a watchlist, ready for texts."""

    def __init__(self, entries: Sequence[WatchTerm]) -> None:
        self._entries = tuple(entries)
        # A domain is looked for among the hosts that were found: in words it may be another's end.
        self._terms = Terms(
            ["" if one.kind is WatchKind.DOMAIN else one.term for one in self._entries]
        )
        self._named: dict[tuple[str, str], list[int]] = {}
        for number, one in enumerate(self._entries):
            for kind in KINDS[one.kind]:
                self._named.setdefault((kind, one.term.casefold()), []).append(number)

    def __len__(self) -> int:
        return len(self._entries)

    def hits(self, title: str, text: str, mentions: Iterable[Mention]) -> tuple[WatchHit, ...]:
        """Return the entries that an article has, in the order of the watchlist."""
        if not self._entries:
            return ()
        found = self._terms.find(text)
        for mention in mentions:
            for number in self._entries_of(mention):
                _add(found.setdefault(number, Found()), mention)
        in_title = self._terms.find(title)
        return tuple(
            _hit(one, found.get(number), in_title=number in in_title)
            for number, one in enumerate(self._entries)
            if number in found or number in in_title
        )

    def _entries_of(self, mention: Mention) -> set[int]:
        names = {mention.value, mention.name, mention.alias}
        names |= set(_wider(mention))
        return {
            number
            for name in names
            for number in self._named.get((mention.kind, name.casefold()), ())
        }


def host_in(kind: str, value: str) -> str:
    """Return the host of a domain, URL or mail address, empty for anything else."""
    if kind == Kind.URL:
        try:
            return urlsplit(value).hostname or ""
        except ValueError:
            return ""
    if kind == Kind.EMAIL:
        return value.rpartition("@")[2]
    return value if kind in {Kind.DOMAIN, Kind.ONION} else ""


def _wider(mention: Mention) -> Iterable[str]:
    """Return what a value is part of: domains above a host, the technique of its part."""
    if mention.kind in KINDS[WatchKind.TECHNIQUE]:
        yield mention.value.partition(".")[0]
    host = host_in(mention.kind, mention.value)
    while host:
        yield host
        host = host.partition(".")[2]


def _add(found: Found, mention: Mention) -> None:
    """Count a mention whose words were perhaps found as words too."""
    found.count = max(found.count, mention.count)
    found.places = sorted({*found.places, *mention.places[:1]})


def _hit(entry: WatchTerm, found: Found | None, *, in_title: bool) -> WatchHit:
    count = found.count if found else 0
    start, end = found.places[0] if found and found.places else _NOWHERE
    early = bool(found and found.places) and start < _OPENING
    return WatchHit(
        entry=entry,
        count=count + in_title,
        prominent=in_title or early or count >= _OFTEN,
        start=start,
        end=end,
    )
