"""New sources by pages: looked at step by step, chosen among feeds, and in files."""

import asyncio
import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import httpx2
import psycopg

from ctiscraper.audit_views import AuditEntry, AuditQuery
from ctiscraper.db.audit import Audit
from internet.world import FakeInternet
from patience import until
from web.sourced import Desk, working

SAME = {"sec-fetch-site": "same-origin"}
OPML = (
    b'<opml version="2.0"><body>'
    b'<outline type="rss" text="News" xmlUrl="https://news.example/feed"/>'
    b'<outline type="rss" text="Other" xmlUrl="https://other.example/feed"/>'
    b'<outline type="rss" text="Bad" xmlUrl="javascript:alert(1)"/>'
    b"</body></opml>"
)


async def imports(desk: Desk) -> tuple[AuditEntry, ...]:
    return (await Audit(desk.walk.database).page(AuditQuery(action="source.import"))).entries


def scope_of(request: httpx2.Request) -> dict[str, Any]:
    """What a server makes of a request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.url.path,
        "raw_path": request.url.path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 40_000),
        "server": ("127.0.0.1", 80),
    }


async def sent(desk: Desk, action: str, body: bytes = b"", text: str = "") -> httpx2.Response:
    return await desk.client.post(
        "/sources/import",
        data={"action": action, "text": text},
        files={"file": ("feeds.opml", body)},
        headers=SAME,
    )


async def test_a_look_is_sent_piece_by_piece(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=6) as net, working(database, tmp_path, net) as desk:
        page = (await desk.post("/sources/preview", url=net.sites[0].url())).text
        steps = ("Asking ", "Found 6 entries", "Reading article 1 of 5", "Reading article 5 of 5")
        places = [page.index(step) for step in steps]
        assert places == sorted(places)
        assert "The site names 2 more feeds" in page
        assert net.sites[0].url("/atom.xml") in page
        assert "Tier that fits" in page
        assert "no line of it is about this" in page
        other = await desk.post(
            "/sources/preview", url=net.sites[0].url(), feed=net.sites[0].url("/atom.xml")
        )
        assert "Found 6 entries" in other.text
        assert "(atom" in other.text


async def test_sources_that_are_alike_are_shown(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=4) as net, working(database, tmp_path, net) as desk:
        await desk.collected()
        page = await desk.post("/sources/preview", url=net.sites[0].url("/atom.xml"))
        assert "has 4 of its 4 articles" in page.text
        assert 'href="/sources/one"' in page.text


async def test_what_stands_in_the_way_is_told_where_the_look_ends(
    database: str, tmp_path: Path
) -> None:
    async with FakeInternet(hosts=1, items=1) as net, working(database, tmp_path, net) as desk:
        net.sites[0].faults["robots"] = "robots_disallow"
        page = (await desk.post("/sources/preview", url=net.sites[0].url())).text
        assert page.index("Asking ") < page.index("asks not to be read here")
        assert page.rstrip().endswith("</html>")


async def test_a_file_is_looked_at_then_taken(database: str, tmp_path: Path) -> None:
    async with FakeInternet() as net, working(database, tmp_path, net) as desk:
        assert "up to 20 MB" in (await desk.client.get("/sources/import")).text
        page = (await sent(desk, "look", OPML)).text
        assert "It would add 2, 0 are known, 1 cannot be taken. Nothing was written." in page
        assert await desk.walk.sources.all() == []
        page = (await sent(desk, "import", text=OPML.decode())).text
        assert "2 added, 0 were known, 1 could not be taken." in page
        assert {source.settings.key for source in await desk.walk.sources.all()} == {
            "news",
            "other",
        }
        assert "the-admin, token a test" in (await desk.client.get("/sources/news")).text
        page = (await sent(desk, "look", OPML)).text
        assert "collected already as" in page
        [entry] = await imports(desk)
        assert json.loads(entry.changes) == {"added": 2, "file": "text", "known": 0}
        assert (entry.object_kind, entry.actor_name) == ("source", "the-admin, token a test")


async def test_an_import_that_breaks_off_is_noted(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE disk_full; END $$"
        )
        conn.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT ON source FOR EACH ROW"
            " WHEN (NEW.key = 'other') EXECUTE FUNCTION full_disk()"
        )
    async with FakeInternet() as net, working(database, tmp_path, net) as desk:
        page = (await sent(desk, "import", text=OPML.decode())).text
        assert 'role="alert"' in page
        assert [source.settings.key for source in await desk.walk.sources.all()] == ["news"]
        [entry] = await imports(desk)
        assert json.loads(entry.changes) == {"file": "text", "whole": False}


async def test_an_import_whose_browser_has_gone_is_noted(database: str, tmp_path: Path) -> None:
    rows = b"".join(
        b'<outline type="rss" text="N" xmlUrl="https://n%d.example/feed"/>' % n for n in range(250)
    )
    body = b'<opml version="2.0"><body>' + rows + b"</body></opml>"
    async with FakeInternet() as net, working(database, tmp_path, net) as desk:
        form = desk.client.build_request(
            "POST",
            "/sources/import",
            data={"action": "import"},
            files={"file": ("feeds.opml", body)},
            headers={**SAME, "accept-encoding": "identity"},
        )
        unread, gone = [await form.aread()], asyncio.Event()

        async def receive() -> dict[str, object]:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            if b"100 of 250" in message.get("body", b""):
                gone.set()

        await desk.app(scope_of(form), receive, send)
        # The import is told to stop while the entry is made, which goes on by itself.
        await until(lambda: imports(desk))
        [entry] = await imports(desk)
        assert json.loads(entry.changes) == {"file": "feeds.opml", "whole": False}


async def test_files_that_are_none_are_told_so(database: str, tmp_path: Path) -> None:
    async with FakeInternet() as net, working(database, tmp_path, net) as desk:
        for body in (b"<x", b"sources: 7", b"\xff\xfe\x00", b"<opml>" + b"<outline>" * 5000):
            page = await sent(desk, "import", body)
            assert (page.status_code, body[:9]) == (422, body[:9])
        assert (await sent(desk, "import")).status_code == 422
        strange = await desk.client.post("/sources/import", content=b"x", headers=SAME)
        assert strange.status_code == 422
        large = await sent(desk, "import", b"<opml>" + b" " * 20_000_000)
        assert large.status_code == 413


async def test_a_long_import_says_how_far_it_is(database: str, tmp_path: Path) -> None:
    rows = b"".join(
        b'<outline type="rss" text="N" xmlUrl="https://n%d.example/feed"/>' % n for n in range(250)
    )
    async with FakeInternet() as net, working(database, tmp_path, net) as desk:
        body = b'<opml version="2.0"><body>' + rows + b"</body></opml>"
        page = (await sent(desk, "look", body)).text
        assert page.index("100 of 250 rows.") < page.index("200 of 250 rows.")


async def test_sources_leave_in_files(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=1) as net, working(database, tmp_path, net) as desk:
        await desk.collected()
        for path in ("/sources/export.yaml", "/api/v1/sources/export.yaml"):
            catalogue = await desk.client.get(path)
            assert catalogue.text.startswith("sources:\n- key: one\n")
            assert "ctiscraper-sources.yaml" in catalogue.headers["content-disposition"]
        assert (await desk.client.get("/sources/export.opml")).text.startswith("<?xml")
        assert (await desk.client.get("/sources/export.exe")).status_code == 422


async def test_a_source_may_be_called_like_a_page(database: str, tmp_path: Path) -> None:
    async with FakeInternet() as net, working(database, tmp_path, net) as desk:
        body = b'<opml version="2.0"><body><outline text="Import" xmlUrl="https://i.example/f"/>'
        await sent(desk, "import", body + b"</body></opml>")
        assert [source.settings.key for source in await desk.walk.sources.all()] == ["import-2"]
