"""What somebody typed into a form, kept over a login: sealed, so that it goes nowhere else."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

from ctiscraper.access.sealing import Sealer, SealError
from ctiscraper.web.forms import CSRF_FIELD, FIELDS_MOST

MOST = 300_000
_PURPOSE = "form"
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Typed:
    """A form that was not taken, and the address that it was sent to."""

    target: str
    fields: tuple[tuple[str, str], ...]


async def carry(request: Request, sealer: Sealer) -> str:
    """Return what a request's form holds, sealed; empty where it has none, or too much."""
    if not request.headers.get("content-type", "").startswith(_FORM):
        return ""
    body = await request.body()
    if len(body) > MOST:
        return ""
    query = request.url.query
    target = f"{request.url.path}?{query}" if query else request.url.path
    sealed = sealer.seal(_PURPOSE, target.encode() + b"\n" + body)
    return urlsafe_b64encode(sealed).decode()


def carried(sealed: str, sealer: Sealer) -> Typed | None:
    """Return what was carried; None for nothing, and for what was not sealed here."""
    try:
        opened = sealer.open(_PURPOSE, urlsafe_b64decode(sealed.encode()))
        target, _, body = opened.decode().partition("\n")
        fields = parse_qsl(body, keep_blank_values=True, max_num_fields=FIELDS_MOST)
    except (SealError, ValueError):
        return None
    return Typed(target, tuple(field for field in fields if field[0] != CSRF_FIELD))
