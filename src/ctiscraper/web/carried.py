"""What somebody typed into a form, kept over a login: sealed, so that it goes nowhere else."""

from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

from ctiscraper.access.sealing import Sealer, SealError
from ctiscraper.web.forms import CSRF_FIELD, FIELDS_MOST

MOST = 300_000
# Nobody may log in to a session that is older.
KEPT_SECONDS = 12 * 3600
# What nobody but its owner may see, and nothing shows again.
SECRET_FIELDS = frozenset({"password", "again", "current", "token"})
_CARRIED_FIELD = "carried"
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Typed:
    """A form that was not taken, and the address that it was sent to."""

    target: str
    fields: tuple[tuple[str, str], ...]


async def carry(request: Request, sealer: Sealer, user_id: int | None) -> str:
    """Return what a request's form holds, sealed for this user.

    Empty where nobody knows whose it is, where it has none, too much, or a secret; a form with a
    password hands on what it carried itself.
    """
    if not request.headers.get("content-type", "").startswith(_FORM):
        return ""
    body = await request.body()
    fields = _fields(body) if len(body) <= MOST else None
    if fields is None or user_id is None:
        return ""
    if any(name in SECRET_FIELDS for name, _ in fields):
        return dict(fields).get(_CARRIED_FIELD, "")
    query = request.url.query
    target = f"{request.url.path}?{query}" if query else request.url.path
    until = _now(request) + KEPT_SECONDS
    return sealer.seal_text(_purpose(user_id), f"{until}\n{target}\n".encode() + body)


def carried(request: Request, sealed: str, sealer: Sealer, user_id: int) -> Typed | None:
    """Return what this user typed; None for nothing, for another's, and for what is too old."""
    try:
        opened = sealer.open_text(_purpose(user_id), sealed)
        until, target, body = opened.split(b"\n", 2)
        is_old = int(until) < _now(request)
    except (SealError, ValueError):
        return None
    fields = _fields(body)
    if is_old or fields is None:
        return None
    return Typed(target.decode(), tuple(field for field in fields if field[0] != CSRF_FIELD))


def _fields(body: bytes) -> list[tuple[str, str]] | None:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MOST)
    except ValueError:
        return None


def _purpose(user_id: int) -> str:
    return f"form of {user_id}"


def _now(request: Request) -> int:
    return int(request.app.state.services.database.clock().timestamp())
