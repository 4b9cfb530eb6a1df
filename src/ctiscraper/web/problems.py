"""Errors as answers: problem JSON (RFC 9457) for programs, a page for people."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from types import MappingProxyType

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Scope

from ctiscraper.errors import (
    CatalogError,
    ConflictError,
    CTIScraperError,
    CursorError,
    FetchError,
    InputError,
    ModelError,
    NotFoundError,
    ParseError,
    QueryError,
    Reason,
    SearchSyntaxError,
    SignOnError,
    StaleError,
    StorageError,
    TooManyError,
    UnavailableError,
)
from ctiscraper.reasons import words_of
from ctiscraper.views import ChangeRow
from ctiscraper.web.answers import JsonAnswer
from ctiscraper.web.exchange import shown_path
from ctiscraper.web.guarded import principal_of
from ctiscraper.web.render import render
from ctiscraper.web.search_words import sentence


class MeanwhileError(ConflictError):
    """An edit that came after another's, which `changes` tells."""

    def __init__(self, message: str, changes: Sequence[ChangeRow]) -> None:
        """Keep what the other one changed."""
        super().__init__(message)
        self.changes = changes


_log = structlog.get_logger(__name__)

_STATUS: dict[type[CTIScraperError], int] = {
    NotFoundError: 404,
    ConflictError: 409,
    StaleError: 409,
    MeanwhileError: 409,
    CursorError: 422,
    CatalogError: 422,
    InputError: 422,
    QueryError: 400,
    SearchSyntaxError: 422,
    ParseError: 422,
    FetchError: 502,
    ModelError: 502,
    TooManyError: 429,
    SignOnError: 403,
    UnavailableError: 503,
    StorageError: 503,
}
# Programs ask here.
_JSON = ("/api/", "/health")
_UNAVAILABLE = "The database does not answer just now; try again in a moment."
_FAULT = "The program met a fault of its own. Its log has the details under this request's id."


def problem_answer(
    scope: Scope,
    status: int,
    detail: str,
    *,
    problems: Sequence[Mapping[str, object]] = (),
    more: Mapping[str, object] = MappingProxyType({}),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the answer for an error: JSON under /api and /health, else a page.

    `more` are further members of the JSON.
    """
    if not scope["path"].startswith(_JSON):
        return error_page(scope, status, detail, problems=problems, headers=headers)
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": scope["path"],
        "request_id": _request_id(scope),
        **more,
    }
    if problems:
        body["errors"] = list(problems)
    return JsonAnswer(body, status, headers, media_type="application/problem+json")


def error_page(
    scope: Scope,
    status: int,
    detail: str,
    *,
    problems: Sequence[Mapping[str, object]] = (),
    headers: Mapping[str, str] | None = None,
    back: str = "/",
) -> Response:
    """Return the page for an error; `back` is where it leads on to."""
    return render(
        "error.html",
        {
            "status": status,
            "title": HTTPStatus(status).phrase,
            "detail": detail,
            "problems": problems,
            "request_id": _request_id(scope),
            "back": back,
        },
        scope=scope,
        status=status,
        headers=headers,
    )


def _request_id(scope: Scope) -> str:
    return str(scope.get("state", {}).get("request_id", ""))


def is_refusal(error: BaseException) -> bool:
    """Return whether an error says that what was asked for was not done.

    Of a database that failed, and of a fault of our own, nobody can say that.
    """
    if isinstance(error, HTTPException):
        return error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(error, StorageError):
        return False
    return isinstance(error, RequestValidationError) or type(error) in _STATUS


def install(app: FastAPI) -> None:
    """Let every error of the app end in an answer of this module."""

    @app.exception_handler(CTIScraperError)
    async def product_error(request: Request, error: CTIScraperError) -> Response:
        status = _STATUS.get(type(error), 500)
        if isinstance(error, StorageError):
            _log.warning("web.storage", detail=str(error), request_id=request.state.request_id)
            return problem_answer(
                request.scope, status, _storage_words(error), headers={"retry-after": "5"}
            )
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            return fault_answer(request.scope, error)
        return _told_answer(request.scope, status, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        problems = [
            {"field": ".".join(str(part) for part in fault["loc"]), "message": fault["msg"]}
            for fault in error.errors()[:50]
        ]
        detail = "A parameter or field is wrong; see the errors."
        return problem_answer(request.scope, 422, detail, problems=problems)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        await _recognise(request)
        detail = (
            "There is nothing at this address."
            if error.status_code == HTTPStatus.NOT_FOUND
            else sentence(str(error.detail))
        )
        return problem_answer(request.scope, error.status_code, detail, headers=error.headers)


async def _recognise(request: Request) -> None:
    """Let the page of an address that no route has show its reader his menu, and the way out."""
    if getattr(request.state, "principal", None) is None and not request.url.path.startswith(_JSON):
        with suppress(StorageError):
            request.state.principal = await principal_of(request)


def _told_answer(scope: Scope, status: int, error: CTIScraperError) -> Response:
    """Return an error in its own words, with what belongs to its kind."""
    detail = told(error) if isinstance(error, FetchError | ParseError) else str(error)
    problems: list[dict[str, object]] = []
    more: dict[str, object] = {}
    headers = None
    if isinstance(error, SearchSyntaxError):
        more = {"position": error.position, "length": error.length}
    elif isinstance(error, MeanwhileError):
        more = {"changes": msgspec.to_builtins(error.changes)}
    elif isinstance(error, CatalogError):
        problems = [{"message": line} for line in error.problems]
        detail = "The settings are wrong; see the errors."
    elif isinstance(error, TooManyError):
        headers = {"retry-after": str(error.retry_after)}
    detail = sentence(detail)
    return problem_answer(scope, status, detail, problems=problems, more=more, headers=headers)


def fault_answer(scope: Scope, error: Exception) -> Response:
    """Return the answer for a fault of our own, which the log keeps in full.

    Whoever broke off is no fault, and does not read what is answered.
    """
    if isinstance(error, ClientDisconnect):
        return problem_answer(scope, 400, "The request broke off before it was whole.")
    _log.error(
        "web.fault",
        path=shown_path(scope),
        method=scope["method"],
        request_id=scope["state"]["request_id"],
        exc_info=error,
    )
    return problem_answer(scope, 500, _FAULT)


def _storage_words(error: StorageError) -> str:
    """Return what is away; what it said may name places of the machine, and is in the log."""
    words = words_of(error.reason)
    if error.reason == Reason.DATABASE or words is None:
        return _UNAVAILABLE
    return _sentences(words.cause, words.advice)


def told(error: FetchError | ParseError) -> str:
    """Return what stood in the way of a site's answer, and the way out."""
    words = words_of(error.reason)
    assert words is not None
    return _sentences(words.cause, error.detail, words.advice)


def _sentences(*parts: str) -> str:
    return " ".join(sentence(part) for part in parts if part)
