"""Urgency: what is being exploited, patched in haste or under attack, and how sure a text is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from ctiscraper.enrich.context import sentence_at
from ctiscraper.enrich.scan import Pattern, Scan, pattern
from ctiscraper.enrich.urgent_facts import OPENING, either


@dataclass(frozen=True, slots=True)
class _Signal:
    """A reason to hurry: alone it gives `strength`."""

    name: str
    strength: float
    wanted: Pattern


def _signal(name: str, strength: float, words: str) -> _Signal:
    return _Signal(name, strength, pattern(words, ignore_case=True))


_EXPLOITED = "exploited"
_SIGNALS = (
    _signal(_EXPLOITED, 0.55, r"""
        \b(?:actively\s+(?:being\s+)?exploit(?:ed|ing)|active(?:ly)?\s+exploitation
        |exploit(?:ed|ing|ation|s)?\s+(?:\w+\s+){0,3}in[\s-]the[\s-]wild
        |in[\s-]the[\s-]wild\s+exploit(?:ed|ation|s)?|under\s+(?:active\s+)?attack
        |(?:is|are|was|were|been|being)\s+(?:now\s+|already\s+)?exploited
        |exploited\s+as\s+(?:a\s+)?zero[\s-]days?|known\s+to\s+be\s+exploited
        |(?:attackers?|hackers?|actors?|groups?|gangs?)\s+(?:are\s+|is\s+|have\s+been\s+|now\s+)
            (?:actively\s+)?exploiting)\b
    """),
    _signal("mass exploitation", 0.5, r"""
        \b(?:mass(?:ive)?[\s-]+exploit(?:ation|ed|ing)|wide(?:ly|spread)\s+exploit(?:ation|ed)
        |exploited\s+en\s+masse|mass[\s-]+scanning|scanning\s+for\s+vulnerable|exploitation\s+wave)\b
    """),
    _signal("zero-day", 0.4, r"""
        \b(?:zero[\s-]day\s+initiative|(?:zero|0)[\s-]?days?(?:\s+(?:vulnerability|vulnerabilities|flaws?
        |exploits?|bugs?|attacks?))?)\b
    """),
    _signal("listed as exploited", 0.35, r"""
        \b(?:known\s+exploited\s+(?:vulnerability|vulnerabilities)|kev\s+(?:catalogue|catalog|list)|cisa(?:'s)?\s+kev)\b
    """),
    _signal("patch in haste", 0.35, r"""
        \b(?:out[\s-]of[\s-]band\s+(?:\w+\s+)?(?:patch(?:es)?|updates?|fix(?:es)?|release)
        |emergency\s+(?:\w+\s+)?(?:patch(?:es)?|updates?|fix(?:es)?|directive|hotfix(?:es)?)
        |(?:patch|update|upgrade|mitigate)\s+(?:\w+\s+){0,3}(?:immediately|at\s+once|right\s+away)
        |immediately\s+(?:patch|update|upgrade|apply|install|disconnect|isolate))\b
    """),
    _signal("ransomware under way", 0.35, r"""
        \b(?:ransom\s+(?:notes?|demands?)|double\s+extortion|(?:data\s+)?leak\s+site
        |ransomware\s+(?:attacks?|campaigns?|deployment|incidents?|infections?|operators?|affiliates?)
        |(?:deploy(?:s|ed|ing)?|deliver(?:s|ed|ing)?|drop(?:s|ped|ping)?)\s+(?:\w+\s+)?ransomware
        |encrypt(?:ed|ing)\s+(?:\w+\s+){0,2}(?:files|servers|systems|hosts|machines))\b
    """),
    _signal("exploit published", 0.3, r"""
        \b(?:proof[\s-]of[\s-]concept(?:\s+(?:exploits?|code))?|poc\s+(?:exploits?|code)
        |public(?:ly\s+available)?\s+exploits?|exploit\s+code|exploits?\s+(?:is|are|was|were)\s+
            (?:published|released|public|available)|metasploit\s+module)\b
    """),
    _signal("open without a login", 0.25, r"""
        \b(?:unauthenticated\s+(?:remote\s+)?(?:\w+\s+)?(?:attackers?|rce|code\s+execution)
        |pre[\s-]?auth(?:entication)?\s+(?:rce|remote|bypass|code)|wormable|zero[\s-]click
        |cvss\s+(?:\w+\s+){0,3}(?:of\s+)?(?:9\.\d|10(?:\.0)?))
    """),
    _signal("under way", 0.25, r"""
        \b(?:ongoing\s+(?:\w+\s+)?(?:campaigns?|attacks?|exploitation|activity|intrusions?)
        |(?:currently|now)\s+(?:being\s+)?(?:target(?:ing|ed)|exploit(?:ing|ed)|under\s+attack)
        |active\s+(?:campaigns?|intrusions?|breach))\b
    """),
)  # fmt: skip
_DENIED = pattern(
    r"""
    \b(?:no\s+(?:known\s+|public\s+|current\s+)?(?:evidence|indications?|signs?|reports?|instances?)
        \s+(?:of|that)\s+(?:\w+\s+){0,4}exploit(?:ed|ation|s)?
    |(?:not|un)\s?aware\s+of\s+(?:any\s+)?(?:\w+\s+){0,3}exploit(?:s|ed|ation|ing)?
    |(?:not|never)\s+(?:yet\s+)?been\s+(?:\w+\s+)?exploited|no\s+known\s+(?:active\s+)?exploit(?:s|ation)?
    |not\s+(?:yet\s+|currently\s+|known\s+to\s+be\s+)*exploited)\b
    """,
    ignore_case=True,
)
_HEDGE = re.compile(
    r"\b(?:could|may|might|can|would|if|potential|potentially|possible|possibly|theoretical"
    r"|theoretically|likely)\b",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"\b(?:no|not(?!\s+only)|never|without|neither|unaware|unlikely|none)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
_BEFORE, _BEHIND = 90, 50
_HEDGED = 0.35
_LATER = 0.6
# A denial halves what is left when nothing else says that it is exploited.
_DENIAL, _PARTLY = 0.5, 0.85
_MOST_LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class Urgency:
    """What the words of a text say, from 0 to 1; `places` are (0, 0) for words of its title."""

    value: float
    words: tuple[str, ...]
    places: tuple[tuple[int, int], ...]
    denied: bool


@dataclass(frozen=True, slots=True)
class _Hit:
    signal: _Signal
    strength: float
    words: str
    place: tuple[int, int]


def urgency(text: str, title: str = "") -> Urgency:
    """Return how urgent the words of an article say that it is."""
    hits = [*_hits(title, in_title=True), *_hits(text, in_title=False)]
    denials = [place for one in (title, text) for place in islice(Scan(one).find(_DENIED), 3)]
    best: dict[str, _Hit] = {}
    for hit in hits:
        kept = best.get(hit.signal.name)
        if kept is None or hit.strength > kept.strength:
            best[hit.signal.name] = hit
    shown = sorted((hit for hit in best.values() if hit.strength), key=lambda hit: -hit.strength)
    value = either(hit.strength for hit in shown)
    if denials:
        value *= _PARTLY if _EXPLOITED in {hit.signal.name for hit in shown} else _DENIAL
    return Urgency(
        value=value,
        words=tuple(hit.words for hit in shown),
        places=tuple(hit.place for hit in shown),
        denied=bool(denials),
    )


def _hits(text: str, *, in_title: bool) -> Iterator[_Hit]:
    scan = Scan(text)
    for signal in _SIGNALS:
        for start, end in islice(scan.find(signal.wanted), _MOST_LOOKED_AT):
            words = text[start:end]
            if words.lower().endswith("initiative"):
                continue
            certainty = _certainty(text, start, end)
            early = 1.0 if in_title or start < OPENING else _LATER
            place = (0, 0) if in_title else (start, end)
            yield _Hit(signal, signal.strength * certainty * early, words, place)


def _certainty(text: str, start: int, end: int) -> float:
    """Return how sure a text is of what it says at a place: 1, less for a hedge, 0 for a denial."""
    first, last = sentence_at(text, start, end)
    before = text[max(first, start - _BEFORE) : start]
    behind = text[end : min(last, end + _BEHIND)]
    if _NOT.search(before) or _NOT.search(behind):
        return 0.0
    return _HEDGED if _HEDGE.search(before) else 1.0
