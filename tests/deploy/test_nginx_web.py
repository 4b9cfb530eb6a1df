"""The front door before the real web process."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ctiscraper.db.session import Database
from ctiscraper.web.security import BODY_MOST, HEADERS
from deploy.edge import Edge, Site, answered, ask, connected, edge, exchange, readable
from people import person, token_of

SLOW = 200
# Nginx's client_header_timeout, and what a busy machine may add.
HEADER_SECONDS = 10
PATIENCE = HEADER_SECONDS + 15


@pytest.fixture(scope="module")
def door(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with edge(tmp_path_factory.mktemp("edge"), site.port) as opened:
        yield opened


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/articles/1", 200),
        ("/sources", 200),
        ("/accounting", 200),
        ("/nothing", 404),
        ("/api/v1/articles", 200),
        ("/api/v1/articles/999999", 404),
        ("/health/live", 200),
        ("/health/ready", 200),
        ("/static/base.css", 200),
        ("/static/nothing.css", 404),
    ],
)
def test_pages_come_through_with_each_header_once(
    door: Edge, site: Site, path: str, status: int
) -> None:
    answer = ask(door.port, path, Accept_Encoding="gzip", **site.known)
    assert answer.status == status
    for name, value in HEADERS.items():
        assert answer.one(name) == value
    assert len(answer.one("x-request-id")) == 32
    assert answer.one("cache-control")
    assert answer.one("server") == "nginx"


@pytest.mark.parametrize(
    ("site_of_asker", "is_compressed"),
    [
        ("same-origin", True),
        ("none", True),
        ("same-site", False),
        ("cross-site", False),
        ("", False),
    ],
)
def test_a_page_is_compressed_where_no_other_site_can_measure_it(
    door: Edge, site: Site, site_of_asker: str, *, is_compressed: bool
) -> None:
    said = {"Sec_Fetch_Site": site_of_asker} if site_of_asker else {}
    page = ask(door.port, "/", Accept_Encoding="gzip", Cookie=f"ctiscraper={site.session}", **said)
    assert page.status == 200
    assert page.all("content-encoding") == (["gzip"] if is_compressed else [])


def test_what_a_program_asks_for_is_compressed_and_its_tag_still_counts(
    door: Edge, site: Site
) -> None:
    plain = ask(door.port, "/api/v1/articles", **site.known)
    assert plain.all("content-encoding") == []
    assert b"article 29" in plain.body
    listed = ask(door.port, "/api/v1/articles", Accept_Encoding="gzip", **site.known)
    assert listed.one("content-encoding") == "gzip"
    assert len(listed.body) < len(plain.body) / 2
    tag = listed.one("etag")
    assert tag == f"W/{plain.one('etag')}"
    again = ask(
        door.port, "/api/v1/articles", Accept_Encoding="gzip", If_None_Match=tag, **site.known
    )
    assert (again.status, again.body) == (304, b"")


def test_what_a_browser_asks_for_with_its_cookie_is_not_compressed(door: Edge, site: Site) -> None:
    """Another site may have led it here."""
    asked = ask(
        door.port,
        "/api/v1/articles",
        Accept_Encoding="gzip",
        Cookie=f"ctiscraper={site.session}",
        Sec_Fetch_Site="cross-site",
    )
    assert b"article 29" in asked.body
    assert asked.all("content-encoding") == []


def test_every_static_file_of_a_page_may_be_kept(door: Edge, site: Site) -> None:
    page = ask(door.port, "/", **site.known).body.decode()
    names = {part.split('"')[0] for part in page.split('"/static/')[1:]}
    assert {name.partition("?")[0] for name in names} >= {"base.css", "pages.css", "keys.js"}
    for name in names:
        kept = ask(door.port, f"/static/{name}")
        assert (kept.status, kept.one("cache-control")) == (
            200,
            "public, max-age=31536000, immutable",
        )


def test_health_is_told_to_whoever_asks_by_address(door: Edge) -> None:
    """A load balancer asks the container's address, which is no name of ours."""
    asked = b"GET %s HTTP/1.1\r\nHost: 10.0.11.7:8080\r\nConnection: close\r\n\r\n"
    assert answered(exchange(door.port, asked % b"/health/live")).status == 200
    assert answered(exchange(door.port, asked % b"/")).status == 421


def test_a_change_from_another_site_is_still_refused(door: Edge) -> None:
    head = f"POST /theme HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\nConnection: close\r\n"
    form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n"
    for origin, status in ((f"http://127.0.0.1:{door.port}", 303), ("http://evil.example", 403)):
        sent = f"{head}{form}Origin: {origin}\r\n\r\ntheme=dark"
        assert answered(exchange(door.port, sent.encode())).status == status


def test_a_body_just_over_the_products_own_limit_is_explained_by_it(door: Edge) -> None:
    head = f"POST /api/v1/sources HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\nConnection: close\r\n"
    kind = f"Content-Type: application/json\r\nContent-Length: {BODY_MOST + 1}\r\n\r\n"
    answer = answered(exchange(door.port, (head + kind).encode() + b"x" * (BODY_MOST + 1)))
    assert answer.status == 413
    assert "1,000,000 bytes" in json.loads(answer.body)["detail"]


def test_slow_clients_do_not_stop_pages_and_health(door: Edge, site: Site) -> None:
    with ExitStack() as stack:
        slow = [connected(stack, door.port, "127.0.0.4") for _ in range(SLOW)]
        for connection in slow:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ")
        started = time.monotonic()
        for path in ("/health/live", "/", "/api/v1/articles") * 5:
            assert ask(door.port, path, **site.known).status == 200
            assert ask(door.port, "/health/live", source="127.0.0.4").status == 200
        # None was cut off yet, so all of that was answered beside them.
        assert time.monotonic() - started < HEADER_SECONDS
        assert readable(slow, 1, 0.1) == set()
        assert len(readable(slow, SLOW, PATIENCE)) == SLOW


async def test_events_come_through_as_they_happen(door: Edge, site: Site) -> None:
    """What has no end is not gathered first: its beginning is here while it goes on."""
    async with Database(site.shelf.conninfo, size=1) as opened:
        token = await token_of(opened, await person(opened, login="listener"))
    asked = (
        f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    )
    received = await asyncio.to_thread(
        exchange, door.port, asked.encode(), until=b"event: articles"
    )
    answer = answered(received)
    assert (answer.status, answer.one("content-type")) == (200, "text/event-stream; charset=utf-8")
    assert answer.one("cache-control") == "no-store"
    assert b"retry: 3000" in answer.body
    assert b"event: articles" in answer.body
