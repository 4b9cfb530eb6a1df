"""The words around a name that say what it is."""

import re
from collections.abc import Iterator

from ctiscraper.intelligence import Name

_WORDS: dict[Name, str] = {
    Name.RANSOMWARE: "ransomware ransom",
    Name.ACTOR: """
        actor actors adversary affiliate affiliates apt apts collective crew crews cybercriminals
        cyberspies developer developers gang gangs group groups hacker hackers hacktivists operator
        operators raas spies syndicate
    """,
    Name.MALWARE: """
        adware backdoor backdoors banker beacon beacons binaries binary bootkit botnet botnets bots
        cryptominer downloader downloaders dropper droppers implant implants infections infostealer
        infostealers keylogger loader loaders malware miner payload payloads rat rats rootkit
        rootkits sample samples spyware stager stealer stealers trojan trojans webshell webshells
        wiper wipers worm worms
    """,
    Name.TOOL: "framework frameworks tool toolkit toolkits toolset tools utilities utility",
}
KINDS: dict[str, Name] = {word: kind for kind, said in _WORDS.items() for word in said.split()}
"""The words that say what the name beside them is."""

_GROUPS = frozenset("actor actors collective crew gang gangs group groups syndicate".split())  # noqa: SIM905 - read as words
# Between a name and the word for what it is.
_BETWEEN = frozenset(
    """
    a access advanced android as attack banking based command control credential crime crypto
    cryptocurrency cyber cybercrime cybercriminal cyberespionage data double encryption espionage
    exploit extortion hacking information info infamous iot known linux macos malicious mining
    mobile modular new notorious open persistent phishing post exploitation proxy red remote s
    russian chinese iranian sandbox service source spear stealing team teaming threat variant web
    windows family point sale of
    """.split()  # noqa: SIM905 - read as words
)
_FAMILIES = frozenset(("family", "families", "variant", "variants", "strain", "strains"))
# Behind them stands what somebody calls a thing.
_NAMING = frozenset(
    """
    aka alias called calls codenamed dubbed dubs known name named names nicknamed tracked tracks
    """.split()  # noqa: SIM905 - read as words
)
_LINKING = (("attributed", "to"), ("linked", "to"), ("associated", "with"), ("aligned", "with"))
_ARTICLES = frozenset(("a", "an", "as", "the", "new"))
EVERYDAY = frozenset(
    """
    actor affiliate affiliates banker beacon beacons binaries binary bots collective crew crews
    developer developers framework frameworks group groups infections miner operator operators rat
    rats sample samples spies syndicate tool toolkit toolkits toolset tools utilities utility worm
    worms
    """.split()  # noqa: SIM905 - read as words
)
"""Those of `KINDS` that other texts have as well."""

# What shows that a text speaks of attacks at all.
FIELD = frozenset(KINDS) - EVERYDAY | frozenset(
    """
    apt attack attackers attacks breach c2 campaign campaigns compromise compromised cve
    cyberattack cyberattacks cyberespionage espionage exploit exploited exploits exfiltrate
    exfiltrated exfiltration infected intrusion intrusions malicious phishing threat threats ttps
    victims
    vulnerability
    """.split()  # noqa: SIM905 - read as words
)
# What shows that it speaks of something that is sold and run.
_MADE = frozenset(
    """
    account accounts admin api app appliance appliances application applications apps browser bug
    client cloud credentials customers cve device devices endpoint endpoints exploit exploitation
    exploited exploits extension extensions firewall firewalls firmware flaw flaws gateway instance
    instances login patch patched patches platform plugin plugins product products server servers
    service services software tenant update updates user users version versions vpn vulnerabilities
    vulnerability vulnerable website
    """.split()  # noqa: SIM905 - read as words
)
_BEHIND_SECTOR = frozenset(
    """
    agencies agency businesses companies company contractors corporations customers entities entity
    enterprises firm firms industries industry institution institutions manufacturers organisation
    organisations organization organizations operators orgs providers sector sectors vertical
    verticals
    """.split()  # noqa: SIM905 - read as words
)
_JOINING = frozenset(("and", "or", "as", "well"))
_STOP = re.compile(r"[!?;:\n]|\.\s|\.$")
_TWO_WORDS = 8
_AFTER, _BEFORE, _NEAR, _WIDE = 48, 60, 100, 160
_MOST_BETWEEN, _MOST_LISTED = 4, 12
_OPENING = re.compile(r"(?:^|[.!?:\n\u2022*|>\u2013\u2014-])[\s\"'\u201c\u2018(\[]*$|[\u201c\"]$")


