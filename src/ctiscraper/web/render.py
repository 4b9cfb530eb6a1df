"""Templates: how values become a page."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from importlib.resources import files
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from ctiscraper.access.load_balancer import HEADER
from ctiscraper.defang import defang
from ctiscraper.reasons import health_words, words_of
from ctiscraper.tasks.watch import size, span
from ctiscraper.types import Health
from ctiscraper.web.cookie_names import choice_cookie
from ctiscraper.web.kind_words import kind_group, kind_words, shown, spelled
from ctiscraper.web.search_words import pieces, sentence
from ctiscraper.web.verdict_words import rule_words, verdict_words

THEMES = ("auto", "light", "dark")
THEME_CHOICE = "theme"
DENSITY_CHOICE = "density"
BY_CHOICE = "by"

NOTHING = "\N{EN DASH}"

_MINUTE = 60
_HOUR = 3600
_DAY = 86_400


def render(
    template: str,
    context: Mapping[str, object],
    *,
    scope: Scope,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a page; what every page shows is added to its context."""
    kept = {"cache-control": "private, no-cache", **(headers or {})}
    return HTMLResponse(fragment(template, context, scope=scope), status, kept)


def fragment(template: str, context: Mapping[str, object], *, scope: Scope) -> str:
    """Return what a template makes of a context and of what every page shows."""
    request = Request(scope)
    theme = choice_of(request, THEME_CHOICE)
    state = scope.get("state", {})
    principal = state.get("principal")
    return (
        _environment()
        .get_template(template)
        .render(
            {
                "pulse": None,
                "csrf": state.get("csrf", ""),
                "principal": principal,
                "may": principal.permissions.__contains__ if principal else _may_nothing,
                "now": datetime.now(UTC),
                "theme": theme if theme in THEMES else "auto",
                "is_compact": choice_of(request, DENSITY_CHOICE) == "compact",
                "by_story": choice_of(request, BY_CHOICE) == "story",
                "path": scope["path"],
                "sign_on": _sign_on(scope),
                "here": _here(scope),
                **context,
            }
        )
    )


def choice_of(request: Request, choice: str) -> str | None:
    """Return what a reader has chosen of how pages look, None while he has not."""
    return request.cookies.get(choice_cookie(request, choice))


def _sign_on(scope: Scope) -> str:
    """Return where people log in by a provider, for the page where they do; empty for nowhere."""
    app = scope.get("app")
    if app is None:
        return ""
    given = app.state.services
    if given.balancer is not None and HEADER in Headers(scope=scope):
        return "/oidc/balancer"
    return "/oidc/start" if given.provider is not None else ""


def _may_nothing(_: str) -> bool:
    return False


def ago(when: datetime | None, now: datetime) -> str:
    """Return a past or coming time as its distance in one unit."""
    if when is None:
        return "never"
    seconds = (now - when).total_seconds()
    if seconds >= 0:
        words = _distance(seconds)
        return f"{words} ago" if words else "now"
    # What was just set to 30 days is not 29 days away: the nearest day counts.
    words = _distance(-seconds + _DAY / 2 if -seconds >= 2 * _DAY else -seconds)
    return f"in {words}" if words else "in a moment"


def _distance(seconds: float) -> str | None:
    if seconds < _MINUTE:
        return None
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min"
    if seconds < 2 * _DAY:
        return f"{int(seconds // _HOUR)} h"
    days = int(seconds // _DAY)
    return f"{days} days" if days < 365 else f"{days // 365} y"  # noqa: PLR2004 - days of a year


def moment(when: datetime) -> str:
    """Return a time in full, in UTC."""
    return f"{when.astimezone(UTC):%-d %B %Y, %H:%M} UTC"


def day_name(when: datetime, now: datetime) -> str:
    """Return the day of a time as a heading."""
    day, today = when.astimezone(UTC).date(), now.astimezone(UTC).date()
    if day == today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    return f"{day:%A %-d %B}" if day.year == today.year else f"{day:%A %-d %B %Y}"


def shown_host(url: str) -> str:
    """Return the host that a link leads to, in its ASCII form."""
    try:
        host = urlsplit(url).hostname or ""
        return host.removeprefix("www.") if host.isascii() else host.encode("idna").decode()
    except (ValueError, UnicodeError):
        return "an unreadable host"


def is_web_link(url: str) -> bool:
    """Return whether a stored address may become a link."""
    return url.lower().startswith(("http://", "https://"))


def number(value: float | None) -> str:
    """Return a count with its thousands apart."""
    return NOTHING if value is None else f"{value:,.0f}"


def per_day(value: float | None) -> str:
    """Return a daily rate as a reader says it."""
    if value is None:
        return NOTHING
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"  # noqa: PLR2004 - one more digit


def with_query(path: str, values: Mapping[str, object], **more: object) -> str:
    """Return an address with the parameters that have a value."""
    chosen = {k: str(v) for k, v in {**values, **more}.items() if v not in {None, ""}}
    return f"{path}?{urlencode(chosen)}" if chosen else path


def _here(scope: Scope) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{scope['path']}?{query}" if query else str(scope["path"])


@cache
def static(name: str) -> str:
    """Return the address of a static file; it changes with the file, so it may be kept for ever."""
    content = (files("ctiscraper.web") / "static" / name).read_bytes()
    return f"/static/{name}?v={sha256(content).hexdigest()[:12]}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ctiscraper.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "ago": ago,
        "moment": moment,
        "day_name": day_name,
        "defanged": defang,
        "host": shown_host,
        "kind_group": kind_group,
        "kind_words": kind_words,
        "number": number,
        "per_day": per_day,
        "pieces": pieces,
        "reason_words": words_of,
        "rule_words": rule_words,
        "sentence": sentence,
        "shown": shown,
        "size": size,
        "span": span,
        "spelled": spelled,
        "verdict_words": verdict_words,
        "health_words": lambda health: health_words(Health(health)),
    }
    environment.tests["web_link"] = is_web_link
    environment.globals |= {"static": static, "with_query": with_query}
    return environment
