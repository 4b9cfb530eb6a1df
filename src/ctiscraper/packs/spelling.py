"""How names are spelt for comparison: in lower case, and every sign a space."""

_CJK = 0x2E80
_MOST_SIGNS = 120


class _Signs(dict[int, str]):
    """For `str.translate`: letters and digits stay, every other character is one space."""

    def __missing__(self, code: int) -> str:
        # Scripts without spaces between words: a name of Latin letters within them stands alone.
        kept = chr(code) if code < _CJK and chr(code).isalnum() else " "
        if len(self) < _CJK:
            self[code] = kept
        return kept


_SIGNS = _Signs()


def plain(text: str) -> str:
    """Return a text in lower case, each sign in it a space, each character in its place."""
    # The one letter that is two in lower case.
    lowered = text.replace("\u0130", "I").lower()
    if lowered.isascii():
        return lowered.translate(_SIGNS)
    # Beyond ASCII `translate` is slow; a text has few different signs, unless it is made to.
    signs = [char for char in set(lowered) if char != _SIGNS[ord(char)]]
    if len(signs) > _MOST_SIGNS:
        return lowered.translate(_SIGNS)
    for sign in signs:
        lowered = lowered.replace(sign, " ")
    return lowered


def key_of(name: str) -> str:
    """Return what a name is compared by in texts."""
    return plain(name).strip()


def joined(name: str) -> str:
    """Return the letters and digits of a name alone: one for all ways to part its words."""
    return plain(name).replace(" ", "")
