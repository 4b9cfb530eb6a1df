"""One exchange with an installation: encoded, sent again where that is safe, and read strictly."""

import random
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ParamSpec, Self, TypeVar
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

import httpcore2
import msgspec

T = TypeVar("T")
P = ParamSpec("P")

API = "/api/v1"
TRIES = 4
LONGEST_WAIT_SECONDS = 30.0
_FIRST_WAIT_SECONDS = 0.5
_OK = range(200, 300)
_AGAIN = frozenset({429, 502, 503, 504})
_TOO_MANY = 429
_CONFLICT = 409
_JSON = "application/json"

# What makes a secret or asks a model is not kept for a repeat (the API's Idempotency-Key): where it
# may have been made nobody sends it again.
_MADE_ONCE = re.compile(
    r"/(?:tokens|users|questions)$|/users/[^/]+/password$|/questions/stream$|/searches/[^/]+/feed$"
)
_NOT_SENT = (httpcore2.ConnectError, httpcore2.ConnectTimeout)
_LOST = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException)

One = str | int | float | bool | datetime | None
Value = One | Sequence[str] | Sequence[int]


class ApiError(Exception):
    """An answer that tells of a problem (RFC 9457); `errors` name the fields that are wrong."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        """Keep what the installation said."""
        self.status = status
        self.detail = str(problem.get("detail") or problem.get("title") or "no reason was given")
        self.errors: tuple[Mapping[str, str], ...] = tuple(problem.get("errors") or ())
        self.request_id = str(problem.get("request_id") or "")
        self.problem = problem
        fields = "; ".join(f"{e.get('field', '')}: {e.get('message', '')}" for e in self.errors)
        super().__init__(f"{status}: {self.detail}" + (f" ({fields})" if fields else ""))


class UnreachableError(Exception):
    """The installation did not answer."""


class Transport:
    """A pool of connections to one installation; usable from several threads.

    Reading is tried again on a lost connection and where the installation is busy, and so is
    writing: each write carries an `Idempotency-Key`, so that it is made once.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        seconds: float = 60.0,
        tls: ssl.SSLContext | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the address of an installation, such as https://cti.example, and a token of it.

        `seconds` is how long an answer may take.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ValueError(f"{url!r} should read like https://cti.example")
        self._base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}{API}"
        self._headers = {"authorization": f"Bearer {token}", "user-agent": "ctiscraper-client"}
        self._timeout = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
        self._wait = wait
        self._pool = httpcore2.ConnectionPool(ssl_context=tls, max_connections=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give every connection back."""
        self._pool.close()

    def pages(self, ask: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        """Yield the pages of a list, one after the other: `pages(client.list_articles, q="x")`."""
        given: dict[str, Any] = dict(kwargs)
        while True:
            page: Any = ask(*args, **given)
            yield page
            if page.next is None:
                return
            given["cursor"] = page.next

    def call(
        self,
        method: str,
        path: str,
        kind: type[T] | None,
        *,
        query: Mapping[str, Value] | None = None,
        body: object = None,
        media_type: str = _JSON,
    ) -> T:
        """Return the answer as `kind`: None for nothing, bytes for a file.

        Raises ApiError and UnreachableError.
        """
        address = self._base + path
        if chosen := list(_chosen(query or {})):
            address += f"?{urlencode(chosen)}"
        headers = dict(self._headers)
        content = b""
        if body is not None:
            content = body if isinstance(body, bytes) else msgspec.json.encode(body)
            headers["content-type"] = media_type
        if method != "GET":
            headers["idempotency-key"] = uuid4().hex
        answer = self._answer(method, address, headers, content)
        if answer.status not in _OK:
            raise ApiError(answer.status, _problem(answer.content))
        if kind is None:
            return None  # type: ignore[return-value]  # T is None then
        if kind is bytes:
            return answer.content  # type: ignore[return-value]  # T is bytes then
        return msgspec.json.decode(answer.content, type=kind)

    def _answer(
        self, method: str, address: str, headers: dict[str, str], content: bytes
    ) -> httpcore2.Response:
        is_made_once = method == "POST" and _MADE_ONCE.search(urlsplit(address).path) is not None
        wait = _FIRST_WAIT_SECONDS
        for left in reversed(range(TRIES)):
            try:
                answer = self._pool.request(
                    method,
                    address,
                    headers=list(headers.items()),
                    content=content,
                    extensions={"timeout": self._timeout},
                )
            except _LOST as error:
                why = str(error) or type(error).__name__
                if is_made_once and not isinstance(error, _NOT_SENT):
                    raise UnreachableError(
                        f"{address} was asked and did not answer: {why}; whether it was done nobody"
                        " can say, so it is not asked again"
                    ) from error
                if not left:
                    raise UnreachableError(f"{address} does not answer: {why}") from error
            else:
                may = answer.status == _TOO_MANY if is_made_once else _again(answer)
                if not left or not may:
                    return answer
                wait = max(wait, _retry_after(answer))
            self._wait(min(wait, LONGEST_WAIT_SECONDS) * random.uniform(0.9, 1.1))  # noqa: S311
            wait *= 2
        raise AssertionError("the last try returns or raises")


def path_part(value: object) -> str:
    """Return a value as one part of a path."""
    return quote(str(value), safe="")


def _chosen(query: Mapping[str, Value]) -> Iterator[tuple[str, str]]:
    for name, value in query.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is not None:
                yield name, _written(one)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _problem(content: bytes) -> Mapping[str, Any]:
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError:
        return {"detail": content[:200].decode("utf-8", "replace")}


def _again(answer: httpcore2.Response) -> bool:
    """Return whether an answer asks for patience; a write under way does by saying when to ask."""
    under_way = answer.status == _CONFLICT and _retry_after(answer) > 0
    return answer.status in _AGAIN or under_way


def _retry_after(answer: httpcore2.Response) -> float:
    for name, value in answer.headers:
        if name.lower() == b"retry-after" and value.isdigit():
            return float(value)
    return 0.0
