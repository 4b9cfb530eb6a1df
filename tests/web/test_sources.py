"""Sources are added, looked at before, changed, imported and removed by API and pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import httpx2

from internet.world import FakeInternet
from web.shelf import Shelf
from web.sourced import FORM, working


@asynccontextmanager
async def reading(
    database: str, folder: Path, net: FakeInternet
) -> AsyncIterator[httpx2.AsyncClient]:
    async with working(database, folder, net) as desk:
        yield desk.client


async def test_a_source_is_looked_at_saved_changed_and_removed(
    database: str, tmp_path: Path
) -> None:
    async with FakeInternet(hosts=1, items=6) as net, reading(database, tmp_path, net) as client:
        url = net.sources()[0].url
        preview = (await client.post("/api/v1/sources/preview", json={"url": url})).json()
        assert len(preview["samples"]) == 5
        assert all(sample["excerpt"] for sample in preview["samples"])
        assert (await client.get("/api/v1/sources")).json() == []

        given = {"url": url, "settings": {"key": "one", "tier": "premium"}, "reason": "wanted"}
        added = await client.post("/api/v1/sources", json=given)
        assert (added.status_code, added.headers["location"]) == (201, "/api/v1/sources/one")
        assert (await client.post("/api/v1/sources", json=given)).status_code == 409

        change = {"settings": {"min_length": 300, "tier": None}, "reason": "shorter ones are noise"}
        changed = (await client.patch("/api/v1/sources/one", json=change)).json()
        assert changed["settings"]["min_length"] == 300
        assert changed["overview"]["tier"] == "standard"
        assert changed["changes"][0]["reason"] == "shorter ones are noise"
        assert {f["field"] for f in changed["changes"][0]["fields"]} == {"min_length", "tier"}

        assert (await client.post("/api/v1/sources/one/check")).status_code == 202
        assert (await client.delete("/api/v1/sources/one?reason=done")).status_code == 204
        assert (await client.get("/api/v1/sources")).json() == []
        assert (await client.get("/api/v1/sources/one")).json()["removed_at"]


async def test_pages_add_a_source_without_script(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=6) as net, reading(database, tmp_path, net) as client:
        url = net.sources()[0].url
        assert "Address of a site" in (await client.get("/sources/add")).text
        body = urlencode({"url": url, "tier": "premium"})
        page = await client.post("/sources/preview", content=body, headers=FORM)
        assert page.status_code == 200
        assert page.text.count("text by") == 5

        body = urlencode({"url": url, "tier": "basic", "name": "Named", "settings": '{"key": "k"}'})
        saved = await client.post("/sources/add", content=body, headers=FORM)
        assert (saved.status_code, saved.headers["location"]) == (303, "/sources/k?done=added")
        page = await client.get("/sources/k")
        assert "Named" in page.text

        paused = await client.post("/sources/k/pause", content="reason=too+loud", headers=FORM)
        assert paused.headers["location"] == "/sources/k?done=paused"
        page = await client.get("/sources/k?done=paused")
        assert "too loud" in page.text
        assert "nothing is asked of it until somebody resumes it" in page.text
        assert "by <bdi>the-admin, token a test</bdi>" in page.text
        resumed = await client.post("/sources/k/resume", content="", headers=FORM)
        assert resumed.headers["location"] == "/sources/k?done=resumed"

        assert (await client.post("/sources/k/check", headers=FORM)).status_code == 303
        removed = await client.post("/sources/k/remove", content="reason=dull", headers=FORM)
        assert removed.status_code == 303
        assert "its articles stay" in (await client.get(removed.headers["location"])).text
        assert "This source was removed" in (await client.get("/sources/k")).text


async def test_a_paused_source_is_not_checked_and_nothing_says_it_was(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    shelf.source("idle", active=False)
    shelf.run("UPDATE source_state SET enabled = false, health = 'paused'")
    for path in ("/api/v1/sources/idle/check", "/sources/idle/check"):
        answer = await client.post(path, headers=FORM)
        assert (answer.status_code, path) == (409, path)
        assert "is paused: resume it first" in answer.text
    assert shelf.run("SELECT count(*) FROM audit_entry WHERE action = 'source.check'") == (0,)


BAD_URLS = (
    "javascript:alert(1)",
    "ftp://x.example/",
    "https://u:p@x.example/",
    "http://[",
    "   ",
)


async def test_what_is_no_web_address_is_told_so(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=1) as net, reading(database, tmp_path, net) as client:
        for url in BAD_URLS:
            answer = await client.post("/api/v1/sources/preview", json={"url": url})
            assert (answer.status_code, url) == (422, url)
            body = urlencode({"url": url})
            page = await client.post("/sources/preview", content=body, headers=FORM)
            assert (page.status_code, url) == (422, url)
        assert not net.requests


async def test_site_that_does_not_answer_is_told_in_words(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=1) as net, reading(database, tmp_path, net) as client:
        given = {"url": f"http://10.0.0.1:{min(net.ports)}/"}
        answer = await client.post("/api/v1/sources/preview", json=given)
        assert answer.status_code == 502
        assert "private or reserved address" in answer.json()["detail"]
        page = await client.post("/sources/preview", content=urlencode(given), headers=FORM)
        assert "private or reserved address" in page.text


async def test_sources_leave_and_come_back_as_opml(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=2, items=1) as net, reading(database, tmp_path, net) as client:
        for source in net.sources():
            await client.post("/api/v1/sources", json={"url": source.url})
        kept = [s["url"] for s in (await client.get("/api/v1/sources")).json()]
        opml = (await client.get("/api/v1/sources/export.opml")).content
        report = (await client.post("/api/v1/sources/import?dry_run=true", content=opml)).json()
        assert [row["outcome"] for row in report["rows"]] == ["known", "known"]
        for source in (await client.get("/api/v1/sources")).json():
            await client.delete(f"/api/v1/sources/{source['key']}")
        report = (await client.post("/api/v1/sources/import", content=opml)).json()
        assert [row["outcome"] for row in report["rows"]] == ["added", "added"]
        assert [s["url"] for s in (await client.get("/api/v1/sources")).json()] == kept
        assert (await client.post("/api/v1/sources/import", content=b"<x")).status_code == 422


REFUSED: tuple[tuple[str, str, object], ...] = (
    ("POST", "/api/v1/sources", {"url": "https://x.example/", "unknown": 1}),
    ("POST", "/api/v1/sources", {"url": "https://x.example/", "settings": {"tears": "x"}}),
    ("POST", "/api/v1/sources", {}),
    ("POST", "/api/v1/sources", []),
    ("POST", "/api/v1/sources", {"url": "https://x.example/", "reason": "a\nb"}),
    ("PATCH", "/api/v1/sources/acme", {"settings": {"key": "other"}}),
    ("PATCH", "/api/v1/sources/acme", {"settings": {"tier": "gold"}}),
    ("PATCH", "/api/v1/sources/acme", {"settings": {"robots": {"obey": False}}}),
    ("DELETE", "/api/v1/sources/acme?why=x", None),
    ("POST", "/api/v1/queue/retry", {"ids": []}),
    ("POST", "/api/v1/queue/retry", {"ids": [0]}),
    ("POST", "/api/v1/queue/retry", {"ids": [2**63]}),
    ("POST", "/api/v1/queue/discard", {"ids": [1], "all": True}),
    ("POST", "/api/v1/queue/release", {"ids": "1"}),
    ("POST", "/api/v1/queue/reprocess", {}),
)


async def test_what_is_not_understood_is_refused(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=1) as net, reading(database, tmp_path, net) as client:
        given = {"url": "https://acme.example/", "settings": {"key": "acme"}}
        await client.post("/api/v1/sources", json=given)
        for method, path, body in REFUSED:
            answer = await client.request(method, path, json=body)
            assert (answer.status_code, path, body) == (422, path, body)
            assert answer.json()["errors"]
