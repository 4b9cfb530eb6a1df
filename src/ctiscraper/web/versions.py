"""Versions of what several people edit: an entity tag out, and If-Match back (RFC 9110 13.1.1)."""

import re
from typing import Annotated

from fastapi import Header, HTTPException

_TAG = re.compile(r'"(\d{1,18})"')

IfMatch = Annotated[
    str | None,
    Header(
        max_length=64,
        description="the entity tag of the version that was edited, or * for any",
        examples=['"17"'],
    ),
]


def version_tag(version: int) -> str:
    """Return the entity tag of a version."""
    return f'"{version}"'


def version_of(if_match: str | None) -> int | None:
    """Return the version that a change was made from, None when it is for any.

    Raises HTTPException for what is no tag of ours.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    found = _TAG.fullmatch(if_match.strip())
    if found is None:
        raise HTTPException(422, 'If-Match takes the ETag of the settings, such as "17"')
    return int(found[1])