class Surroundings:
    """The words around places of one text; `spaced` is its plain form between two spaces."""

    def __init__(self, text: str, spaced: str) -> None:
        """Read a text whose plain form is known."""
        self.text, self._spaced = text, spaced

    def after(self, end: int) -> list[str]:
        """Return the first words behind a place, up to the end of its sentence."""
        stop = _STOP.search(self.text, end, end + _AFTER)
        return self._spaced[end + 1 : (stop.start() if stop else end + _AFTER) + 1].split()

    def before(self, start: int) -> list[str]:
        """Return the last words before a place, from the beginning of its sentence."""
        first = max(0, start - _BEFORE)
        for stop in _STOP.finditer(self.text, first, start):
            first = stop.end()
        return self._spaced[first + 1 : start + 1].split()

    def said_after(self, end: int) -> set[Name]:
        """Return what the words right behind a name say that it is."""
        found = set()
        words = self.after(end)
        if words[:1] in (["and"], ["or"]):
            # `Maze and Egregor ransomware`.
            words = words[2:3] if KINDS.get("".join(words[2:3])) else []
        for number, word in enumerate(words[:_MOST_BETWEEN]):
            kind = KINDS.get(word)
            if words[number + 1 : number + 4] == ["as", "a", "service"]:
                # What is let out is run by somebody.
                return {Name.ACTOR}
            if kind is not None:
                found.add(kind)
            elif word not in _BETWEEN and word not in _FAMILIES:
                break
        return found

    def said_before(self, start: int) -> set[Name]:
        """Return what the words right before a name say that it is."""
        if not self._touches(start):
            return set()
        words = self.before(start)
        while words and words[-1] in _FAMILIES | {"the"}:
            words.pop()
        kind = KINDS.get(words[-1]) if words else None
        return {kind} if kind is not None else set()

    def named_as(self, start: int) -> set[Name]:
        """Return what a sentence says that it calls by the name at a place."""
        words = self.before(start)
        while words and words[-1] in _ARTICLES:
            words.pop()
        if not words or not (words[-1] in _NAMING or words[-2:] in (["a", "k"], ["k", "a"])):
            return set()
        said = [KINDS[word] for word in words if word in KINDS]
        return set(said[-1:])

    def is_group(self, start: int, end: int) -> bool:
        """Whether a name is that of a group, not of what its operators or affiliates use."""
        words = self.after(end)[:_MOST_BETWEEN] + self.before(start)[-2:]
        return any(word in _GROUPS for word in words)

    def is_linked(self, start: int) -> bool:
        """Whether a sentence says that something is the work of whom it names at a place."""
        words = [word for word in self.before(start) if word not in _ARTICLES]
        return tuple(words[-2:]) in _LINKING

    def _touches(self, start: int) -> bool:
        """Whether nothing but space and an opening mark parts a place from the word before it."""
        before = self.text[max(0, start - 3) : start].rstrip(" \"'(\u201c\u2018")
        return bool(before) and (before[-1].isalnum())

    def opens_sentence(self, start: int) -> bool:
        """Whether a place begins a sentence, a line or a quotation: a capital says nothing."""
        return bool(_OPENING.search(self.text, max(0, start - 6), start)) or start == 0

    def is_headline(self, start: int, end: int) -> bool:
        """Whether the words on both sides have capitals too."""
        before = _LAST_WORD.search(self.text, max(0, start - _BEFORE), start)
        after = self.text[end : end + _AFTER].split()[:2]
        sides = [word[0] for word in (before[1] if before else "", *after) if word]
        return not any(map(str.islower, sides))

    def is_shouting(self, start: int, end: int) -> bool:
        """Whether the words around a place are all in capitals."""
        around = self.text[max(0, start - 24) : start] + self.text[end : end + 24]
        return around == around.upper() and sum(map(str.isalpha, around)) > _TWO_WORDS

    def is_field(self, start: int, end: int) -> str:
        """Return a word near a place that shows that attacks are spoken of; empty without one."""
        return self._near(start, end, FIELD, _WIDE)

    def is_made(self, start: int, end: int) -> str:
        """Return a word near a place that shows that a product is spoken of; empty without one."""
        return self._near(start, end, _MADE, _NEAR)

    def _near(self, start: int, end: int, wanted: frozenset[str], width: int) -> str:
        near = self._spaced[max(0, start + 1 - width) : start + 1].split()
        near += self._spaced[end + 1 : end + 1 + width].split()
        return next((word for word in near if word in wanted), "")

    def names_sector(self, end: int, words: frozenset[str]) -> bool:
        """Whether behind a sector, or the list of sectors that it stands in, comes its noun."""
        stop = _STOP.search(self.text, end, end + _WIDE)
        listed = self._spaced[end + 1 : (stop.start() if stop else end + _WIDE) + 1].split()
        for word in listed[:_MOST_LISTED]:
            if word in _BEHIND_SECTOR:
                return True
            if word not in words and word not in _JOINING:
                return False
        return False

    def beside(self, start: int, end: int) -> Iterator[tuple[str, int]]:
        """Return on which sides a list may go on, with where its next name ends or begins."""
        before = _LISTED_BEFORE.search(self.text, max(0, start - 8), start)
        if before:
            yield "before", before.start()
        after = _LISTED_AFTER.match(self.text, end, end + 8)
        if after:
            yield "after", after.end()


_LAST_WORD = re.compile(r"(\w+)[\W_]{0,3}$")
_GLUE = r"(?:\s?[,/|&+]\s?(?:and |or )?|\s(?:and|or|aka)\s|\s?\(|\)\s?)"
_LISTED_BEFORE = re.compile(rf"{_GLUE}[\"\u201c]?$")
_LISTED_AFTER = re.compile(rf"[\"\u201d]?{_GLUE}")
