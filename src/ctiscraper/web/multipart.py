"""Forms with a file (multipart/form-data, RFC 7578), read strictly."""

import re
from dataclasses import dataclass
from email.message import Message

from fastapi import Request
from fastapi.exceptions import RequestValidationError

PARTS_MOST = 20
HEAD_MOST = 4_000
VALUE_MOST = 20_000_000
MULTIPART = "multipart/form-data"

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{1,70}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The fields of a form, and its file: empty when none was chosen."""

    values: dict[str, str]
    body: bytes
    name: str


async def read_parts(request: Request) -> Sent:
    """Return what a form with a file holds; one field of a name, one file at most.

    Raises RequestValidationError.
    """
    try:
        return parse_parts(await request.body(), request.headers.get("content-type", ""))
    except ValueError as error:
        fault = {"loc": ("body",), "msg": f"the form could not be read: {error}", "type": "form"}
        raise RequestValidationError([fault]) from error


def parse_parts(body: bytes, content_type: str) -> Sent:
    """Return what a form with a file holds. Raises ValueError."""
    values: dict[str, str] = {}
    file, name = b"", ""
    for head, content in _parts(body, content_type):
        field, file_name = _names(head)
        if file_name is not None:
            file, name = content, _line(file_name)
        elif field in values:
            raise ValueError(f"the field {field[:60]!r} comes twice")
        else:
            values[field] = content.decode()
    return Sent(values=values, body=file, name=name or "file")


def _parts(body: bytes, content_type: str) -> list[tuple[bytes, bytes]]:
    """Return the head and the content of each part."""
    boundary = _header(content_type).get_param("boundary", header="content-type")
    if not content_type.lower().startswith(MULTIPART) or not isinstance(boundary, str):
        raise ValueError("it is no multipart/form-data")
    if not _BOUNDARY.fullmatch(boundary):
        raise ValueError("its boundary is none")
    # Before the first boundary stands nothing, or what is to be passed over.
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode(), PARTS_MOST + 2)
    if len(pieces) > PARTS_MOST + 2 or not pieces[-1].startswith(b"--"):
        raise ValueError("it has too many parts, or no end")
    found = []
    for piece in pieces[1:-1]:
        head, gap, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if not gap or len(head) > HEAD_MOST:
            raise ValueError("one of its parts has no head")
        found.append((head, content))
    return found


def _names(head: bytes) -> tuple[str, str | None]:
    """Return the field of a part, and the name of its file if it is one."""
    for line in head.decode().split("\r\n"):
        title, _, value = line.partition(":")
        if title.strip().lower() == "content-disposition":
            words = _header(value.strip())
            field = words.get_param("name", header="content-type")
            file_name = words.get_param("filename", header="content-type")
            if isinstance(field, str) and field:
                return field, file_name if isinstance(file_name, str) else None
    raise ValueError("one of its parts has no name")


def _header(value: str) -> Message:
    """Return a header with parameters as the standard library reads it."""
    message = Message()
    message["content-type"] = value.replace("\r", " ").replace("\n", " ")
    return message


def _line(words: str) -> str:
    """Return the name of a file as a problem may quote it."""
    last = words.replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in last if c.isprintable())[:100]
