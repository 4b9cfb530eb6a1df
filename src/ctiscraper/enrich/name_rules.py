"""Whether a text means a thing by a name that stands in it, and why."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ctiscraper.enrich.name_context import EVERYDAY, KINDS, Surroundings
from ctiscraper.enrich.name_labels import Label, Policy
from ctiscraper.intelligence import Name

# Names of countries that are also those of people, of states and of things.
_OTHER_COUNTRIES = frozenset(
    "chad dominica georgia grenada guinea jersey jordan mali niger oman reunion togo".split()  # noqa: SIM905 - read as words
)
_NOT_FIRST = frozenset("chad georgia jordan polish swiss turkey".split())  # noqa: SIM905 - read as words
_PLACED = frozenset("across against from in into of targeting throughout".split())  # noqa: SIM905 - read as words
_ADDRESS = re.compile(
    r"://|hxxp|www\.|@|\[\.\]|\.(?:com|net|org|info|io|ru|cn|xyz|top|php|html?)\b"
)
_NAME_BEFORE = re.compile(r"(?<![A-Za-z])[A-Z][a-z]+ $")
_FILE = re.compile(r"\.(?:apk|bat|bin|dat|dll|docx?|exe|jar|js|lnk|ps1|py|sys|vbs|xlsx?|zip)\b")
_PATH, _JOINS = frozenset(("\\", "_", "!", "@", "#", "=")), frozenset("/.-%&+")
_PROGRAM = ".exe"
_WORD = 60
_LINK = 300
_FAR = 300
_NO_RANSOMWARE = frozenset(
    "backdoor botnet infostealer keylogger rat rootkit spyware stealer trojan wiper worm".split()  # noqa: SIM905 - read as words
)
_MADE_TO_HARM = frozenset((Name.MALWARE, Name.RANSOMWARE))
_SOFTWARE = _MADE_TO_HARM | {Name.TOOL}
_SHORT = 3


@dataclass(slots=True)
class Hit:
    """A place where a label stands: `rule` says why it is believed, empty where it is not.

    `said` is what the words around it say that it is, `grouped` whether they call it a group.
    """

    start: int
    end: int
    key: str
    label: Label
    raw: str
    said: set[Name] = field(default_factory=set)
    grouped: bool = False
    rule: str = ""


class Judge:
    """Judges the hits of one text."""

    def __init__(
        self, around: Surroundings, sectors: frozenset[str], ordinary: frozenset[str]
    ) -> None:
        """Take the words around places, those that sectors consist of, and those of every day."""
        self._around, self._sectors, self._everyday = around, sectors, ordinary
        self._is_linking = "](" in around.text
        self._rules: Mapping[Policy, Callable[[Hit], str]] = {
            Policy.TELLING: self._telling,
            Policy.PLAIN: self._plain,
            Policy.CASED: self._cased,
            Policy.SHORT: self._short,
            Policy.ORDINARY: self._ordinary,
            Policy.EXACT: self._exact,
            Policy.BRAND: self._brand,
            Policy.MADE: self._made,
            Policy.PHRASE: self._phrase,
            Policy.BESIDE: self._sector,
        }

    def may_be(self, hit: Hit) -> bool:
        """Whether a hit is written as a name is; false for the many words that are only words."""
        policy, raw, written = hit.label.policy, hit.raw, hit.label.written
        if policy >= Policy.PHRASE:
            return raw in written if raw.isupper() or written[0].isupper() else True
        if policy >= Policy.EXACT:
            return raw in written or self._has_signs(hit)
        if self._is_lowered_brand(hit):
            return False
        if policy in (Policy.CASED, Policy.ORDINARY, Policy.SHORT):
            return self._has_capitals(hit) or self._is_program(hit)
        return True

    def _is_lowered_brand(self, hit: Hit) -> bool:
        """Whether a word of everyday language is one that ransomware writes in capitals: STOP."""
        label = hit.label
        return (
            label.policy is Policy.ORDINARY
            and label.kinds == {Name.RANSOMWARE}
            and all(map(str.isupper, label.written))
            and not hit.raw.isupper()
        )

    def _has_signs(self, hit: Hit) -> bool:
        """Whether the signs that end a name stand behind its letters; the hit has them then."""
        for name in hit.label.written:
            if name.rstrip("+") == hit.raw and self._around.text.startswith(name, hit.start):
                hit.raw, hit.end = name, hit.start + len(name)
                return True
        return False

    def judge(self, hit: Hit) -> None:
        """Say in a hit what the text says of it, and why it is believed."""
        if hit.label.policy <= Policy.ORDINARY:
            around = self._around
            hit.said = (
                around.said_after(hit.end)
                or around.said_before(hit.start)
                or around.named_as(hit.start)
                or ({Name.ACTOR} if self._is_linked(hit) else set())
            )
            hit.grouped = Name.ACTOR in hit.said and around.is_group(hit.start, hit.end)
            if self._is_program(hit):
                hit.end += len(_PROGRAM)
                hit.rule = f"program:{hit.raw}{_PROGRAM}"
                return
            if self._is_in_address(hit):
                return
        hit.rule = self._rules[hit.label.policy](hit)

    def may_follow(self, hit: Hit) -> bool:
        """Whether a name may be believed because of others that are."""
        around = self._around
        if self._is_in_address(hit) or self._is_compound(hit):
            return False
        if hit.label.policy <= Policy.PLAIN:
            return True
        return self._has_capitals(hit) and not around.is_shouting(hit.start, hit.end)

    def may_repeat(self, hit: Hit) -> bool:
        """Whether a capital says something: within a sentence, or where its words say the rest."""
        around = self._around
        if hit.label.policy <= Policy.CASED or hit.said:
            return True
        return not (around.opens_sentence(hit.start) or around.is_headline(hit.start, hit.end))

    def is_another(self, hit: Hit) -> bool:
        """Whether a text has a word for a brand of ransomware as the name of something else."""
        return (
            hit.label.policy is Policy.ORDINARY
            and hit.label.kinds == {Name.RANSOMWARE}
            and bool(set(self._around.after(hit.end)[:2]) & _NO_RANSOMWARE)
        )

    def is_cased(self, hit: Hit) -> bool:
        """Whether a name is written as one, so that a text on attacks may mean it."""
        around = self._around
        if hit.label.policy is Policy.PLAIN:
            return not hit.raw.islower()
        return (
            hit.label.policy is Policy.CASED
            and not around.opens_sentence(hit.start)
            and not around.is_headline(hit.start, hit.end)
        )

    def beside(self, hit: Hit, starts: Mapping[int, Hit], ends: Mapping[int, Hit]) -> str:
        """Return a rule where a hit stands in a list beside a believed name; empty elsewhere."""
        for side, place in self._around.beside(hit.start, hit.end):
            other = (ends if side == "before" else starts).get(place)
            if other is not None:
                return f"beside:{other.raw}"
        return ""

    def _is_linked(self, hit: Hit) -> bool:
        """Whether something is attributed to a name that only actors have."""
        return hit.label.kinds == {Name.ACTOR} and self._around.is_linked(hit.start)

    def _has_capitals(self, hit: Hit) -> bool:
        raw = hit.raw
        if hit.label.policy is Policy.SHORT or len(raw) <= _SHORT:
            return raw in hit.label.written and not raw.islower()
        if hit.label.policy is Policy.CASED:
            return all(not word[0].islower() for word in re.split(r"[\W_]+", raw) if len(word) > 3)  # noqa: PLR2004 - of, the, and
        return raw[0].isupper() or raw[0].isdigit()

    def _is_program(self, hit: Hit) -> bool:
        text, end = self._around.text, hit.end
        after = text[end : end + len(_PROGRAM) + 1].lower()
        return (
            after[: len(_PROGRAM)] == _PROGRAM
            and not after[len(_PROGRAM) :].isalnum()
            and " " not in hit.raw
            and hit.label.policy <= Policy.ORDINARY
            and Name.TOOL in hit.label.kinds
        )

    def _is_in_address(self, hit: Hit) -> bool:
        """Whether a name is part of an address, a path, a file's name or a longer identifier."""
        text, start, end = self._around.text, hit.start, hit.end
        before, after = text[start - 1 : start] if start else "", text[end : end + 1]
        if before in _PATH or (after in _PATH and after != "!"):
            return True
        if after == "." and _FILE.match(text, end, end + 6):
            return True
        if self._is_linking and self._is_in_link(start):
            return True
        dotted = after == "." and text[end + 1 : end + 2].isalnum()
        if not (before in _JOINS or dotted or (after in _JOINS and after != ".")):
            return False
        if Policy.PLAIN < hit.label.policy <= Policy.ORDINARY:
            return "/" not in (before, after)
        first = max(text.rfind(space, max(0, start - _WORD), start) for space in " \n\t(") + 1
        word = text[max(first, start - _WORD) : end + _WORD].split(maxsplit=1)[0]
        return bool(_ADDRESS.search(word)) or hit.raw.islower()

    def _is_in_link(self, start: int) -> bool:
        link = self._around.text.rfind("](", max(0, start - _LINK), start)
        return link >= 0 and self._around.text.find(")", link, start) < 0

    def _is_compound(self, hit: Hit) -> bool:
        """Whether a name is written as the plain word that two everyday words make: lookback.

        Programs are called by their names in small letters.
        """
        raw, label = hit.raw, hit.label
        if label.policy > Policy.PLAIN or not raw.islower() or raw in label.written:
            return False
        return Name.TOOL not in label.kinds and any(
            raw[:cut] in self._everyday and raw[cut:] in self._everyday
            for cut in range(_SHORT, len(raw) - _SHORT + 1)
        )

    def _compound(self, hit: Hit) -> str:
        """Believe a compound if what it is stands right behind it, or before it as *called*."""
        around = self._around
        behind = KINDS.get("".join(around.after(hit.end)[:1]))
        is_called = behind in hit.said or bool(around.named_as(hit.start))
        return self._context(hit) if is_called and self._fits(hit) else ""

    def _telling(self, hit: Hit) -> str:
        raw, label = hit.raw, hit.label
        if self._is_compound(hit):
            return self._compound(hit)
        if hit.said or any(map(str.isdigit, raw)):
            return "telling"
        if not raw.islower():
            return "" if self._is_surname(hit) else "telling"
        return "telling" if Name.TOOL in label.kinds and " " not in raw else ""

    def _is_surname(self, hit: Hit) -> bool:
        """Whether a word with a capital stands behind another in a text on other things."""
        around, start = self._around, hit.start
        before = _NAME_BEFORE.search(around.text, max(0, start - _WORD), start)
        if before is None or not hit.raw.istitle() or around.opens_sentence(before.start()):
            return False
        return not around.is_field(start, hit.end)

    def _plain(self, hit: Hit) -> str:
        if self._is_compound(hit):
            return self._compound(hit)
        if hit.said:
            return self._context(hit)
        near = "" if hit.raw.islower() else self._around.is_field(hit.start, hit.end)
        return f"telling:{near}" if near else ""

    def _cased(self, hit: Hit) -> str:
        around = self._around
        if hit.said:
            return self._context(hit)
        if around.is_headline(hit.start, hit.end) or around.is_shouting(hit.start, hit.end):
            return ""
        near = around.is_field(hit.start, hit.end)
        return f"cased:{near}" if near else ""

    def _short(self, hit: Hit) -> str:
        around = self._around
        if around.is_shouting(hit.start, hit.end):
            return ""
        if hit.said:
            return self._context(hit)
        if len(hit.raw) <= _SHORT:
            return ""
        near = around.is_field(hit.start, hit.end)
        return f"cased:{near}" if near else ""

    def _ordinary(self, hit: Hit) -> str:
        around = self._around
        if not hit.said or around.is_shouting(hit.start, hit.end):
            return ""
        if around.opens_sentence(hit.start) and not around.named_as(hit.start):
            return ""
        if around.is_headline(hit.start, hit.end):
            return ""
        if not self._fits(hit):
            return ""
        word = self._word(hit)
        if word in EVERYDAY and not around.is_field(hit.start, hit.end):
            return ""
        return f"context:{word}"

    def _fits(self, hit: Hit) -> bool:
        """Whether what is said of a name is what the lists say of it."""
        kinds, around = hit.label.kinds, self._around
        if self.is_another(hit):
            return False
        for said in hit.said:
            if said in kinds or (said in _MADE_TO_HARM and kinds & _SOFTWARE):
                return True
            if said is Name.ACTOR and Name.RANSOMWARE in kinds:
                return "ransom" in around.text[max(0, hit.start - _FAR) : hit.end + _FAR].lower()
        return hit.raw.isupper() and hit.raw in hit.label.written

    def _context(self, hit: Hit) -> str:
        return f"context:{self._word(hit)}"

    def _word(self, hit: Hit) -> str:
        words = [*self._around.after(hit.end)[:5], *reversed(self._around.before(hit.start))]
        return next((it for it in words if KINDS.get(it) in hit.said), "linked")

    def _exact(self, hit: Hit) -> str:
        if self._is_in_address(hit):
            return ""
        if Name.COUNTRY in hit.label.kinds:
            return self._country(hit)
        return "exact"

    def _country(self, hit: Hit) -> str:
        around = self._around
        if hit.key in _NOT_FIRST and around.opens_sentence(hit.start):
            return ""
        if len(hit.raw) <= _SHORT and around.is_shouting(hit.start, hit.end):
            return ""
        if hit.key in _OTHER_COUNTRIES:
            before = around.before(hit.start)
            follows = around.text[hit.end : hit.end + 3].lstrip(" ,")
            if not before or before[-1] not in _PLACED or follows[:1].isupper():
                return ""
        return "country"

    def _brand(self, hit: Hit) -> str:
        around = self._around
        if self._is_in_address(hit):
            return ""
        if around.opens_sentence(hit.start) or around.is_headline(hit.start, hit.end):
            near = around.is_made(hit.start, hit.end)
            return f"product:{near}" if near else ""
        return "exact"

    def _made(self, hit: Hit) -> str:
        around = self._around
        if (
            self._is_in_address(hit)
            or around.opens_sentence(hit.start)
            or around.is_headline(hit.start, hit.end)
        ):
            return ""
        near = around.is_made(hit.start, hit.end)
        return f"product:{near}" if near else ""

    def _phrase(self, hit: Hit) -> str:
        return "" if self._is_in_address(hit) else "phrase"

    def _sector(self, hit: Hit) -> str:
        if self._is_in_address(hit):
            return ""
        around = self._around
        after = around.text[hit.end : hit.end + 2].lstrip()
        if hit.raw[0].isupper() and after.isupper() and not around.opens_sentence(hit.start):
            # `Infrastructure Security Agency` is a name.
            return ""
        return "sector" if around.names_sector(hit.end, self._sectors) else ""
