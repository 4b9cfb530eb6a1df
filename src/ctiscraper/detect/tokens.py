"""The words of a command line, and which of them the next intruder's will have as well."""

import re
from enum import StrEnum

import msgspec


class Part(StrEnum):
    """What a word of a command line is."""

    OPTION = "option"
    PATH = "path"
    QUOTED = "quoted"
    WORD = "word"
    VOLATILE = "volatile"


class Token(msgspec.Struct, frozen=True):
    """A word of a command line as it stands there, and the part of it that stays."""

    part: Part
    raw: str
    stable: str = ""


# A quoted argument, with quotes that a backslash keeps; or what has no space.
_TOKEN = re.compile(r"""(?:[^\s"']|\\.)*"(?:\\.|[^"\\]|\\(?=[^"]))*"[^\s]*|'[^']*'|\S+""")
_OPTION = re.compile(r"(?:--?|/)[A-Za-z?][\w?-]*(?::[\w.]{1,24}|=[\w.]{1,24})?$")
# What differs from one intrusion to the next, or from one machine to the next.
_VOLATILE = re.compile(
    r"""
    \{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?  # a GUID
    |S-1-5-\d+ | \d{1,3}(?:\.\d{1,3}){3} | ://
    |(?<![0-9A-Za-z])[0-9a-f]{12,}(?![0-9A-Za-z]) | \d{5,} | [A-Za-z0-9+/]{40,}={0,2}
    |<[^<>]*> | redacted | removed | \[[^\]\\]*\] | \{[A-Za-z_ ]+\} | x{4,}\b
    |[\w.+-]+@[\w-]+\.\w | %[A-Za-z_]+% | \u2026 | \.\.\.
    |\b\d{4}-\d\d-\d\d
    """,
    re.IGNORECASE | re.VERBOSE,
)
_HOST = re.compile(
    r"(?:[\w-]+\.)+(?:com|net|org|info|biz|ru|cn|top|xyz|io|co|me|site|online)\b", re.IGNORECASE
)
_UNIX_PATH = re.compile(r"(?:/[\w.+-]+){2,}/?$|~/")
_SPECIAL = re.compile(r"[*?]")
# A file whose name was made up at random: no vowels, or digits among letters.
_RANDOM = re.compile(
    r"(?=[^.]*\d)(?=[^.]*[a-z])[a-z0-9]{10,}|[bcdfghjklmnpqrstvwxz]{6,}|tmp[0-9a-f]{3,}|\d+",
    re.IGNORECASE,
)
_USERS = re.compile(
    r"(?:^|[\\/])(?:users|documents and settings|home)[\\/]+([^\\/]+)", re.IGNORECASE
)
_SHARED_HOMES = frozenset({"public", "default", "all users", "default user"})
_SHORT = re.compile(r"~\d")
_LONGEST = 80
_SHORTEST, _LEAST_PATH = 2, 4
# Words at which the sentence around a command goes on.
_STOPS = frozenset(
    """
    a an and are as because been before but by can did during followed has have he in into is it
    its of our she subsequently than that the their then there these they this those was we were
    which while with would
    """.split()  # noqa: SIM905 - read as words
)


def tokens_of(command: str) -> list[Token]:
    """Return the words of a command line, up to where the sentence goes on."""
    found: list[Token] = []
    for match in _TOKEN.finditer(command):
        raw = match[0]
        bare = raw.rstrip(",;")
        if _ends_before(raw, number=len(found)):
            break
        if bare.endswith(".") and len(bare) > 1 and not bare.endswith(".."):
            found.append(_token(bare[:-1]))
            break
        if bare:
            found.append(_token(bare))
        if raw.endswith(",") and not raw[:-1].count(","):
            break
    return found


def _ends_before(raw: str, *, number: int) -> bool:
    """Whether a word is one of the sentence, and no argument."""
    return number > 0 and (raw.lower() in _STOPS or raw in {".", "\u2014", "\u2013", "|"})


def _token(raw: str) -> Token:
    if raw.count('"') % 2 and '\\"' not in raw:
        raw = raw.strip('"')
    inner = raw.replace('\\"', '"').strip("\"'`")
    if not raw or raw.startswith((">", "<", "&", "2>")):
        return Token(Part.VOLATILE, raw)
    if _OPTION.fullmatch(raw) and not _SPECIAL.search(raw):
        return Token(Part.OPTION, raw, raw)
    if _VOLATILE.search(inner) or ("\\" not in inner and _HOST.search(inner)):
        return Token(Part.VOLATILE, raw)
    if "\\" in inner or _UNIX_PATH.match(inner):
        stable = stable_path(inner)
        return Token(Part.PATH if stable else Part.VOLATILE, raw, stable)
    return _word(raw, inner)


def _word(raw: str, inner: str) -> Token:
    if _SPECIAL.search(inner) or not _SHORTEST <= len(inner) <= _LONGEST or inner not in raw:
        return Token(Part.VOLATILE, raw)
    return Token(Part.QUOTED if raw[0] in "\"'" else Part.WORD, raw, inner)


def stable_path(path: str) -> str:
    r"""Return the end of a path that the next machine has too, with a stroke before it, or nothing.

    Drives, servers and the folders of users go; a name made up at random leaves its folder's.
    """
    path = path.rstrip("\\/ ").replace("\\\\", "\\")
    stroke = "\\" if "\\" in path else "/"
    path = path.partition(",")[0]
    if _SPECIAL.search(path) or _VOLATILE.search(path) or not path:
        return ""
    known = _USERS.search(path)
    if known is not None and known[1].lower() not in _SHARED_HOMES:
        path = path[known.end() :]
    parts = [part for part in path.split(stroke) if part]
    if parts and (parts[0].endswith(":") or parts[0].startswith(("%", "$", "~"))):
        parts = parts[1:]
    if not parts or _SHORT.search(parts[-1]):
        return ""
    stem = parts[-1].partition(".")[0]
    if _RANDOM.fullmatch(stem):
        return ""
    kept = parts[-2:] if len(parts) > 1 and not _SHORT.search(parts[-2]) else parts[-1:]
    stable = stroke + stroke.join(kept)
    return stable if _LEAST_PATH <= len(stable) <= _LONGEST else ""
