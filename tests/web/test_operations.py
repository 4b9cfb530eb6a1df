"""The operations page and its JSON: figures, words, and what stands when the database does not."""

import httpx2
import psycopg
from fastapi import FastAPI
from selectolax.lexbor import LexborHTMLParser

from ctiscraper.db.operations import OperationsBoard
from ctiscraper.db.passages import Passages
from ctiscraper.db.session import Database
from ctiscraper.embedding import Embedding
from ctiscraper.operations import OURS_AWAY
from web.shelf import Shelf
from worded_vectors import WordedEmbedder


async def page(client: httpx2.AsyncClient, path: str = "/operations") -> LexborHTMLParser:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return LexborHTMLParser(answer.text)


def words(tree: LexborHTMLParser, selector: str) -> list[str]:
    return [" ".join(node.text().split()) for node in tree.css(selector)]


async def test_work_without_workers_is_said_with_what_to_do(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    shelf.source("acme", tier="premium", next_check_at=shelf.start)
    for number in range(11):
        shelf.job("acme", f"https://acme.example/{number}", "pending", rank=0)
    tree = await page(client)
    [amiss] = words(tree, ".trouble")
    assert amiss.startswith("Workers: 12 items and checks wait and no worker is at work.")
    assert "Run 'ctiscraper worker'" in amiss
    assert words(tree, "tr.tier-premium > *")[:4] == ["premium", "11", "0", "1"]
    assert words(tree, ".figures dd")[:3] == ["12", "0", words(tree, "tr.tier-premium td")[-1]]
    assert words(tree, "nav a[aria-current]") == ["Operations"]


async def test_an_idle_installation_is_well(client: httpx2.AsyncClient) -> None:
    tree = await page(client)
    assert words(tree, ".trouble") == []
    assert "All is well." in words(tree, ".facts")[0]
    assert "no text has any yet" in words(tree, ".rows dd")
    assert "none at work, and nothing to do" in " ".join(words(tree, ".rows"))


async def test_how_far_vectors_are_is_shown(
    client: httpx2.AsyncClient, database: str, shelf: Shelf
) -> None:
    shelf.article("one", text="Words.")
    async with Database(database, size=2) as opened:
        await Embedding(Passages(opened), WordedEmbedder()).embed_all()
    shelf.article("two", text="Other words.")
    told = next(one for one in words(await page(client), ".rows dd") if "given any" in one)
    name, _ = await WordedEmbedder().identity()
    assert told.startswith(f"of 1 texts by {name}, 1 wait, 0 could not be given any;")
    found = (await client.get("/api/v1/operations")).json()["work"]["vectors"]
    assert (found["model"], found["texts"], found["waiting"]) == (name, 1, 1)


async def test_workers_hosts_and_traffic_are_shown(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    shelf.run(
        "INSERT INTO worker_heartbeat (worker, pid, done) VALUES (gen_random_uuid(), 4711, 12)"
    )
    shelf.run(
        """
        INSERT INTO host (host, open_until, failures, reason, detail, requests) VALUES
            ('rests.example', now() + interval '1 h', 4, 'timeout', '<b>late</b>', 1200)
        """
    )
    shelf.run(
        """
        INSERT INTO host (host, next_allowed_at) SELECT 'slow' || n || '.example',
            now() + make_interval(secs => n) FROM generate_series(60, 68) n
        """
    )
    shelf.run(
        """
        INSERT INTO robots (origin, status, body, fetched_at)
        VALUES ('https://slow68.example', 200, E'User-agent: *\\nCrawl-delay: 30', now())
        """
    )
    shelf.run(
        """
        INSERT INTO work_count (minute, lane, stored, dead, refunds, pages, page_bytes)
        VALUES (date_trunc('minute', now()), 1, 60, 1, 3, 60, 5000000)
        """
    )
    shelf.check("acme", status=304, unchanged=True, saved_bytes=250_000)
    shelf.run("UPDATE source_check SET checked_at = now()")
    tree = await page(client)
    text = " ".join(words(tree, "main"))
    assert "4711" in text
    assert "rests.example" in text
    assert "<b>late</b>" in text
    assert "4 failures in a row" in text
    assert "30 s apart" in text
    assert "1,200" in text
    assert "250 kB by conditional requests" in text
    assert "60 kept, 5.0 MB" in text
    assert "3 given back" in text
    assert words(tree, ".more summary") == ["4 more"]
    assert "Dead letters: 1 in the last hour" in words(tree, ".trouble")[0]


async def test_a_host_that_rests_for_our_sake_is_not_blamed(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    shelf.run("INSERT INTO host (host, open_until) VALUES ('fine.example', now() + interval '1 m')")
    tree = await page(client)
    assert words(tree, ".hosts .detail") == [OURS_AWAY]
    assert "None" not in " ".join(words(tree, "main"))


async def test_the_page_loads_itself_only_when_asked(client: httpx2.AsyncClient) -> None:
    assert not (await page(client)).css("meta[http-equiv]")
    tree = await page(client, "/operations?every=5")
    assert [node.attributes["content"] for node in tree.css("meta[http-equiv=refresh]")] == ["5"]
    assert (await client.get("/operations?every=0")).status_code == 422


async def test_json_tells_the_same(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    shelf.job("acme", "https://acme.example/1", "pending")
    told = (await client.get("/api/v1/operations")).json()
    assert told["degraded"] is True
    assert told["findings"][0]["part"] == "workers"
    assert [tier["tier"] for tier in told["work"]["tiers"]] == ["premium", "standard", "basic"]
    assert told["work"]["tiers"][1]["due"] == 1
    assert told["database"]["reachable"] is True
    assert (await client.get("/api/v1/operations?x=1")).status_code == 422


async def test_the_page_says_of_sums_that_they_are_not_known(
    client: httpx2.AsyncClient, app: FastAPI, opened: Database, database: str
) -> None:
    app.state.board = OperationsBoard(opened, patience=0.5)
    with psycopg.connect(database) as conn:
        conn.execute("LOCK TABLE source_check")
        told = (await client.get("/api/v1/operations")).json()
        answer = await client.get("/operations")
        metrics = (await client.get("/metrics")).text
    assert answer.status_code == 200
    assert (told["database"]["reachable"], told["work"]["summed_seconds"]) == (True, None)
    assert answer.text.count("not known: adding up took too long") == 4
    [amiss] = words(LexborHTMLParser(answer.text), ".trouble")
    assert amiss.startswith("Sums: not known yet")
    assert "ctiscraper_database_up 1.0" in metrics
    assert "ctiscraper_queue_depth{" in metrics
    for name in ("ended_items", "vector_texts", "storage_waiting", "checks_last_day"):
        assert f"ctiscraper_{name}" not in metrics


async def test_workers_that_are_not_listed_are_counted(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    shelf.run(
        "INSERT INTO worker_heartbeat (worker, pid, started_at, seen_at, progressed_at, done)"
        " SELECT gen_random_uuid(), n, now(), now(), now(), 1 FROM generate_series(1, 150) AS n"
    )
    text = (await client.get("/operations")).text
    assert "and 50 more, who ended an item before these did" in text
    assert "150 at work" in text
    assert "ctiscraper_workers 150.0" in (await client.get("/metrics")).text


async def test_the_page_stands_when_the_database_does_not(
    client: httpx2.AsyncClient, app: FastAPI, opened: Database
) -> None:
    assert (await client.get("/operations")).status_code == 200
    await opened.close()
    app.state.operations.clear()
    app.state.board.forget()
    answer = await client.get("/operations")
    told = (await client.get("/api/v1/operations")).json()
    assert answer.status_code == 503
    [amiss] = words(LexborHTMLParser(answer.text), ".trouble")
    assert "mend DATABASE_URL" in amiss
    assert (told["database"]["reachable"], told["work"]) == (False, None)


async def test_a_change_of_ours_is_seen_at_once(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    number = shelf.job("acme", "https://acme.example/1", "dead", reason="timeout")
    assert (await client.get("/api/v1/operations")).json()["work"]["tiers"][1]["due"] == 0
    await client.post(
        "/accounting/items",
        content=f"state=dead&one=retry+{number}",
        headers={
            "sec-fetch-site": "same-origin",
            "content-type": "application/x-www-form-urlencoded",
        },
    )
    work = (await client.get("/api/v1/operations")).json()["work"]
    assert (work["tiers"][1]["due"], work["standing"]["dead"]) == (1, 0)
