"""Marks of punctuation that stand around what is quoted."""

QUOTES = {"`": "`", "'": "'", '"': '"', "\u201c": "\u201d", "\u2018": "\u2019", "\u00ab": "\u00bb"}
"""What closes each opening mark."""

TAIL = ".,;:!?'\"*|`\u2026\u201c\u201d\u2018\u2019\u00ab\u00bb"
"""What ends a sentence or a quotation and belongs to nothing that it stands behind."""

CLOSERS = {")": "(", "]": "[", "}": "{"}
"""What opens each closing bracket."""


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a place without the punctuation around it; closed brackets stay whole."""
    while start < end and not text[start].isalnum() and text[start] not in "_[":
        start += 1
    spare: dict[str, int] = {}
    while end > start:
        last = text[end - 1]
        if last not in TAIL:
            opener = CLOSERS.get(last)
            if opener is None:
                break
            if last not in spare:
                spare[last] = text.count(last, start, end) - text.count(opener, start, end)
            if spare[last] <= 0:
                break
            spare[last] -= 1
        end -= 1
    return start, end


def closing_quote(text: str, start: int, end: int, closer: str) -> int | None:
    """Return where the quotation that begins at `start` closes; the pairs inside it do not count.

    A mark that a letter follows opens another quotation.
    """
    inside = 0
    place = text.find(closer, start, end)
    while place >= 0:
        if inside % 2 == 0 and not text[place + 1 : place + 2].isalnum():
            return place
        inside += 1
        place = text.find(closer, place + 1, end)
    return None
