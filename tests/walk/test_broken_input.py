"""Every fault of the fake internet, collected at once: each ends in its reason, none harms another.

One site stands for each fault; two in good health stand among them. The reasons are what an
operator reads: of the source for a feed or a robots.txt, of the item or its article for a page.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ctiscraper.collect import fetch, politeness
from ctiscraper.collect.failing import HOST_TRIES
from internet.content_faults import FEED_FAULTS, PAGE_FAULTS, ROBOTS_FAULTS
from internet.wire_faults import WIRE_FAULTS
from internet.world import FakeInternet
from walk.walker import Walk, walking

# The least time in which a busy machine still answers what is not meant to hang.
SECONDS = 8.0
# Crawl delays are waited for in test_politeness.
DELAYS = {"robots_delay", "robots_delay_huge", "robots_redirect"}
HEALTHY = ("healthy_1", "healthy_2")

WIRE = {
    "status_400": "client_error",
    "status_401": "unauthorized",
    "status_403": "forbidden",
    "status_404": "not_found",
    "status_410": "gone",
    "status_429": "rate_limited",
    "status_451": "forbidden",
    "status_500": "server_error",
    "status_502": "server_error",
    "status_503": "server_error",
    "redirect_301": "redirect_loop",
    "redirect_302": "redirect_loop",
    "redirect_308": "redirect_loop",
    "redirect_chain": "redirect_limit",
    "redirect_short_chain": None,
    "redirect_loop": "redirect_loop",
    "redirect_self": "redirect_loop",
    "redirect_canary": "port_refused",
    "redirect_metadata": "address_refused",
    "redirect_file": "scheme_refused",
    "redirect_userinfo": "url_invalid",
    "redirect_nowhere": "unexpected_status",
    "retry_after_seconds": "rate_limited",
    "retry_after_date": "server_error",
    "retry_after_huge": "rate_limited",
    "slow_headers": "timeout",
    "slow_body": "timeout",
    "hang": "timeout",
    "reset": "truncated",
    "close_at_once": "truncated",
    "truncate": "truncated",
    "huge": "too_large",
    "endless_chunks": "too_large",
    "endless_headers": "protocol",
    "big_header": "protocol",
    "gzip_bomb": "too_large",
    "deflate_bomb": "too_large",
    "gzip_twice": "encoding_refused",
    "gzip_bad": "encoding_broken",
    "gzip_truncated": "encoding_broken",
    "brotli_unasked": "encoding_refused",
    "zstd_unasked": "encoding_refused",
    "bad_status_line": "protocol",
    "http09": "truncated",
    "http10": None,
    "negative_length": "protocol",
    "empty_body": "feed_empty",
    "octet_stream": None,
    "etag_weak": None,
    "etag_stuck": None,
    "etag_rotating": None,
    "no_validators": None,
    "unasked_304": "unexpected_status",
    "cookie_wall": "redirect_loop",
}
# The source's reason, or None where something could be read; ITEMS says what.
FEEDS = WIRE | {
    **dict.fromkeys(FEED_FAULTS),
    "billion_laughs": "dtd_refused",
    "xxe": "dtd_refused",
    "html_as_feed": "not_a_feed",
    "deep_xml": "parser_error",
}
# What is told of a feed that could be read all the same.
NOTES = {
    "broken_xml": "the XML is not well formed (Entity 'nbsp' not defined, line 1, column 94)",
    "duplicate_items": "2 entries stand in the feed more than once",
    "empty_feed": "the feed announces nothing",
    "many_items": "only the newest 5000 entries are read",
    "truncated_xml": "the XML is not well formed (Premature end of data in tag description line 1,"
    " line 1, column 611)",
}
# What became of two announced items where it is not that both were stored.
ITEMS = {
    "broken_xml": ["no_url"],
    "truncated_xml": ["stored"],
    "empty_feed": [],
    "script_links": ["scheme_refused", "scheme_refused"],
    "no_links": ["no_url", "stored"],
    "long_links": ["url_too_long", "url_too_long"],
    "many_items": ["url_not_allowed"] * 5000,
}
# Why the page was not kept, and the article has the feed's text in its place.
PAGES = WIRE | {
    **dict.fromkeys(PAGE_FAULTS),
    **dict.fromkeys(("redirect_301", "redirect_302", "redirect_308", "empty_body"), "not_a_page"),
    **dict.fromkeys(
        ("meta_refresh", "js_only", "huge_attribute", "empty_page"), "empty_extraction"
    ),
    "binary_page": "not_a_page",
    "paywall": "empty_extraction",
    "soft_404": "empty_extraction",
}
# Only a host's own fault or its word closes it: what is no robots.txt at all allows all.
ROBOTS = {
    **dict.fromkeys(WIRE),
    **dict.fromkeys(("status_429", "status_500", "status_502", "status_503"), "robots_unreachable"),
    **dict.fromkeys(
        ("redirect_canary", "redirect_metadata", "redirect_file", "redirect_userinfo"),
        "robots_unreachable",
    ),
    **dict.fromkeys(
        ("retry_after_seconds", "retry_after_date", "retry_after_huge"), "robots_unreachable"
    ),
    **dict.fromkeys(("gzip_twice", "brotli_unasked", "zstd_unasked"), "robots_unreachable"),
    **dict.fromkeys(("slow_headers", "slow_body", "hang", "robots_hang"), "timeout"),
    **dict.fromkeys(("reset", "close_at_once", "truncate", "http09"), "truncated"),
    **dict.fromkeys(
        ("endless_headers", "big_header", "bad_status_line", "negative_length"), "protocol"
    ),
    **dict.fromkeys(("gzip_bad", "gzip_truncated"), "encoding_broken"),
    "robots_disallow": "robots_disallowed",
    **dict.fromkeys(("robots_pages_disallowed", "robots_bom", "robots_huge", "robots_html")),
    "robots_wildcard": None,
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut what hangs sooner; every other limit is the product's own."""
    for module, name in (
        (fetch, "FEED_LIMITS"),
        (fetch, "PAGE_LIMITS"),
        (politeness, "ROBOTS_LIMITS"),
    ):
        monkeypatch.setattr(module, name, replace(getattr(module, name), seconds=SECONDS))


