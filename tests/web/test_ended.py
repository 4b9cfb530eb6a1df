"""All ended items of a kind are acted on at once, with counts."""

import json
from urllib.parse import urlencode

import httpx2

from web.shelf import Shelf

FORM = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}


def filled(shelf: Shelf) -> None:
    for number in range(60):
        shelf.job("acme", f"https://acme.example/{number}", "dead", reason="timeout")
    for number in range(5):
        shelf.job("bolt", f"https://bolt.example/{number}", "dead", reason="dns")


async def test_all_of_a_cause_are_retried_by_page(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    filled(shelf)
    page = (await client.get("/accounting?state=dead&reason=timeout")).text
    assert "With all 60 of these" in page
    body = urlencode({"state": "dead", "reason": "timeout", "action": "retry"})
    done = await client.post("/accounting/all", content=body, headers=FORM)
    assert done.headers["location"] == "/accounting?state=dead&action=retry&count=60"
    assert "60 items went back to the queue" in (await client.get(done.headers["location"])).text
    assert shelf.run("SELECT count(*) FROM fetch_job WHERE state = 'dead'")[0] == 5


async def test_all_of_a_source_are_discarded_by_api(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    filled(shelf)
    given = {"state": "dead", "action": "discard", "source": "bolt"}
    done = await client.post("/api/v1/queue/all", json=given)
    assert done.json() == {"count": 5}
    [entry] = (await client.get("/api/v1/audit?action=queue.all")).json()["entries"]
    assert json.loads(entry["changes"]) == {
        "act": "discard",
        "state": "dead",
        "source": "bolt",
        "reason": None,
        "count": 5,
    }
    for wrong in (
        {"state": "dead", "action": "release"},
        {"state": "filtered", "action": "retry"},
        {"state": "duplicate", "action": "retry"},
        {"state": "dead"},
        {"state": "dead", "action": "retry", "ids": [1]},
    ):
        refused = await client.post("/api/v1/queue/all", json=wrong)
        assert (refused.status_code, wrong) == (422, wrong)
    assert shelf.run("SELECT count(*) FROM fetch_job WHERE state = 'dead'")[0] == 60
