"""Faults of the wire: statuses, redirects, time, size, encodings, broken HTTP."""

import gzip
import itertools
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from email.utils import format_datetime
from functools import partial
from typing import Final

from internet.exchange import HTML, RSS, Exchange
from internet.site import EPOCH

Fault = Callable[[Exchange], Awaitable[None]]

STATUSES: Final = (400, 401, 403, 404, 410, 429, 451, 500, 502, 503)


def usual(x: Exchange) -> str:
    """Return what the asked path, or else the feed, says when all is well."""
    path = x.request.path.partition("?")[0]
    if path.startswith("/a/"):
        return x.site.page(x.site.item(int(path.removeprefix("/a/"))))
    return x.site.rss()


async def _status(x: Exchange, status: int) -> None:
    await x.send(f"<h1>{status}</h1>", status=status)


async def _wait(x: Exchange, *, status: int, after: str, times: int = 2) -> None:
    """Refuse the first times with Retry-After, then answer."""
    if x.earlier < times:
        await x.send("slow down", status=status, headers={"Retry-After": after})
    else:
        await x.send(usual(x), kind=RSS)


async def _chain(x: Exchange, hops: int) -> None:
    path, _, query = x.request.path.partition("?")
    done = int(query) if query.isdigit() else 0
    if done < hops:
        await x.redirect(f"{path}?{done + 1}")
    else:
        await x.send(usual(x), kind=RSS)


async def _loop(x: Exchange) -> None:
    path, _, query = x.request.path.partition("?")
    await x.redirect(f"{path}?{'b' if query == 'a' else 'a'}")


async def _slow_headers(x: Exchange) -> None:
    await x.trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def _slow_body(x: Exchange) -> None:
    body = usual(x).encode()
    await x.raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    await x.trickle(body)


async def _reset(x: Exchange) -> None:
    await x.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n<rss>")
    x.reset()


async def _close_at_once(x: Exchange) -> None:
    x.cut()


async def _truncate(x: Exchange) -> None:
    body = usual(x).encode()
    await x.send(body, kind=RSS, headers={"Content-Length": str(len(body) * 2)})
    x.cut()


def _megabytes(count: int) -> Iterator[bytes]:
    return itertools.repeat(b"<p>" + b"x" * 65_533, count * 16)


async def _huge(x: Exchange) -> None:
    await x.raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % (2 << 30)
    )
    await x.flood(_megabytes(2048))


async def _endless_chunks(x: Exchange) -> None:
    await x.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
    await x.flood(b"10000\r\n" + chunk + b"\r\n" for chunk in _megabytes(2048))


async def _endless_headers(x: Exchange) -> None:
    await x.raw(b"HTTP/1.1 200 OK\r\n")
    await x.flood(b"X-%d: %s\r\n" % (n, b"a" * 1000) for n in range(200_000))


