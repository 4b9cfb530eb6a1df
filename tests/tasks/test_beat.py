"""A beat knows whether it still rings, and says of Redis what mends it."""

import asyncio
from functools import partial

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from ctiscraper.config import load_settings
from ctiscraper.errors import UnavailableError
from ctiscraper.tasks import beat
from ctiscraper.tasks.beat import Beat
from ctiscraper.tasks.valkey import EmbeddedValkey
from patience import until

PATIENCE = 40.0


async def test_a_beat_is_well_with_redis_and_while_redis_is_away(valkey: EmbeddedValkey) -> None:
    for url in (valkey.url, "redis://127.0.0.1:1/0"):
        async with Beat(load_settings(redis_url=url)) as ringing:
            first = ringing._seen
            await until(partial(_later, ringing, first))
            assert ringing.well
    assert not ringing.well


async def _later(ringing: Beat, before: float) -> bool:
    return ringing._seen > before


async def test_what_answers_but_is_no_usable_redis_is_named_and_waited_for(
    valkey: EmbeddedValkey,
) -> None:
    url = valkey.url.removesuffix("/0") + "/99"
    with capture_logs() as lines:
        async with Beat(load_settings(redis_url=url)) as ringing:

            async def told() -> bool:
                return any("has no database of that number" in str(line) for line in lines)

            await until(told)
            assert ringing.well


async def test_a_beat_that_gives_no_sign_is_not_well(
    valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Beat(load_settings(redis_url=valkey.url)) as ringing:
        assert ringing.well
        monkeypatch.setattr(beat, "SILENT_SECONDS", 0.0)
        assert ringing._thread.is_alive()
        assert not ringing.well
        with pytest.raises(UnavailableError, match="no longer rings"):
            await asyncio.wait_for(ringing.watch(), PATIENCE)


async def test_a_ring_that_a_full_redis_refuses_is_told_with_its_cause(
    valkey: EmbeddedValkey,
) -> None:
    async with Redis.from_url(valkey.url) as client:
        await client.config_set("maxmemory", "1")
        with capture_logs() as lines:
            async with Beat(load_settings(redis_url=valkey.url)) as ringing:

                async def told() -> bool:
                    return any(
                        line["event"] == "bell_not_heard"
                        and "is full" in line["detail"]
                        and line["failed"] >= 2
                        for line in lines
                    )

                await until(told)
                assert ringing.well
