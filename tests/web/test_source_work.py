"""Work on a source by API: versions, its past, dry runs and fixes."""

from pathlib import Path

from internet.world import FakeInternet
from web.sourced import working


async def test_an_edit_names_its_version(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=1) as net, working(database, tmp_path, net) as desk:
        await desk.collected()
        api = desk.client
        read = await api.get("/api/v1/sources/one/settings")
        tag = read.headers["etag"]
        assert tag == f'"{read.json()["version"]}"'
        same = await api.get("/api/v1/sources/one/settings", headers={"if-none-match": tag})
        assert same.status_code == 304
        change = {"settings": {"min_length": 5}, "reason": "first"}
        first = await api.patch("/api/v1/sources/one", json=change, headers={"if-match": tag})
        assert first.status_code == 200
        assert first.headers["etag"] != tag
        change = {"settings": {"min_length": 9}}
        second = await api.patch("/api/v1/sources/one", json=change, headers={"if-match": tag})
        assert second.status_code == 409
        assert second.headers["content-type"] == "application/problem+json"
        [other] = second.json()["changes"]
        assert (other["reason"], other["actor"]) == ("first", "the-admin, token a test")
        assert other["fields"] == [{"field": "min_length", "before": "0", "after": "5"}]
        any_version = await api.patch("/api/v1/sources/one", json=change, headers={"if-match": "*"})
        assert any_version.status_code == 200
        for strange in ("17", 'W/"17"', '"x"', ""):
            refused = await api.patch(
                "/api/v1/sources/one", json=change, headers={"if-match": strange}
            )
            assert (refused.status_code, strange) == (422, strange)


async def test_an_edit_is_undone(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=1) as net, working(database, tmp_path, net) as desk:
        await desk.collected()
        await desk.client.patch("/api/v1/sources/one", json={"settings": {"min_length": 5}})
        old = {"if-match": '"1"'}
        stale = await desk.client.post("/api/v1/sources/one/undo", json={}, headers=old)
        assert stale.status_code == 409
        key = {"idempotency-key": "once"}
        undone = await desk.client.post(
            "/api/v1/sources/one/undo", json={"reason": "r"}, headers=key
        )
        assert undone.json()["settings"]["min_length"] == 0
        again = await desk.client.post(
            "/api/v1/sources/one/undo", json={"reason": "r"}, headers=key
        )
        assert again.headers["idempotency-replayed"] == "true"
        assert (await desk.walk.sources.get("one")).settings.min_length == 0


async def test_its_past_is_paged(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=5) as net, working(database, tmp_path, net) as desk:
        await desk.collected()
        for part, rows in (("checks", 1), ("changes", 2), ("requests", 5)):
            page = (await desk.client.get(f"/api/v1/sources/one/{part}")).json()
            assert (len(page[part]), part) == (rows, part)
            assert page["next"] is None
            for wrong in ("?limit=0", "?limit=x", "?cursor=strange", "?bogus=1"):
                refused = await desk.client.get(f"/api/v1/sources/one/{part}{wrong}")
                assert (refused.status_code, wrong) == (422, wrong)
            assert (await desk.client.get(f"/api/v1/sources/no/{part}")).status_code == 404
        first = (await desk.client.get("/api/v1/sources/one/requests?limit=2")).json()
        rest = await desk.client.get(f"/api/v1/sources/one/requests?limit=9&cursor={first['next']}")
        assert len(rest.json()["requests"]) == 3
        assert {row["status"] for row in rest.json()["requests"]} == {200}


async def test_robots_are_asked_of_by_their_line(database: str, tmp_path: Path) -> None:
    async with (
        FakeInternet(hosts=1, items=1) as net,
        working(database, tmp_path, net, min_gap=0.01) as desk,
    ):
        await desk.collected()
        asked = len(net.requests)
        url = net.sites[0].url("/private/x")
        found = (await desk.client.get("/api/v1/sources/one/robots", params={"url": url})).json()
        assert found["manners"]["decision"] == {
            "allowed": False,
            "agent": "*",
            "line": 2,
            "words": "Disallow: /private/",
        }
        assert found["host"]["requests"] == asked
        own = (await desk.client.get("/api/v1/sources/one/robots")).json()
        assert own["manners"]["decision"]["allowed"]
        wrong = await desk.client.get("/api/v1/sources/one/robots?url=javascript:alert(1)")
        assert wrong.status_code == 422
        assert len(net.requests) == asked


async def test_an_edit_is_tried_and_a_fix_found(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=2) as net, working(database, tmp_path, net) as desk:
        await desk.collected()
        tried = await desk.client.post(
            "/api/v1/sources/one/rehearsal", json={"settings": {"min_length": 99_999}}
        )
        assert [trial["after"]["reason"] for trial in tried.json()["trials"]] == ["too_short"] * 2
        wrong = await desk.client.post(
            "/api/v1/sources/one/rehearsal", json={"settings": {"min_length": "x"}}
        )
        assert wrong.status_code == 422
        net.sites[0].faults["/feed.xml"] = "status_410"
        await desk.walk.all_due()
        await desk.walk.collect()
        found = (await desk.client.post("/api/v1/sources/one/mend")).json()
        fix = found["proposals"][0]
        applied = await desk.client.post(
            "/api/v1/sources/one/mend/apply", json={"settings": fix["changes"], "reason": "x"}
        )
        assert applied.json()["overview"]["feed_url"] == net.sites[0].url("/atom.xml")


async def test_a_source_is_checked_by_hand_ten_times_a_minute(
    database: str, tmp_path: Path
) -> None:
    async with FakeInternet(hosts=1, items=1) as net, working(database, tmp_path, net) as desk:
        await desk.collected()
        for _ in range(10):
            assert (await desk.client.post("/api/v1/sources/one/check")).status_code == 202
        refused = await desk.client.post("/api/v1/sources/one/check")
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert "10 times a minute" in refused.json()["detail"]
        assert (await desk.post("/sources/one/check")).status_code == 429


async def test_the_pages_of_its_past(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=60) as net, working(database, tmp_path, net) as desk:
        await desk.collected()
        page = (await desk.client.get("/sources/one/requests")).text
        assert page.count("no line of it is about this") == 51
        assert "cursor=" in page
        asked = await desk.client.get(
            "/sources/one/requests", params={"url": net.sites[0].url("/private/x")}
        )
        assert "<code>Disallow: /private/</code>" in asked.text
        assert (await desk.client.get("/sources/one/requests?url=nonsense")).status_code == 422
        history = (await desk.client.get("/sources/one/history")).text
        assert "200 read" in history
        edits = (await desk.client.get("/sources/one/history?part=changes")).text
        assert "by <bdi>discovery</bdi>" in edits
