"""JSON answers: read models encoded as they stand, with an entity tag."""

from collections.abc import Mapping

import msgspec
import xxhash
from starlette.requests import Request
from starlette.responses import Response

_encoder = msgspec.json.Encoder()


class JsonAnswer(Response):
    """A read model as JSON."""

    media_type = "application/json"

    def __init__(
        self,
        content: object,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
    ) -> None:
        super().__init__(content, status_code, headers, media_type or self.media_type)

    def render(self, content: object) -> bytes:
        """Return the body; bytes are taken as JSON already."""
        return content if isinstance(content, bytes) else _encoder.encode(content)


def tagged(request: Request, body: bytes, *, about_people: bool = False) -> Response:
    """Return a JSON body with its entity tag, or 304 when the caller holds it (RFC 9110 13.1.2).

    What is `about_people` no browser keeps.
    """
    tag = f'"{xxhash.xxh3_64_hexdigest(body)}"'
    kept = "no-store" if about_people else "private, no-cache"
    headers = {"etag": tag, "cache-control": kept}
    if matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return JsonAnswer(body, headers=headers)


def encoded(content: object) -> bytes:
    """Return a read model as JSON."""
    return _encoder.encode(content)


def matches(if_none_match: str | None, tag: str) -> bool:
    """Return whether a caller's If-None-Match names this tag, compared weakly."""
    if if_none_match is None:
        return False
    held = (value.strip().removeprefix("W/") for value in if_none_match.split(","))
    return any(value in {tag, "*"} for value in held)
