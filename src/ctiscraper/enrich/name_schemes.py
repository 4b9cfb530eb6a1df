"""Names that no list has: by the schemes that vendors name by, and those that a text gives."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from ctiscraper.enrich.name_context import KINDS, Surroundings
from ctiscraper.enrich.scan import Scan, pattern
from ctiscraper.intelligence import Name
from ctiscraper.packs.spelling import joined


@dataclass(frozen=True, slots=True)
class Coined:
    """A name that no list has, with its place."""

    kind: Name
    value: str
    name: str
    start: int
    end: int
    rule: str


# Numbers that vendors give to those whom they do not know yet.
_NUMBERED = pattern(
    r"""
    \b(?:APT[\s-]?\d{1,3}|T-APT-\d{1,3}|APT-[CKQN]-\d{1,3}|UNC[\s-]?\d{3,5}|FIN\d{1,2}|TA[1-9]\d{2,3}
    |DEV-\d{4}|Storm-\d{4}|UAC-\d{4}|UTA\d{4}|UAT-\d{4,5}|TAG-\d{2,4}|REF\d{4}|STAC\d{4}|ITG\d{2}
    |TG-\d{4}|CTG-\d{4}|ATK\d{1,3}|Hive0\d{3}|Larva-\d{5}|CL-(?:STA|CRI|UNK)-\d{4}
    |TGR-(?:STA|CRI|UNK)-\d{4}|UNK_[A-Z][A-Za-z]+|TEMP\.[A-Z][A-Za-z]+|GTG-\d{4}|SLIME\d{2,3})\b
    """
)
# Words that stand for a country or a motive behind another word, and metals before one.
_SECOND = pattern(
    r"""
    \s(?:Typhoon|Blizzard|Sandstorm|Sleet|Tempest|Tsunami|Flood|Hail|Panda|Bear|Kitten|Spider|Chollima
    |Buffalo|Jackal|Leopard|PANDA|BEAR|KITTEN|SPIDER|CHOLLIMA|BUFFALO|JACKAL|LEOPARD)\b
    """
)
_METAL = pattern(r"\b(?:ALUMINUM|BRONZE|COBALT|COPPER|GOLD|IRON|NICKEL|TIN|ZINC)\s[A-Z]{3,14}\b")
_FIRST = re.compile(r"(?<![A-Za-z0-9_.-])[A-Z][A-Za-z]{2,14}$")
_NO_ACTOR = frozenset(
    """
    american another asian atlantic baby big black brown category deadly flash giant great
    grizzly heavy huge ice indian large little major massive mega my new our pacific panda polar
    powerful red severe small snow some sun super teddy that the their this tropical violent
    water widow winter your
    """.split()  # noqa: SIM905 - read as words
)
_ACTORS = frozenset(word for word, kind in KINDS.items() if kind is Name.ACTOR) | frozenset(
    """
    activity attributed cluster espionage intrusion nexus sponsored threat tracked tracking
    """.split()  # noqa: SIM905 - read as words
)
_NEW = r"[A-Z][A-Za-z0-9]{2,23}(?:[\s-][A-Z][A-Za-z0-9]{2,23})?"
_NAMED = pattern(
    rf"""
    \b(?:call(?:ed)?|codenamed|code-named|dub(?:s|bed)|known|named?|nicknamed
    |track(?:s|ed)?)\s(?:by\s[A-Z]\w+\s(?:[A-Z]\w+\s)?)?(?:as\s)?(?:\x22|'|\xe2\x80\x9c|\xe2\x80\x98)?{_NEW}
    """
)
_NAME = re.compile(r"[A-Z][A-Za-z0-9]{2,23}(?:[ -][A-Z][A-Za-z0-9]{2,23})?$")
_KIND_BEHIND = pattern(
    r"""
    \s(?:ransomware|stealer|infostealer|backdoor|RAT|botnet|trojan|wiper|rootkit|bootkit|keylogger
    |spyware|malware)\b
    """
)
_NAME_BEFORE = re.compile(r"(?<![A-Za-z0-9_])[A-Z][A-Za-z0-9]{3,23}$")
_PLAIN_WORDS = frozenset(("ransomware", "stealer", "infostealer", "rat"))
# Words between what a thing is and what it is called.
_FILLING = frozenset(
    """
    a also and are as been being by commonly currently has have in internally is it itself
    microsoft mandiant now previously publicly researchers that the they track tracks undocumented
    was we were which who
    """.split()  # noqa: SIM905 - read as words
)
_THING = {
    **KINDS,
    "cluster": Name.ACTOR, "family": Name.MALWARE, "families": Name.MALWARE, "strain": Name.MALWARE,
    "variant": Name.MALWARE, "code": Name.MALWARE,
}  # fmt: skip
_NO_THING = frozenset(("name", "binary", "sample", "payload", "beacon"))
_MOST_FILLING, _NEAR, _LONGEST = 6, 80, 32
_OPENING_MARKS, _CLOSING_MARKS = "\"'\u201c\u2018", "\"'\u201d\u2019,."
_GOING_ON, _JOINING = frozenset("_(#/@"), frozenset((".", "-", ":"))
_MOST_COINED = 20
_INNER = re.compile(r"[a-z][A-Z0-9]|[0-9][A-Za-z]")
_LETTERS = 5


def find_schemes(scan: Scan, around: Surroundings) -> Iterator[Coined]:
    """Return the actors whose names follow a vendor's scheme."""
    text = scan.text
    for start, end in scan.find(_NUMBERED):
        if text[end : end + 1] == "." and text[end + 1 : end + 2].isdigit():
            continue
        name = re.sub(r"^(APT|UNC)[\s-](?=\d)", r"\1", text[start:end])
        yield Coined(Name.ACTOR, name.lower(), name, start, end, "scheme")
    for start, end in _two_words(scan):
        first, _, second = text[start:end].partition(" ")
        near = around.before(start)[-6:] + around.after(end)[:6]
        shown = next((word for word in near if word in _ACTORS), "")
        if shown and second and first.lower() not in _NO_ACTOR:
            name = f"{first} {second}"
            yield Coined(Name.ACTOR, name.lower(), name, start, end, f"scheme:{shown}")


def _two_words(scan: Scan) -> Iterator[tuple[int, int]]:
    """Return the places of two words that together may be an actor's name."""
    for start, end in scan.find(_SECOND):
        first = _FIRST.search(scan.text, max(0, start - _LONGEST), start)
        if first:
            yield first.start(), end
    yield from scan.find(_METAL)


def find_coined(scan: Scan, around: Surroundings, is_free: Callable[[str], bool]) -> list[Coined]:
    """Return what a text plainly calls malware, a tool or a group by a name that no list has."""
    kinds: dict[str, Name] = {}
    for name, kind in chain(_named(scan, around, is_free), _called(scan, around, is_free)):
        kinds.setdefault(name, kind)
        if len(kinds) == _MOST_COINED:
            break
    return [one for name, kind in kinds.items() for one in _everywhere(scan.text, kind, name)]


def _named(
    scan: Scan, around: Surroundings, is_free: Callable[[str], bool]
) -> Iterator[tuple[str, Name]]:
    """Return the names that stand behind a verb of naming, with what is named."""
    text = scan.text
    for start, end in scan.find(_NAMED):
        kind = _thing_before(around.before(start))
        found = _NAME.search(text, start, end) if kind is not None else None
        if found is None or kind is None:
            continue
        quoted = text[found.start() - 1] in _OPENING_MARKS
        closed = text[end : end + 1] in _CLOSING_MARKS and not text[end + 1 : end + 2].isalnum()
        if _ends(text, end) and (is_free(found[0]) or (quoted and closed)):
            yield found[0], kind


def _called(
    scan: Scan, around: Surroundings, is_free: Callable[[str], bool]
) -> Iterator[tuple[str, Name]]:
    """Return the names that stand before the word for what they are."""
    text = scan.text
    for start, end in scan.find(_KIND_BEHIND):
        found = _NAME_BEFORE.search(text, max(0, start - _LONGEST), start)
        if found is None or text[start] == "\n":
            continue
        name, word = found[0], text[start + 1 : end]
        inner = bool(_INNER.search(name)) and not name.isupper()
        plain = word.lower() in _PLAIN_WORDS and not name.isupper() and len(name) >= _LETTERS
        if not (inner or plain) or not is_free(name):
            continue
        if _begins(text, found.start()) and (inner or not around.opens_sentence(found.start())):
            yield name, KINDS[word.lower()]


def _begins(text: str, start: int) -> bool:
    """Whether a name is no part of a longer one: of two words with capitals, of an identifier."""
    before = text[max(0, start - _NEAR) : start]
    words = before.split(" ")
    last = words[-2] if len(words) > 1 and not words[-1] else ""
    return (not before or before[-1] in ' \n\t("\u201c\u2018') and not last[:1].isupper()


def _ends(text: str, end: int) -> bool:
    """Whether a name ends here, and no file name, call or number goes on with it."""
    after = text[end : end + 1]
    return after not in _GOING_ON and not (after in _JOINING and text[end + 1 : end + 2].isalnum())


def _everywhere(text: str, kind: Name, name: str) -> Iterator[Coined]:
    """Return the places of a name that a text gives."""
    start = text.find(name)
    while start >= 0:
        end = start + len(name)
        if not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()):
            yield Coined(kind, f"name:{joined(name)}", name, start, end, "named in the text")
        start = text.find(name, end)


def _thing_before(words: list[str]) -> Name | None:
    """Return what the last noun before a naming verb says that is named."""
    for word in reversed(words[-_MOST_FILLING:]):
        if word in _THING and word not in _NO_THING:
            return _THING[word]
        if word not in _FILLING:
            return None
    return None
