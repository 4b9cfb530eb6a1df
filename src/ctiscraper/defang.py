"""Defanged addresses: the marks that all who hide them use, taken away again."""

import re

_COLON = re.compile(r"\[:(//)?\]")
# Each begins with the character it is found by, which is what makes a search for it quick.
_JOINT = re.compile(r"[\[({]\s?(\.|dot|@|at)\s?[\])}]\s?", re.IGNORECASE)


def unbracketed(text: str) -> str:
    """Return a text whose dots, colons and at-signs stand in brackets no more.

    Of any length: what only an address may mean, a stroke before a dot or half a bracket, is left.
    """
    if "[:" in text:
        text = _COLON.sub(r":\1", text)
    pieces = []
    end = 0
    for found in _JOINT.finditer(text):
        before = text[end : found.start()]
        pieces.append(before[:-1] if before[-1:].isspace() else before)
        pieces.append("@" if found[1].lower() in {"@", "at"} else ".")
        end = found.end()
    pieces.append(text[end:])
    return "".join(pieces)
