"""What a model's words name, and whether the article names it too: models invent."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from ctiscraper.analysis.proof import normal_form
from ctiscraper.analysis.shown import without_unseen
from ctiscraper.analysis.traced import traced
from ctiscraper.wording import own_words

_SPELT = re.compile(
    r"""
    \bCVE-\d{4}-\d{3,9}\b                                   # ids
    | \bGHSA(?:-[0-9a-z]{4}){3}\b
    | \b(?:TA|[TMGSC])\d{4}(?:\.\d{3})?\b
    | \b[a-z][a-z0-9+.-]{1,12}://[^\s"'<>]+                 # addresses
    | [\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+
    | \b\d{1,3}(?:\.\d{1,3}){3}\b
    | \b[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){3,7}
    | \b[0-9a-f]{32,128}\b
    | (?:[A-Za-z]:|%\w{1,30}%|\\)\\[^\s"'<>|]+               # paths
    | \bHK(?:LM|CU|CR|U|CC|EY_\w+)\\[^\s"'<>|]+
    | (?<![\w/])/(?:[\w.-]+/)+[\w.-]*
    | \b(?:[\w-]{1,63}\.){1,8}[A-Za-z][A-Za-z0-9-]{1,23}\b  # hosts and names of files
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.])\d[\d,. ]*(?:\d|\b)")
# Those of a hash or of a name, such as APT28, count nothing; those of v10 do.
_DIGITS = re.compile(r"(?<![^\W_])v?(\d{1,30})")
_WORD = re.compile(r"[^\W_]+(?:[-'][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?:;][\"')\]]*\s*$")
_PARTS = re.compile(r"[-']")

_UNIT_WORDS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen
"""
_TEN_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
WORTH = {word: number for number, word in enumerate(_UNIT_WORDS.split())} | {
    word: 10 * number for number, word in enumerate(_TEN_WORDS.split(), 2)
}
_MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
# 2026-05-03 names a month too.
_DATES = re.compile(r"\b\d{4}-(0[1-9]|1[0-2])-[0-3]\d(?!\d)")
_MONTH_WORDS = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS = {name: number for number, name in enumerate(_MONTH_WORDS.split(), 1)}
_STEM = 4
# A name of so few letters is a word of its own in other capitals: US, IT.
_SHORT = 3
_ENDINGS = """
s es ed d n an ian ean ese i ish ic ing er ers or ors al en a e o y ies ion ions ation ations ment
ments ly ity ize ized ised able
"""
_KNOWN_ENDINGS = frozenset(("", *_ENDINGS.split()))
_PLAIN_ENDINGS = (
    "ing", "ly", "tion", "tions", "ment", "ments", "ness", "ized", "ised", "able", "ware", "ity",
)  # fmt: skip
# Words that are written in capitals everywhere, and name nothing that could be invented.
_COMMON_WORDS = """
api apis apt apts c2 c&c cc cti cve cves dc ddos dll dlls dns dos edr exe ftp gpo gui http https i
id ids ioc iocs ip ips it json lan ldap mfa ntlm os osint pc pcs pdf poc powershell raas rat rats
rce rdp sha siem smb smtp sms soc sql ssh ssl sso tcp tls ttp ttps udp uri url urls usb vba vm vms
vpn vpns waf wan windows xdr xml xss
"""
COMMON = frozenset(_COMMON_WORDS.split())


# Between parts of an address: "site.example" stands not in "evil-site.example".
_JOINTS = ".-_"


@cache
def _openers() -> frozenset[str]:
    text = files("ctiscraper.analysis").joinpath("openers.txt").read_text("utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return frozenset(word for line in lines for word in line.split())


@cache
def _peoples() -> dict[str, frozenset[str]]:
    text = files("ctiscraper.analysis").joinpath("peoples.txt").read_text("utf-8")
    lines = (line.split("; ") for line in text.splitlines() if not line.startswith("#"))
    return {form.casefold(): frozenset(forms) for forms in lines for form in forms}


@cache
def _compounds() -> re.Pattern[str]:
    """Names of countries and peoples of more than one word."""
    forms = {form for forms in _peoples().values() for form in forms if " " in form}
    longest = sorted(map(re.escape, forms), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(longest)})s?\b")


def forms_of(folded: str) -> frozenset[str]:
    """Return how else a country or its people, in lower case, are called; nothing of other words.

    Short ones, such as us, are words of their own in lower case.
    """
    known = _peoples()
    return known.get(folded) or known.get(folded.removesuffix("s"), frozenset())


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a text names: its words, and its addresses and ids in normal form."""

    text: str = field(repr=False)
    plain: str = field(repr=False)
    words: frozenset[str] = field(repr=False)
    spelt: frozenset[str] = field(repr=False)
    stems: dict[str, list[str]] = field(repr=False)
    numbers: frozenset[str] = field(repr=False)

    def has(self, name: str, *, strictly: bool = True) -> bool:
        """Whether a name stands here; one of a single word may do so in another form of it.

        `strictly` one that is an everyday word, such as Play, stands with its capitals.
        """
        plain = plainly(name)
        wanted = plain.casefold()
        # In lower case "us" is a word of its own.
        if (forms := forms_of(wanted)) and (plain != wanted or len(wanted) > _SHORT):
            return self._has_any(forms, as_written=plain != wanted)
        if not (_stands(wanted, self.text) or (wanted.isalpha() and self.knows(wanted))):
            return False
        words = (found[0] for found in _WORD.finditer(plain))
        return all(self._is_written(word, strictly=strictly) for word in words)

    def invented(self, claim: str, allowed: Iterable[str] = ()) -> str | None:
        """Return the first thing that a claim names and this text does not, None if there is none.

        Ids, addresses, hashes, paths, numbers and names are looked at; `allowed` may be named
        though they do not stand here.
        """
        claim = plainly(claim)
        free = vocabulary(*allowed)
        for name in _spelt(claim):
            if not any(_stands(name, one, _JOINTS) for one in (self.text, free.text)):
                return name
        rest = _SPELT.sub(" , ", claim)
        for found in _compounds().finditer(rest):
            if not self._has_any(forms_of(found[0].casefold()), as_written=True):
                return found[0]
        rest = _without_compounds(rest)
        for number in _numbers(rest):
            if number not in self.numbers and number not in free.numbers:
                return number
        return next(
            (
                name
                for name, is_first in _names(rest)
                if not (self.names(name, is_first=is_first) or free.knows(name))
            ),
            None,
        )

    def knows(self, word: str) -> bool:
        """Whether one word stands here, in a form of it."""
        folded = word.casefold().removesuffix("'s").removesuffix("'")
        if folded in self.words or folded in COMMON or folded.removesuffix("s") in self.words:
            return True
        if forms := forms_of(folded):
            return self._has_any(forms)
        parts = [part for part in _PARTS.split(folded) if part]
        if len(parts) > 1:
            return all(map(self.knows, parts))
        if _is_odd(word):
            return False
        others = self.stems.get(folded[:_STEM], ())
        return any(_is_close(folded, other) and not forms_of(other) for other in others)

    def spells(self, word: str) -> bool:
        """Whether one word stands here, as one or as many; what is written everywhere too."""
        folded = word.casefold()
        return folded in self.words or folded.removesuffix("s") in self.words

    def names(self, word: str, *, is_first: bool) -> bool:
        """Return whether a word that is written as a name stands here as one.

        Whether the first word of a sentence is a name cannot be told.
        """
        if is_first:
            return self.knows(word)
        if forms := forms_of(word.casefold().removesuffix("'s")):
            return self._has_any(forms, as_written=True)
        return self.knows(word) and self._is_written(word)

    def _is_written(self, word: str, *, strictly: bool = True) -> bool:
        """Whether a word has the capitals that it has here, where another means something else."""
        bare = word.removesuffix("'s").removesuffix("'")
        folded = bare.casefold()
        if bare == folded or folded in COMMON:
            return True
        if len(bare) <= _SHORT and (strictly or _is_odd(bare)):
            return not {bare, bare.removesuffix("s"), f"{bare}s"}.isdisjoint(self.spelt)
        if not strictly or is_plain(word) or not _is_everyday(bare):
            return True
        ends = {folded, folded.removesuffix("s"), f"{folded}s"}
        written = {form for one in ends for form in (one.capitalize(), one.upper())}
        return not written.isdisjoint(self.spelt)

    def _has_any(self, forms: Iterable[str], *, as_written: bool = False) -> bool:
        return any(self._has_form(form, as_written=as_written) for form in forms)

    def _has_form(self, form: str, *, as_written: bool) -> bool:
        if not form.isalpha():
            return _stands(form, self.plain)
        if as_written or len(form) <= _SHORT:
            written = {form, f"{form}s"} | ({form.upper()} if len(form) > _SHORT else set())
            return not written.isdisjoint(self.spelt)
        return self.spells(form) or f"{form.casefold()}s" in self.words


def vocabulary(*texts: str) -> Vocabulary:
    """Return what some texts name."""
    plain = plainly("\n".join(texts))
    whole = plain.casefold()
    words = {found[0] for found in _WORD.finditer(whole)}
    words |= {part for word in words for part in _PARTS.split(word)}
    stems: dict[str, list[str]] = {}
    for word in words:
        if len(word) >= _STEM:
            stems.setdefault(word[:_STEM], []).append(word)
    counted = _SPELT.sub(" ", whole)
    numbers = set(_numbers(counted)) | {str(WORTH[word]) for word in words if word in WORTH}
    numbers |= {str(_MONTHS[word[:3]]) for word in words if word[:3] in _MONTHS}
    numbers |= {str(int(one)) for one in _DIGITS.findall(counted)}
    spelt = {found[0] for found in _WORD.finditer(plain)}
    months = {_MONTH_NAMES[int(number) - 1] for number in _DATES.findall(plain)}
    spelt |= months
    words |= {month.casefold() for month in months}
    spelt |= {part for word in spelt for part in _PARTS.split(word)}
    return Vocabulary(whole, plain, frozenset(words), frozenset(spelt), stems, frozenset(numbers))


def plainly(text: str) -> str:
    """Return a text in the form that names are compared in, its capitals as they are."""
    return normal_form(traced(without_unseen(text))).text


def without_spelt(text: str) -> str:
    """Return a text in that form without its ids, addresses, hashes and paths."""
    return _SPELT.sub(" , ", plainly(text))


def names_in(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the words of a text that are written as names are, and whether each begins a sentence.

    Ids and addresses are left out, and countries of more than one word.
    """
    return _names(_without_compounds(without_spelt(text)))


def _without_compounds(text: str) -> str:
    return _compounds().sub(" , ", text)


def hard_names(text: str) -> frozenset[str]:
    """Return the ids, addresses and numbers of a text that are the same in every language."""
    normal = plainly(text)
    spelt = frozenset(_spelt(normal))
    return spelt | frozenset(_numbers(_SPELT.sub(" ", normal)))


def _spelt(text: str) -> Iterator[str]:
    for found in _SPELT.finditer(text):
        name = found[0].rstrip(".,:;!?)]}").casefold()
        if name not in {"e.g", "i.e", "etc", "u.s", "u.k"}:
            yield name


def _stands(name: str, text: str, joints: str = "") -> bool:
    """Whether a name stands in a text as a whole; no joint ties it to a longer one."""
    at = text.find(name) if name else -1
    while at >= 0:
        end = at + len(name)
        if not (_is_tied(text[max(0, at - 2) : at][::-1], name[0], joints)
                or _is_tied(text[end : end + 2], name[-1], joints)):  # fmt: skip
            return True
        at = text.find(name, at + 1)
    return False


def _is_tied(around: str, edge: str, joints: str) -> bool:
    """Whether a name goes on in the two characters beside its edge, the nearest first."""
    if not around or not edge.isalnum():
        return False
    return around[0].isalnum() or (around[0] in joints and around[1:].isalnum())


def _numbers(text: str) -> Iterator[str]:
    """Yield numbers of two digits at least, without what sets their digits apart."""
    for found in _NUMBER.finditer(text):
        whole = re.sub(r"[,.](?=\d{3}(?!\d))", "", found[0].strip(" ,."))
        for number in re.findall(r"\d{2,30}", whole):
            yield str(int(number))


def _names(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the words that are written as names are, and whether each is the first of a sentence.

    The first of a sentence is one where a name follows it, or where it is no word that sentences
    begin with.
    """
    found = list(_WORD.finditer(text))
    for at, word in enumerate(found):
        if not _is_capital(word[0]):
            continue
        follows = (
            at + 1 < len(found)
            and _is_capital(found[at + 1][0])
            and (text[word.end() : found[at + 1].start()].isspace())
        )
        first = at == 0 or bool(_SENTENCE_END.search(text[max(0, word.start() - 8) : word.start()]))
        if first and not _is_odd(word[0]) and not follows and is_plain(word[0]):
            continue
        if first and follows and word[0].casefold() in _openers():
            continue
        yield word[0], first


def _is_capital(word: str) -> bool:
    return any(char.isupper() for char in word)


def _is_odd(word: str) -> bool:
    """Whether a word has capitals or digits where words of a language have none."""
    return any(char.isupper() or char.isdigit() for char in word[1:])


def is_plain(word: str) -> bool:
    """Return whether sentences about attacks begin with a word that is no name."""
    folded = word.casefold()
    return folded in _openers() or folded.endswith(_PLAIN_ENDINGS)


def _is_everyday(word: str) -> bool:
    """Whether a word in the capitals of a name or of a heading is one that any text may have."""
    folded = word.casefold()
    everyday, _ = own_words()
    is_plain = word in {folded.capitalize(), word.upper()}
    return is_plain and (folded in everyday or folded.removesuffix("s") in everyday)


def _is_close(one: str, other: str) -> bool:
    """Whether two words are forms of one: alike but for endings that words have."""
    same = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        same += 1
    return same >= _STEM and {one[same:], other[same:]} <= _KNOWN_ENDINGS
