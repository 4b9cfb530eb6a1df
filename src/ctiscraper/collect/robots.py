"""Robots Exclusion Protocol (RFC 9309): rules read once, matched in linear time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ada_url import URL

MAX_BYTES = 500 * 1024
MAX_CRAWL_DELAY = 60.0

_LINE = re.compile(r"\r\n|[\r\n]")
# A User-agent line's product: "ExampleBot2" of "ExampleBot2/1.2 (…)", and the
# part of it that RFC 9309 allows in a token: "ExampleBot".
_PRODUCT = re.compile(r"(?:[\w-]|[^\x00-\x7f])*")
_TOKEN = re.compile(r"[A-Za-z_-]*")
_BOM = re.compile("^(?:\ufeff|\udcef\udcbb?)")
_BOM_OCTETS = re.compile(rb"^\xef(?:\xbb\xbf?)?")
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
_ENCODE = re.compile(r"[^A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_DELAY = re.compile(r"\d{1,12}(?:\.\d{0,6})?|\.\d{1,6}")
# Lines that people write for the ones they mean, as crawlers read them.
_SPELLINGS = {
    "useragent": "user-agent",
    "user agent": "user-agent",
    "dissallow": "disallow",
    "dissalow": "disallow",
    "disalow": "disallow",
    "diasllow": "disallow",
    "disallaw": "disallow",
    "site-map": "sitemap",
    "crawldelay": "crawl-delay",
}
_KEYS = ("user-agent", "disallow", "allow", "crawl-delay", "sitemap")


@dataclass(frozen=True, slots=True)
class _Rule:
    """One path pattern: literal parts between its wildcards."""

    parts: tuple[str, ...]
    anchored: bool
    length: int
    allow: bool
    line: int = 0
    words: str = ""

    def matches(self, path: str) -> bool:
        """Tell whether the pattern matches from the path's beginning."""
        first, *middle = self.parts
        if not path.startswith(first):
            return False
        if not middle:
            return not self.anchored or len(path) == len(first)
        at = len(first)
        last = middle.pop() if self.anchored else None
        # The leftmost place of each part is enough, as only "*" stands between.
        for part in middle:
            at = path.find(part, at)
            if at < 0:
                return False
            at += len(part)
        return last is None or (path.endswith(last) and len(path) - len(last) >= at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether a crawler may ask for a URL, and the line that says so; line 0 is of no rule.

    `agent` is whom that line is for, empty when the file says nothing to this crawler.
    """

    allowed: bool
    agent: str = ""
    line: int = 0
    words: str = ""


@dataclass(slots=True)
class _Block:
    """The rules below some User-agent lines, once for however many of them."""

    rules: list[_Rule] = field(default_factory=list)
    delay: float | None = None


@dataclass(frozen=True, slots=True)
class _Group:
    """What one product token is told by all blocks that name it, the rule that wins first."""

    rules: tuple[_Rule, ...]
    delay: float | None
    agent: str


class RobotsRules:
    """What a robots.txt says to each crawler."""

    def __init__(self) -> None:
        self.sitemaps: tuple[str, ...] = ()
        self._blocks: dict[str, list[_Block]] = {}
        self._told: dict[str, _Group | None] = {}

    @classmethod
    def parse(cls, body: str | bytes) -> "RobotsRules":
        """Return the rules of the first 500 KiB; total: any input gives rules."""
        rules = cls()
        sitemaps: list[str] = []
        block: _Block | None = None
        in_rules = True
        for number, key, value in _records(body):
            if key == "user-agent":
                # A User-agent line after a rule begins another group.
                if in_rules or block is None:
                    block = _Block()
                in_rules = False
                rules._name(value, block)
            elif key == "sitemap":
                sitemaps.append(value)
            elif key == "crawl-delay":
                # It says something of the crawlers named, so it ends their list as well.
                in_rules = True
                _set_delay(block, value)
            else:
                in_rules = True
                _add_rule(block, value, allow=key == "allow", line=number)
        rules.sitemaps = tuple(dict.fromkeys(sitemaps))
        return rules

    def allows(self, agent_token: str, url: str) -> bool:
        """Tell whether the crawler may ask for the URL (or path)."""
        return self.decide(agent_token, url).allowed

    def decide(self, agent_token: str, url: str) -> Decision:
        """Return whether the crawler may ask for the URL (or path), and which line says so."""
        path = _path_of(url)
        group = self._of(agent_token)
        agent = group.agent if group else ""
        if path == "/robots.txt":
            return Decision(allowed=True, agent=agent)
        for rule in group.rules if group else ():
            if rule.matches(path):
                return Decision(allowed=rule.allow, agent=agent, line=rule.line, words=rule.words)
        return Decision(allowed=True, agent=agent)

    def crawl_delay(self, agent_token: str) -> float | None:
        """Return the seconds asked for between requests, at most 60."""
        group = self._of(agent_token)
        return group.delay if group else None

    def _name(self, agent: str, block: _Block) -> None:
        """Keep that a block is for an agent, which may be named in it more than once."""
        blocks = self._blocks.setdefault(_product(agent), [])
        if not blocks or blocks[-1] is not block:
            blocks.append(block)

    def _of(self, agent_token: str) -> _Group | None:
        asked = agent_token.partition("/")[0].strip().lower()
        if asked not in self._told:
            self._told[asked] = self._group(asked)
        return self._told[asked]

    def _group(self, asked: str) -> _Group | None:
        agent = asked
        if agent not in self._blocks:
            agent = next((name for name in self._blocks if _token(name) == asked), "*")
        blocks = self._blocks.get(agent)
        if blocks is None:
            return None
        rules = [rule for block in blocks for rule in block.rules]
        # The longest match wins, and of two equal ones the allowing.
        rules.sort(key=lambda rule: (-rule.length, not rule.allow))
        delays = [block.delay for block in blocks if block.delay is not None]
        return _Group(tuple(rules), delays[-1] if delays else None, agent)


def may_fetch(robots: str | bytes, agent: str, url: str) -> bool:
    """Tell whether robots.txt lets the agent ask for the URL."""
    return RobotsRules.parse(robots).allows(agent, url)


def to_text(body: bytes) -> str:
    """Return a robots.txt as text that can be stored: no mark, no NUL, no broken byte."""
    octets = _BOM_OCTETS.sub(b"", body[:MAX_BYTES], count=1)
    return octets.decode("utf-8", "replace").replace("\x00", "")


def _records(body: str | bytes) -> Iterator[tuple[int, str, str]]:
    if isinstance(body, bytes):
        text = body[:MAX_BYTES].decode("utf-8", "surrogateescape")
    else:
        text = body[:MAX_BYTES]
    # A byte order mark cut short is one all the same.
    for number, line in enumerate(_LINE.split(_BOM.sub("", text, count=1)), 1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        key, colon, value = content.partition(":")
        if not colon:
            key, _, value = content.partition(" ")
        name = _SPELLINGS.get(key.strip().lower(), key.strip().lower())
        if name in _KEYS:
            yield number, name, value.strip()


def _product(agent: str) -> str:
    if agent == "*" or agent.startswith("* "):
        return "*"
    found = _PRODUCT.match(agent)
    return found.group().lower() if found else ""


def _token(product: str) -> str:
    found = _TOKEN.match(product)
    return found.group() if found else ""


def _add_rule(block: _Block | None, pattern: str, *, allow: bool, line: int) -> None:
    # An empty pattern matches nothing: "Disallow:" allows all.
    if not pattern or block is None:
        return
    anchored = pattern.endswith("$")
    text = _normal(pattern[:-1] if anchored else pattern).replace("$", "%24")
    if not text.startswith(("/", "*")):
        text = "/" + text
    parts = tuple(text.split("*"))
    if anchored and parts[-1] == "" and len(parts) > 1:
        # "/a*$" says no more than "/a".
        anchored = False
    kept = (parts[0], *(part for part in parts[1:] if part))
    words = f"{'Allow' if allow else 'Disallow'}: {pattern}"
    block.rules.append(_Rule(kept, anchored, len(text) + anchored, allow, line, words))


def _set_delay(block: _Block | None, value: str) -> None:
    found = _DELAY.match(value)
    if found and block is not None:
        block.delay = min(float(found.group()), MAX_CRAWL_DELAY)


def _path_of(url: str) -> str:
    if url.startswith("/"):
        path = url.partition("#")[0]
    else:
        try:
            parsed = URL(url)
        except ValueError:
            return "/"
        path = (parsed.pathname or "/") + parsed.search
    # In a URL they stand for themselves; in a pattern they do so when encoded.
    return _normal(path).replace("*", "%2A").replace("$", "%24")


def _normal(path: str) -> str:
    return _ENCODE.sub(_percent_encode, _PERCENT.sub(_percent_decode, path))


def _percent_decode(found: re.Match[str]) -> str:
    octet = chr(int(found.group(1), 16))
    return octet if octet in _UNRESERVED else found.group().upper()


def _percent_encode(found: re.Match[str]) -> str:
    try:
        octets = found.group().encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        octets = found.group().encode("utf-8", "surrogatepass")
    return "".join(f"%{octet:02X}" for octet in octets)
