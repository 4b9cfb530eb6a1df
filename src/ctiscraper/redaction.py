"""Values without their secrets: for logs and traces, whatever somebody hands to them."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import islice

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]

MASK = "***"
CUT = "…"
UNPRINTABLE = "(cannot be shown)"
# What is kept of one text, of one collection and of nested ones.
TEXT_MOST = 4_000
ITEMS_MOST = 100
DEPTH_MOST = 6
# How much of a long text is looked at: a secret that begins in what is kept ends before this.
_LOOK = 64_000
_INTEGER_BITS = 63
# A single word shorter than this is no token of any kind.
_TOKEN_LEAST = 14
_NAME_MOST = 200
_PAIR = 2

# A name is a secret's when, written small and without punctuation, it holds one of these …
_HOLDS = (
    "accesskey",
    "apikey",
    "authorization",
    "conninfo",
    "cookie",
    "credential",
    "encryptionkey",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "pwd",
    "secret",
    "sessionid",
    "signature",
    "signingkey",
    "token",
)
# … or when it is, or its last part is, one of these.
_ENDS = frozenset(
    {"auth", "bearer", "csrf", "dsn", "jwt", "otp", "pass", "sid", "sig", "totp", "verifier"}
)
# In the query of an address more names are secrets, by their end or as a whole.
_QUERY_ENDS = ("auth", "code", "key", "otp", "pw", "sig", "sign", "ticket")
_QUERY_NAMES = frozenset({"k", "keyid", "state"})
# Headers whose value is the rest of the line.
_WHOLE_LINE = ("authorization", "cookie")

_PARTS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+")
_WORD = re.compile(r"""[^\s"'<>\\]++""")
# A name and what parts it from its value; every quantifier keeps what it took, so no text costs
# more than one pass.
_NAMED = re.compile(
    r"""(?<![\w.\[\]%-])(?P<flag>--?+)?+(?P<name>[\w.\[\]%-]++)"""
    r"""(?P<sep>(?:\\{0,4}+["'])?+[ \t]{0,8}+(?:=>|[:=]{1,2}+)[ \t]{0,8}+"""
    r"""|\\{0,4}+["'],[ \t]{0,8}+(?=b?\\{0,4}+["'])"""
    r"""|(?(flag)[ \t]{1,8}+(?=[^\s-])|(?!)))"""
)
_OPENING = re.compile(r"""b?(\\{0,4}+["'])""")
_PARAMETER = re.compile(r"""[^\s&"'<>]*+""")
_UNQUOTED = re.compile(r"\S*+")
_REST_OF_LINE = re.compile(r"[^\r\n]*+")
# Without one of these in it, small, a text has no name with a value and no token.
_SIGNS = ("=", ":", "--", "',", '",')
_MARKS = (
    *("bearer", "basic", "eyj", "akia", "asia", "abia", "acca", "a3t"),
    *("cti_", "gh", "xox", "-----begin", "ctiscraper", "setup"),
)
_TOKENS = re.compile(
    r"""
    (?P<scheme>\b(?i:bearer)\s++)[^\s"',;]++
    | (?P<basic>\b(?i:basic)\s++)(?=[A-Za-z]{0,64}?(?:[0-9+/=]|[a-z][A-Z]))[A-Za-z0-9+/]{6,}+=*+
    | eyJ[\w-]{6,}+(?:\.[\w-]*+){0,4}+
    | (?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{12,}+
    | (?<![A-Za-z0-9])cti_[A-Za-z0-9]++_[A-Za-z0-9_]{20,}+
    | (?P<cookie>\b(?:__Host-)?+ctiscraper(?:_[a-z]++)?+=)[\w-]{20,}+
    | (?P<setup>/setup(?:[#?]?token=|[#?/]))[\w-]{16,}+
    | \bgh[opsur]_[A-Za-z0-9]{20,}+
    | \bxox[a-z]-[\w-]{10,}+
    | -----BEGIN\ [A-Z\ ]{0,40}?PRIVATE\ KEY-----[\s\S]*?(?:-----END\ [A-Z\ ]{0,40}+-----|\Z)
    """,
    re.VERBOSE,
)


def redact(value: object, depth: int = 0) -> Plain:
    """Return a value as JSON can hold it, bounded and without secrets. Never raises."""
    try:
        return _redact(value, depth)
    except Exception:  # noqa: BLE001 - whatever a logged value does when it is looked at
        return UNPRINTABLE


def redact_text(text: str, most: int = TEXT_MOST) -> str:
    """Return the head of a text with what looks like a secret blacked out."""
    if len(text) < _TOKEN_LEAST and text.isidentifier():
        return text
    blackened = blacken(text[: max(_LOOK, most * 2)])
    return blackened if len(blackened) <= most else blackened[:most] + CUT


def blacken(text: str) -> str:
    """Return a whole text with what looks like a secret blacked out; takes one time for each."""
    if "://" in text:
        text = _WORD.sub(_without_user, text)
    if any(sign in text for sign in _SIGNS):
        text = _without_named(text)
    small = text.lower()
    if any(mark in small for mark in _MARKS):
        text = _TOKENS.sub(_token, text)
    return text


def names_secret(name: str) -> bool:
    """Return whether a value under this name is a secret."""
    if len(name) > _NAME_MOST:
        return _names_secret(name[:_NAME_MOST]) or _names_secret(name[-_NAME_MOST:])
    return _names_secret(name)


@lru_cache(maxsize=2048)
def _names_secret(name: str) -> bool:
    small = re.sub(r"[\W_]", "", name.lower())
    return any(word in small for word in _HOLDS) or _last_part(name) in _ENDS


