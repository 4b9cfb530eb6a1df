"""Rules as files: one alone, or many in an archive."""

import io
import re
import zipfile
from collections.abc import Iterable

_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")
_LONGEST = 60
# An archive of the same rules has the same bytes.
_DAY = (1980, 1, 1, 0, 0, 0)


def file_name(title: str, number: int) -> str:
    """Return what the file of a rule is called; the number tells it from others of its title."""
    words = _NOT_IN_A_NAME.sub("_", title.lower()).strip("_")[:_LONGEST].strip("_")
    return f"{words or 'rule'}_{number}.yml"


def archive_of(rules: Iterable[tuple[str, str]]) -> bytes:
    """Return a ZIP archive of rules, each a name and a text."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in rules:
            place = zipfile.ZipInfo(f"rules/{name}", _DAY)
            archive.writestr(place, text.encode(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()