@asynccontextmanager
async def faulty(
    database: str, folder: Path, kind: str, faults: Mapping[str, str | None], items: int
) -> AsyncIterator[Walk]:
    """Yield an installation whose sources are named for their faults, and collected once."""
    names = [*faults, *HEALTHY]
    async with (
        FakeInternet(hosts=len(names), items=items, named=True, drip=0.5) as net,
        walking(
            database,
            net,
            folder,
            concurrency=100,
            egress_host_map=net.host_map,
            egress_allow_ports=net.ports | {80},
        ) as walk,
    ):
        for site, source, name in zip(net.sites, net.sources(), names, strict=True):
            site.faults |= {kind: name} if name in faults else {}
            # Five thousand pages need not be fetched to see that they were announced.
            allow = ("/a/0", "/a/1") if name == "many_items" else ()
            await walk.add(replace(source, key=name, allow=allow))
        tally = await walk.collect()
        assert tally.checks == len(names), "the worker lived on to the last source"
        yield walk
        assert net.canary_hits == 0
        assert (await walk.accounting()).balanced
        assert await walk.value("SELECT count(*) FROM fetch_job WHERE state = 'leased'") == 0
        assert await walk.value("SELECT count(*) FROM source_check WHERE reason = 'internal'") == 0
        for name in HEALTHY:
            assert await outcomes(walk, name) == ["stored"] * items


async def source_reasons(walk: Walk) -> dict[object, object]:
    """Each source's reason, which its last check tells as well."""
    rows = await walk.rows(
        """
        SELECT s.key, t.reason, c.reason IS NOT DISTINCT FROM t.reason
        FROM source s JOIN source_state t ON t.source_id = s.id
        JOIN source_check c ON c.source_id = s.id WHERE s.key NOT LIKE 'healthy%'
        """
    )
    assert all(row[2] for row in rows)
    return {row[0]: _same_for_canary(row[0], row[1]) for row in rows}


async def outcomes(walk: Walk, key: str) -> list[object]:
    """The reasons of a source's items, or their states where there is none."""
    rows = await walk.rows(
        f"""
        SELECT coalesce(j.reason, j.state) FROM fetch_job j JOIN source s ON s.id = j.source_id
        WHERE s.key = '{key}' ORDER BY 1
        """
    )
    return [row[0] for row in rows]