def _bomb() -> bytes:
    """1 GiB of zeros as one raw deflate block set, about 1 MiB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(b"\0" * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * 1024


async def _encoded(x: Exchange, encoding: str, body: bytes) -> None:
    await x.send(body, kind=RSS, headers={"Content-Encoding": encoding})


async def _gzip_bomb(x: Exchange) -> None:
    await _encoded(x, "gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + _bomb())


async def _deflate_bomb(x: Exchange) -> None:
    await _encoded(x, "deflate", _bomb())


async def _gzip_twice(x: Exchange) -> None:
    await _encoded(x, "gzip, gzip", gzip.compress(gzip.compress(usual(x).encode())))


async def _gzip_bad(x: Exchange) -> None:
    await _encoded(x, "gzip", b"\x1f\x8b\x08\0garbage" + usual(x).encode()[:200])


async def _gzip_truncated(x: Exchange) -> None:
    await _encoded(x, "gzip", gzip.compress(usual(x).encode())[:-40])


async def _raw(x: Exchange, data: bytes) -> None:
    await x.raw(data)
    x.cut()


async def _http10(x: Exchange) -> None:
    await _raw(
        x, b"HTTP/1.0 200 OK\r\nContent-Type: application/rss+xml\r\n\r\n" + usual(x).encode()
    )


async def _etag(x: Exchange, etag: str) -> None:
    """Serve with this tag; a client that sends it back verbatim gets 304."""
    if x.request.headers.get("if-none-match") == etag:
        await x.send(status=304, headers={"ETag": etag})
    else:
        await x.send(usual(x), kind=RSS, headers={"ETag": etag})


async def _etag_rotating(x: Exchange) -> None:
    await x.send(usual(x), kind=RSS, headers={"ETag": f'"{x.earlier}"'})


async def _cookie_wall(x: Exchange) -> None:
    if "seen=1" in x.request.headers.get("cookie", ""):
        await x.send(usual(x), kind=RSS)
    else:
        headers = {"Set-Cookie": "seen=1", "Location": x.request.path}
        await x.send(status=302, headers=headers)


async def _hang(x: Exchange) -> None:
    await x.wait_until_gone()


_STATUS_FAULTS: Final[Mapping[str, Fault]] = {
    f"status_{status}": partial(_status, status=status) for status in STATUSES
}
_REDIRECT_FAULTS: Final[Mapping[str, Fault]] = {
    "redirect_301": lambda x: x.redirect("/feed.xml", 301),
    "redirect_302": lambda x: x.redirect("/feed.xml", 302),
    "redirect_308": lambda x: x.redirect("/feed.xml", 308),
    "redirect_chain": partial(_chain, hops=10),
    "redirect_short_chain": partial(_chain, hops=3),
    "redirect_loop": _loop,
    "redirect_self": lambda x: x.redirect(x.request.path),
    "redirect_canary": lambda x: x.redirect(x.canary_url),
    "redirect_metadata": lambda x: x.redirect("http://169.254.169.254/latest/meta-data/"),
    "redirect_file": lambda x: x.redirect("file:///etc/passwd"),
    "redirect_userinfo": lambda x: x.redirect("http://user:word@example.com/"),
    "redirect_nowhere": lambda x: x.send(status=302),
}
_TIME_AND_SIZE_FAULTS: Final[Mapping[str, Fault]] = {
    "retry_after_seconds": partial(_wait, status=429, after="2"),
    "retry_after_date": partial(_wait, status=503, after=format_datetime(EPOCH, usegmt=True)),
    "retry_after_huge": partial(_wait, status=429, after="1000000000", times=10**9),
    "slow_headers": _slow_headers,
    "slow_body": _slow_body,
    "hang": _hang,
    "reset": _reset,
    "close_at_once": _close_at_once,
    "truncate": _truncate,
    "huge": _huge,
    "endless_chunks": _endless_chunks,
    "endless_headers": _endless_headers,
    "big_header": lambda x: x.send(usual(x), kind=RSS, headers={"X-Big": "a" * 1_000_000}),
}
_ENCODING_FAULTS: Final[Mapping[str, Fault]] = {
    "gzip_bomb": _gzip_bomb,
    "deflate_bomb": _deflate_bomb,
    "gzip_twice": _gzip_twice,
    "gzip_bad": _gzip_bad,
    "gzip_truncated": _gzip_truncated,
    "brotli_unasked": partial(_encoded, encoding="br", body=b"\x0b\x02\x80text\x03"),
    "zstd_unasked": partial(_encoded, encoding="zstd", body=b"\x28\xb5\x2f\xfd\x20\x00"),
}
_HTTP_FAULTS: Final[Mapping[str, Fault]] = {
    "bad_status_line": partial(_raw, data=b"HTTQ/1.1 OK 200\r\n\r\n"),
    "http09": partial(_raw, data=b"<html>no head at all</html>"),
    "http10": _http10,
    "negative_length": lambda x: x.send("x", headers={"Content-Length": "-1"}),
    "empty_body": lambda x: x.send("", kind=HTML),
    "octet_stream": lambda x: x.send(usual(x), kind="application/octet-stream"),
    "etag_weak": partial(_etag, etag='W/"weak"'),
    "etag_stuck": partial(_etag, etag='"stuck"'),
    "etag_rotating": _etag_rotating,
    "no_validators": lambda x: x.send(usual(x), kind=RSS),
    "unasked_304": lambda x: x.send(status=304),
    "cookie_wall": _cookie_wall,
}
WIRE_FAULTS: Final[Mapping[str, Fault]] = {
    **_STATUS_FAULTS,
    **_REDIRECT_FAULTS,
    **_TIME_AND_SIZE_FAULTS,
    **_ENCODING_FAULTS,
    **_HTTP_FAULTS,
}
