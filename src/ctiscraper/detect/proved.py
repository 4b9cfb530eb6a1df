"""What of a rule its article proves: every value that it looks for, or the rule is not taken."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sigma.types import SigmaString

from ctiscraper.analysis.orders import orders_in
from ctiscraper.analysis.shown import shown, undrawn_in
from ctiscraper.analysis.traced import Traced
from ctiscraper.defang import refanged
from ctiscraper.detect.drafted import Event, Material, Quotation
from ctiscraper.detect.flaws import Flaw, RuleError
from ctiscraper.detect.replay import benign_events

TELLING = 4
"""So many characters are looked for anywhere in an article, fewer in what it shows alone."""

# What a pattern or a placeholder would match is not said by its words.
_NO_VALUES = frozenset({"re", "expand"})
_LOGGED = ("category", "product", "service")


@dataclass(slots=True, kw_only=True)
class Proof:
    """The article that the values of one rule are held against, as a reader sees it.

    What it says to a model proves nothing, nor does an event within that or within what is hidden.
    `left_out` counts the alternatives that it does not prove.
    """

    material: Material
    events: tuple[Event, ...]
    left_out: int = 0
    _found: dict[str, Quotation] = field(default_factory=dict)
    _seen: Traced = field(init=False)
    _orders: tuple[tuple[int, int], ...] = ()
    _useless: tuple[tuple[int, int], ...] = ()
    _lowered: str = ""
    _known: tuple[Event, ...] = ()
    _fields: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Look for orders once."""
        whole = self.material.text
        self._seen = shown(whole).traced
        text = self._seen.text
        self._orders = orders_in(text)
        ordered = (self._seen.original(*span) for span in self._orders)
        self._useless = (*ordered, *undrawn_in(whole))
        # Places hold only where each letter stays one.
        self._lowered = "".join(
            low if len(low := letter.lower()) == 1 else letter for letter in text
        )
        self._known = (*self.events, *benign_events())
        self._fields = frozenset(name for event in self._known for name in event.fields)

    @property
    def seen(self) -> str:
        """The article without what no reader sees."""
        return self._seen.text

    @property
    def evidence(self) -> tuple[Quotation, ...]:
        """The words that the values rest on, by their order in the rule."""
        return tuple(self._found.values())

    def log(self, given: Mapping[str, object]) -> dict[str, str]:
        """Return the log of a rule, if it is one that events here are of. Raises RuleError."""
        said = {name: str(given[name]) for name in _LOGGED if given.get(name)}
        for name, value in said.items():
            if value not in {getattr(event, name) for event in self._known}:
                raise RuleError(Flaw.UNKNOWN_LOG, f"no log here has the {name} {value!r}")
        return said

    def kept(self, part: object, modifiers: Sequence[str] = ()) -> object:
        """Return a part of a detection so far as it is proved. Raises RuleError.

        Of alternatives those stay that are; what has to hold together stays whole or not at all.
        """
        if isinstance(part, Mapping):
            return {key: self._under(str(key), value) for key, value in part.items()}
        if isinstance(part, list):
            return self._listed(part, modifiers)
        self._prove(part, modifiers)
        return part

    def quotation(self, value: str) -> Quotation | None:
        """Return where the article has a value in the very words, or shows what has it."""
        wanted = _bare(value)
        if len(wanted) >= TELLING:
            at = _outside(wanted, self._lowered, self._orders)
            if at >= 0:
                return self._quoted(value, *self._seen.original(at, at + len(wanted)))
        for event in self.events:
            if self._is_useless(event) or event.start >= event.end:
                continue
            if any(_has(words.lower(), wanted) for words in event.fields.values()):
                return self._quoted(value, event.start, event.end)
        return None

    def _under(self, key: str, value: object) -> object:
        name, *modifiers = key.split("|")
        if name and name not in self._fields:
            raise RuleError(Flaw.UNKNOWN_LOG, f"no log here has the field {name!r}")
        return self.kept(value, modifiers)

    def _listed(self, values: list[object], modifiers: Sequence[str]) -> list[object]:
        if "all" in modifiers:
            return [self.kept(one, modifiers) for one in values]
        proved: list[object] = []
        refused: RuleError | None = None
        for one in values:
            before = dict(self._found)
            try:
                proved.append(self.kept(one, modifiers))
            except RuleError as error:
                refused = error
                self._found = before
                self.left_out += 1
        if refused is not None and not proved:
            raise refused
        return proved

    def _prove(self, value: object, modifiers: Sequence[str]) -> None:
        if value is None or isinstance(value, bool):
            return
        if not _NO_VALUES.isdisjoint(modifiers):
            raise RuleError(
                Flaw.UNPROVED, "a pattern cannot be held against the article: write its words"
            )
        if "fieldref" in modifiers and value in self._fields:
            return
        pieces = SigmaString(value).s if isinstance(value, str) else (str(value),)
        for piece in pieces:
            if not isinstance(piece, str) or not _bare(piece):
                continue
            found = self.quotation(piece)
            if found is None:
                raise RuleError(Flaw.UNPROVED, f"the article does not have {piece.strip()!r}")
            self._found.setdefault(found.item, found)

    def _quoted(self, value: str, start: int, end: int) -> Quotation:
        words = self.material.text[start:end]
        return Quotation(item=value.strip(), quote=words, start=start, end=end)

    def _is_useless(self, event: Event) -> bool:
        return any(start < event.end and event.start < end for start, end in self._useless)


def _bare(value: str) -> str:
    return refanged(value).strip(" \\/").lower()


def _has(words: str, wanted: str) -> bool:
    """Whether words have others, which stand by themselves where they are short."""
    if len(wanted) >= TELLING:
        return wanted in words
    before = r"(?<!\w)" if wanted[:1].isalnum() else ""
    after = r"(?!\w)" if wanted[-1:].isalnum() else ""
    return re.search(f"{before}{re.escape(wanted)}{after}", words) is not None


def _outside(wanted: str, text: str, spans: Iterable[tuple[int, int]]) -> int:
    """Return where a text has words first, outside of some places; -1 where it has not."""
    at = text.find(wanted)
    while at >= 0:
        beyond = [end for start, end in spans if start < at + len(wanted) and at < end]
        if not beyond:
            return at
        at = text.find(wanted, max(beyond))
    return -1