async def page_reasons(walk: Walk) -> dict[str, object]:
    """Why each source's page was not kept, by the note on its article; None when it was."""
    rows = await walk.rows(
        r"""
        SELECT s.key, j.state, a.method = 'feed', array_to_string(a.notes, ' ') ~ 'feed text: ',
            substring(array_to_string(a.notes, ' ') FROM 'page was refused \((\w+)')
        FROM fetch_job j JOIN source s ON s.id = j.source_id JOIN article a ON a.id = j.article_id
        WHERE s.key NOT LIKE 'healthy%'
        """
    )
    assert {row[1] for row in rows} == {"stored"}
    assert all(row[2] is row[3] for row in rows), "text of the feed says that it is"
    return {str(row[0]): _same_for_canary(row[0], row[4]) for row in rows}


def _same_for_canary(fault: object, reason: object) -> object:
    """The canary's port may by chance be one that a site has: then its address is refused."""
    chance = fault == "redirect_canary" and reason == "address_refused"
    return "port_refused" if chance else reason


def test_every_fault_has_an_expected_end() -> None:
    assert set(WIRE) == set(WIRE_FAULTS)
    assert set(FEEDS) == {*WIRE_FAULTS, *FEED_FAULTS}
    assert set(PAGES) == {*WIRE_FAULTS, *PAGE_FAULTS}
    assert set(ROBOTS) | DELAYS == {*WIRE_FAULTS, *ROBOTS_FAULTS}


async def test_every_fault_of_a_feed_ends_in_its_reason(database: str, tmp_path: Path) -> None:
    async with faulty(database, tmp_path, "feed", FEEDS, items=2) as walk:
        assert await source_reasons(walk) == FEEDS
        for name, reason in FEEDS.items():
            expected = [] if reason else ITEMS.get(name, ["stored", "stored"])
            assert await outcomes(walk, name) == expected, name
        assert await notes(walk) == NOTES


async def notes(walk: Walk) -> dict[str, str]:
    """Return what is told of the feeds that could be read, but not as they are."""
    rows = await walk.rows(
        """
        SELECT s.key, t.detail FROM source s JOIN source_state t ON t.source_id = s.id
        WHERE t.reason IS NULL AND t.detail <> ''
        """
    )
    return {str(key): str(detail) for key, detail in rows}


async def test_every_fault_of_a_page_ends_in_its_reason(database: str, tmp_path: Path) -> None:
    """What may pass is asked again; after the last try the feed's text is kept and says why."""
    async with faulty(database, tmp_path, "page", PAGES, items=1) as walk:
        pending = {
            str(row[0]): row[1]
            for row in await walk.rows(
                """
                SELECT s.key, j.reason FROM fetch_job j JOIN source s ON s.id = j.source_id
                WHERE j.state = 'pending' AND j.attempts = 0 AND j.host_tries = 1
                """
            )
        }
        assert pending == {name: PAGES[name] for name in pending}
        assert {"hang", "reset", "status_503", "gzip_bad"} <= pending.keys()
        await walk.run(f"UPDATE fetch_job SET host_tries = {HOST_TRIES - 1}")
        await walk.run("UPDATE fetch_job SET run_after = now()")
        await walk.run("UPDATE host SET work_at = now(), open_until = NULL")
        # A refusal that passes after the second time has passed by then.
        for site in walk.net.sites:
            if site.faults.get("page") in {"retry_after_seconds", "retry_after_date"}:
                site.faults["page"] = "status_503"
        await walk.collect()
        ended = await page_reasons(walk)
        for name in ("retry_after_seconds", "retry_after_date"):
            assert ended.pop(name) == "server_error"
        assert ended == {name: PAGES[name] for name in ended}
        assert len(ended) == len(PAGES) - 2


async def test_every_fault_of_a_robots_txt_ends_in_its_reason(
    database: str, tmp_path: Path
) -> None:
    async with faulty(database, tmp_path, "robots", ROBOTS, items=1) as walk:
        assert await source_reasons(walk) == ROBOTS
        closed = {"robots_pages_disallowed", "robots_bom"}
        pages = await page_reasons(walk)
        assert {name for name, reason in pages.items() if reason} == closed
        assert pages.keys() == {name for name, reason in ROBOTS.items() if reason is None}
        asked = {r.host for r in walk.net.requests if r.path.startswith("/a/")}
        for site in walk.net.sites:
            fault = site.faults.get("robots", "healthy")
            open_to_us = fault not in closed and ROBOTS.get(fault) is None
            assert (site.name in asked) is open_to_us, fault
