"""One check of one source, now."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from ctiscraper.errors import ConflictError, NotFoundError, Reason
from ctiscraper.tasks.check import check_source
from internet.world import FakeInternet
from make import settings
from walk.walker import walking


async def test_a_check_brings_what_is_new(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=3) as net, walking(database, net, tmp_path) as walk:
        await walk.add(*net.sources())
        assert await check_source(walk.services, "site-0") is None
        assert (await walk.accounting()).pending == 3
        net.sites[0].bump()
        await check_source(walk.services, "site-0")
        assert (await walk.accounting()).pending == 4


async def test_a_failure_of_the_host_is_given(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=1) as net, walking(database, net, tmp_path) as walk:
        net.sites[0].faults["feed"] = "status_503"
        await walk.add(*net.sources())
        error = await check_source(walk.services, "site-0")
        assert error is not None
        assert error.reason is Reason.SERVER_ERROR
        counted = "SELECT failures, reason FROM host WHERE failures > 0"
        assert await walk.rows(counted) == [(1, "server_error")]
        net.sites[0].faults.clear()
        assert await check_source(walk.services, "site-0") is None
        assert await walk.rows(counted) == []


async def test_a_host_that_asks_for_a_rest_has_it(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=1) as net, walking(database, net, tmp_path) as walk:
        net.sites[0].faults["feed"] = "retry_after_huge"
        await walk.add(*net.sources())
        error = await check_source(walk.services, "site-0")
        assert error is not None
        rests = "SELECT failures, open_until > now() + interval '1 minute' FROM host"
        assert await walk.rows(rests) == [(1, True)]


async def test_two_at_once_agree(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=3) as net, walking(database, net, tmp_path) as walk:
        await walk.add(*net.sources())
        async with asyncio.timeout(60):
            checks = (check_source(walk.services, "site-0") for _ in range(2))
            assert await asyncio.gather(*checks) == [None, None]
        assert (await walk.accounting()).pending == 3


async def test_what_cannot_be_checked_is_named(database: str, tmp_path: Path) -> None:
    async with FakeInternet() as net, walking(database, net, tmp_path) as walk:
        await walk.add(replace(settings(), active=False))
        with pytest.raises(ConflictError, match="active=true"):
            await check_source(walk.services, "acme")
        with pytest.raises(NotFoundError):
            await check_source(walk.services, "nobody")