def _last_part(name: str) -> str:
    parts = _PARTS.findall(name)
    return parts[-1].lower() if parts else ""


def _redact(value: object, depth: int) -> Plain:
    if value is None or isinstance(value, bool):
        return value
    for kind, shown in _KINDS:
        if isinstance(value, kind):
            return shown(value, depth)
    return redact_text(str(value))


def _text(value: str, _: int) -> str:
    return redact_text(str.__str__(value))


def _bytes(value: bytes | bytearray | memoryview, _: int) -> str:
    return redact_text(bytes(value[:_LOOK]).decode("utf-8", "replace"))


def _integer(value: int, _: int) -> Plain:
    # Python refuses to write very long numbers in decimals.
    plain = int.__index__(value)
    return plain if plain.bit_length() <= _INTEGER_BITS else redact_text(hex(plain))


def _number(value: float, _: int) -> Plain:
    plain = float.__float__(value)
    return plain if math.isfinite(plain) else float.__repr__(plain)


def _error(value: BaseException, _: int) -> str:
    return redact_text(f"{type(value).__name__}: {value}")


def _mapping(value: Mapping[object, object], depth: int) -> Plain:
    if depth >= DEPTH_MOST:
        return CUT
    named = _named_pair(value)
    shown: dict[str, Plain] = {}
    for key, item in islice(value.items(), ITEMS_MOST):
        name = _name(key)
        hidden = item is not None and (names_secret(name) or (named and name.lower() == "value"))
        shown[redact_text(name, _NAME_MOST)] = MASK if hidden else redact(item, depth + 1)
    return shown


def _named_pair(value: Mapping[object, object]) -> bool:
    """Return whether this is a header or field as {"name": …, "value": …}."""
    names = (value.get(key) for key in ("name", "key"))
    return any(isinstance(name, str | bytes) and names_secret(_name(name)) for name in names)


def _items(value: Iterable[object], depth: int) -> Plain:
    if depth >= DEPTH_MOST:
        return CUT
    items = list(islice(value, ITEMS_MOST))
    if len(items) == _PAIR and isinstance(items[0], str | bytes) and names_secret(_name(items[0])):
        return [redact(items[0], depth + 1), MASK]
    return [
        MASK if place and _is_flag(items[place - 1]) else redact(item, depth + 1)
        for place, item in enumerate(items)
    ]


def _is_flag(item: object) -> bool:
    """Return whether the next word of a command line is a secret, as after --password."""
    return isinstance(item, str) and item.startswith("-") and "=" not in item and names_secret(item)


def _name(key: object) -> str:
    if isinstance(key, bytes):
        return key.decode("latin-1")
    return key if isinstance(key, str) else str(key)


_KINDS: tuple[tuple[type | tuple[type, ...], Callable[..., Plain]], ...] = (
    (str, _text),
    (int, _integer),
    (float, _number),
    ((bytes, bytearray, memoryview), _bytes),
    (BaseException, _error),
    (Mapping, _mapping),
    ((list, tuple, set, frozenset), _items),
)


def _without_user(match: re.Match[str]) -> str:
    """Return a word with the user and password of every address in it blacked out."""
    word = match[0]
    if "://" not in word or "@" not in word:
        return word
    head, *addresses = word.split("://")
    return "://".join([head, *(_hostly(address) for address in addresses)])


def _hostly(address: str) -> str:
    """Return an address from its authority on, without user and password.

    A password may hold the very characters that should have been escaped in it.
    """
    authority = re.split(r"[/?#]", address, maxsplit=1)[0]
    if "@" in authority:
        return f"{MASK}@{address[authority.rindex('@') + 1 :]}"
    if ":" in authority and "@" in address:
        return f"{MASK}@{address[address.rindex('@') + 1 :]}"
    return address


def _without_named(text: str) -> str:
    """Return a text with every value that stands under a secret's name blacked out."""
    shown: list[str] = []
    kept = at = 0
    while (match := _NAMED.search(text, at)) is not None:
        at = match.end()
        if not _is_secret(text, match):
            continue
        end = _value_end(text, match)
        if end > at:
            shown += [text[kept:at], MASK]
            kept = at = end
    return "".join([*shown, text[kept:]])


def _is_secret(text: str, match: re.Match[str]) -> bool:
    if names_secret(match["name"]):
        return True
    small = match["name"][-_NAME_MOST:].lower()
    return _in_query(text, match) and (small.endswith(_QUERY_ENDS) or small in _QUERY_NAMES)


def _in_query(text: str, match: re.Match[str]) -> bool:
    return match.start() > 0 and text[match.start() - 1] in "?&#;"


def _value_end(text: str, match: re.Match[str]) -> int:
    """Return where the value ends that stands after a name."""
    at = match.end()
    opening = _OPENING.match(text, at)
    if opening is not None:
        return _closing(text, opening)
    if _in_query(text, match):
        pattern = _PARAMETER
    elif any(word in match["name"].lower() for word in _WHOLE_LINE):
        pattern = _REST_OF_LINE
    else:
        pattern = _UNQUOTED
    found = pattern.match(text, at)
    return found.end() if found else at


def _closing(text: str, opening: re.Match[str]) -> int:
    """Return where a quoted value ends: at the quote of the same kind that no backslash escapes."""
    quote = opening[1]
    at = opening.end()
    while (at := text.find(quote, at)) >= 0:
        before = at
        while text[before - 1] == "\\" and before > opening.end():
            before -= 1
        if (at - before) % 2 == 0:
            return at + len(quote)
        at += len(quote)
    return len(text)


def _token(match: re.Match[str]) -> str:
    kept = (match[name] for name in ("scheme", "basic", "cookie", "setup"))
    return next((head for head in kept if head), "") + MASK
