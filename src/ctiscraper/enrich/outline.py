"""What the section is about that a place of a text is in: indicators, references, advice."""

import re
from bisect import bisect_right
from collections.abc import Iterator

from ctiscraper.enrich.context import Sections
from ctiscraper.enrich.scan import Scan, pattern

# Headings that name indicators wherever they stand.
_INDICATORS = re.compile(
    r"""
    \bindicators?\b|\biocs?\b|\bhash(?:es)?\b|\bsha-?\s?(?:1|256|512)\b|\bmd5\b|\bobservables?\b
    |\bmalicious\s(?:\w+\s)?(?:domain|file|host|ip|package|site|url|extension|address)
    |\b(?:phishing|payload|staging|exfiltration|download)\s(?:\w+\s)?(?:domain|host|server|site|url)
    """,
    re.IGNORECASE | re.VERBOSE,
)
# Those that are about what indicators are taken from.
_INFRASTRUCTURE = re.compile(
    r"""
    \bc2s?\b|\bc&c\b|\bcommand[\s-](?:and|&)[\s-]control\b|\binfrastructure\b|\bsamples?\b
    |\barte?facts?\b|\bcompromised\b|^(?:appendix\b.*)$
    |^(?:(?:addresses\b|domain|e-?mail|file|host|ip|malware|network|payload|server|url|wallet)s?\b
       (?:\s(?:address(?:es)?|names?))?(?:\s(?:and|&)\s|[\s/,]+|$))+$
    """,
    re.IGNORECASE | re.VERBOSE,
)
_REFERENCES = re.compile(
    r"""
    \breferences?\b|\bfurther\sreading\b|\bsee\salso\b|\bread\smore\b|\blearn\smore\b|\bbibliograph
    |\b(?:additional|other|related|more)\s(?:articles|content|information|links|news|posts|reading
        |reports|resources|stories)\b
    |^(?:resources|sources|links|footnotes|notes|credits?|related)\b|\backnowledge?ments?\b|\babout\b
    |\bcontact\b|\bdisclaimer\b|\bdisclosure\b|\bcomments\b|\btrending\b|\bnewsletter\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_ADVICE = re.compile(
    r"""
    \bmitigat|\brecommend|\bremediat|\bprotect|\bworkarounds?\b|\bpatch(?:es|ing)?\b|\bupdates?\b
    |\baffected\b|\bbest\spractices\b|\bcustomers?\b|\bfix(?:es)?\b|\bsolutions?\b|\bdefen[cs]e
    |\bhow\swe\b|\bprevent
    """,
    re.IGNORECASE | re.VERBOSE,
)
_TOPICS = (
    ("indicators", _INDICATORS), ("infrastructure", _INFRASTRUCTURE),
    ("references", _REFERENCES), ("advice", _ADVICE),
)  # fmt: skip
# A heading of plain text (Markdown, AsciiDoc), and lines that are one without being marked as one.
_MARKED = pattern(r"(?m)^(?:={1,6}|\x23{1,6})\s[^\n]{2,120}$")
_LABEL = pattern(
    r"""
    (?im)^[\t\x20*_]*(?:appendix[^\n]{0,30}|[0-9.]{1,6}\s)?
    (?:(?:(?:network|host|file|malicious|key|c2|c&c|known|associated|related|additional)[\s-]
          (?:based\s)?){0,2}
       (?:indicators?(?:\sof\s(?:compromise|attack))?(?:\s?\(iocs?\))?|iocs?|hash(?:es)?|domains?
         |urls?|ips?|ip\saddress(?:es)?|sha-?256|sha-?1|md5|servers?|samples?)
      |references?|further\sreading|sources?|related\s(?:articles|posts|reading)
      |about\sthe\sauthors?|mitigations?|recommendations?)
    [\t\x20*_:]*$
    """
)
_SIGNS = "=# \t"
_LABEL_LEVEL = 7
_LONGEST_DETAIL = 60


class Outline:
    """The sections of a text that say what stands in them."""

    def __init__(self, scan: Scan, html: str) -> None:
        """Read the headings of the markup, or of the text where the markup has none."""
        self._starts: list[int] = []
        self._topics: list[tuple[str, str]] = []
        stack: list[tuple[int, tuple[str, str]]] = [(0, ("", ""))]
        for place, level, title in headings(scan, html):
            while len(stack) > 1 and stack[-1][0] >= level:
                stack.pop()
            topic = _topic(title)
            if topic == "indicators" and level == 1 and not self._starts:
                topic = "titled"
            if topic == "infrastructure" and stack[-1][1][0] == "indicators":
                # Servers in a section of indicators are listed as such.
                topic = "indicators"
            told = (topic, title[:_LONGEST_DETAIL]) if topic else stack[-1][1]
            stack.append((level, told))
            self._starts.append(place)
            self._topics.append(told)

    def at(self, place: int) -> str:
        """Return the reason that the section of a place gives, empty when it gives none."""
        number = bisect_right(self._starts, place) - 1
        topic, title = self._topics[number] if number >= 0 else ("", "")
        return f"{topic}:{title}" if topic else ""


def _topic(title: str) -> str:
    return next((topic for topic, wanted in _TOPICS if wanted.search(title)), "")


def headings(scan: Scan, html: str) -> Iterator[tuple[int, int, str]]:
    """Return where each heading stands, its level and its words, those of plain text as well."""
    text = scan.text
    found = Sections(text, html).headings()
    if not found:
        for start, end in scan.find(_MARKED):
            line = text[start:end]
            title = line.strip(_SIGNS)
            found.append((start, len(line) - len(line.lstrip("=#")), title))
    known = {place for place, _, _ in found}
    for start, end in scan.find(_LABEL):
        if start not in known:
            found.append((start, _LABEL_LEVEL, text[start:end].strip(" \t*_:")))
    return iter(sorted(found))
