"""Words that were marked in a text, found again in a later one."""

from bisect import bisect_left

_MOST_TRIED = 1_000


def find_again(
    text: str, quote: str, *, before: str = "", after: str = "", start: int = 0
) -> tuple[int, int] | None:
    """Return where words stand in a text, None where they went.

    Spaces may be others than they were. Of several places that is taken which has most of what
    stood before and behind the words, and of those the nearest to where they stood.
    """
    wanted = _squeezed(quote)
    if not wanted:
        return None
    if text[start : start + len(quote)] == quote and _fits(text, quote, start, before, after):
        return start, start + len(quote)
    offsets = [place for place, sign in enumerate(text) if not sign.isspace()]
    words = "".join([text[place] for place in offsets])
    left, right = _squeezed(before)[::-1], _squeezed(after)
    old = bisect_left(offsets, start)
    best: tuple[int, int, int] | None = None
    at = words.find(wanted)
    tried = 0
    while at >= 0 and tried < _MOST_TRIED:
        end = at + len(wanted)
        same = _alike(words[max(0, at - len(left)) : at][::-1], left)
        same += _alike(words[end : end + len(right)], right)
        found = (same, -abs(at - old), at)
        best = found if best is None or found > best else best
        at = words.find(wanted, at + 1)
        tried += 1
    if best is None:
        return None
    return offsets[best[2]], offsets[best[2] + len(wanted) - 1] + 1


def _fits(text: str, quote: str, start: int, before: str, after: str) -> bool:
    end = start + len(quote)
    return text[:start].endswith(before) and text[end:].startswith(after)


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _alike(one: str, other: str) -> int:
    """Return in how many characters two texts begin alike."""
    for number, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return number
    return min(len(one), len(other))
