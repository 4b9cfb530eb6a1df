"""Which URLs of a site are articles: allow patterns on the path."""

from collections.abc import Sequence
from urllib.parse import urlsplit

MAX_PATTERN = 200


def pattern_fault(pattern: str) -> str | None:
    """Why an allow pattern cannot be used and what to do, or None when it can."""
    if not pattern.startswith(("/", "*")):
        return "must match the path of a URL; start it with / or *"
    if len(pattern) > MAX_PATTERN:
        return f"is longer than {MAX_PATTERN} characters; shorten it"
    if any(c.isspace() or not c.isprintable() for c in pattern):
        return "holds a space or control character; write it as %20 or remove it"
    if any(c in "?#" for c in pattern):
        return "holds ? or #, which are no part of a path; match the path alone"
    return None


def is_allowed(url: str, patterns: Sequence[str]) -> bool:
    """Tell whether the path of `url` matches a pattern; true when there is none.

    `*` stands for any characters, also `/`; all others for themselves. The whole
    path must match. Time is linear in the length of the path for each `*`.
    """
    if not patterns:
        return True
    path = urlsplit(url).path or "/"
    return any(_matches(path, pattern) for pattern in patterns)


def _matches(path: str, pattern: str) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return path == first
    if not path.startswith(first):
        return False
    *middle, last = rest
    at = len(first)
    for part in middle:
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(path) - len(last) >= at and path.endswith(last)
