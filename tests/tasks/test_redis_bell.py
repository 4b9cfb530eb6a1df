"""The bell, the ears and the beat over a real Redis, and what is said of one that fails."""

import asyncio
import contextlib
import ssl
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from celery.worker import state
from redis.asyncio import Redis
from structlog.testing import capture_logs

from ctiscraper.config import Settings
from ctiscraper.errors import SettingsError
from ctiscraper.tasks.app import TICK_SECONDS, make_app
from ctiscraper.tasks.beat import MOST_UNHEARD, Beat, Ringer
from ctiscraper.tasks.bell import SilentBell, bell_of
from ctiscraper.tasks.ears import MOST_REMEMBERED, Ears
from ctiscraper.tasks.redis_bell import RedisBell
from ctiscraper.tasks.valkey import EmbeddedValkey
from ctiscraper.types import Tier
from patience import until

PATIENCE = 40.0


def settings_for(url: str | None, **more: object) -> Settings:
    return Settings(redis_url=url, **more)  # type: ignore[arg-type]  # checked by pydantic


@dataclass
class Listener:
    """What a worker would do when the bell rings: here, note it."""

    heard: int = 0
    rung: asyncio.Event = field(default_factory=asyncio.Event)
    busy: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.busy.set()

    async def serve(self, _seconds: float) -> None:
        self.heard += 1
        self.rung.set()
        await self.busy.wait()

    async def next(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.rung.wait()
        self.rung.clear()


@asynccontextmanager
async def listening(url: str, *tiers: Tier) -> AsyncIterator[Listener]:
    listener = Listener()
    async with Ears(settings_for(url), listener.serve, tiers):
        yield listener


@asynccontextmanager
async def bell_at(url: str, **more: object) -> AsyncIterator[RedisBell]:
    bell = RedisBell(settings_for(url, **more))
    try:
        yield bell
    finally:
        await bell.aclose()


async def waiting_are(bell: RedisBell, expected: dict[str, int]) -> None:
    """Wait until so many messages are unheard."""

    async def are() -> bool:
        return (await bell.look()).waiting == expected

    await until(are)


async def is_silent(bell: RedisBell) -> bool:
    return bell._silent_until > 0


async def heard_by(listener: Listener, bell: RedisBell, tier: Tier) -> None:
    """Ring until it is heard, and leave no ring unheard.

    One from before the ears are open is worth nothing once it is old; only then comes the next.
    """
    async with asyncio.timeout(PATIENCE):
        while not listener.heard:
            bell.ring(tier)
            await waiting_are(bell, {tier.value: 0 for tier in Tier})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(listener.rung.wait(), TICK_SECONDS + 0.2)
    listener.rung.clear()


async def test_a_ring_is_heard_by_whoever_is_idle(valkey: EmbeddedValkey) -> None:
    async with bell_at(valkey.url) as bell, listening(valkey.url) as listener:
        await heard_by(listener, bell, Tier.PREMIUM)
        bell.ring(Tier.BASIC)
        await listener.next()
        state = await bell.look()
    assert state.reachable
    assert state.waiting == {"premium": 0, "standard": 0, "basic": 0}


async def test_a_busy_worker_leaves_the_next_message_to_others(valkey: EmbeddedValkey) -> None:
    async with bell_at(valkey.url) as bell, listening(valkey.url) as listener:
        await heard_by(listener, bell, Tier.STANDARD)
        listener.busy.clear()
        bell.ring(Tier.STANDARD)
        await listener.next()
        bell.ring(Tier.STANDARD)
        await waiting_are(bell, {"premium": 0, "standard": 1, "basic": 0})
        listener.busy.set()
        await listener.next()


async def test_premium_is_heard_first_and_basic_too(valkey: EmbeddedValkey) -> None:
    async with bell_at(valkey.url) as bell:
        for tier in (Tier.BASIC, Tier.STANDARD, Tier.PREMIUM):
            bell.ring(tier)
        await waiting_are(bell, {"premium": 1, "standard": 1, "basic": 1})
        order: list[str] = []
        app = make_app(settings_for(valkey.url))
        with app.connection_for_read() as connection:
            channel = connection.default_channel
            with app.amqp.TaskConsumer(
                channel,
                callbacks=[
                    lambda _body, message: order.append(message.delivery_info["routing_key"])
                ],
                no_ack=True,
            ):
                while len(order) < 3:
                    await asyncio.to_thread(connection.drain_events, timeout=PATIENCE)
        app.close()
    assert order == ["premium", "standard", "basic"]


async def test_a_worker_of_one_tier_hears_no_other(valkey: EmbeddedValkey) -> None:
    async with bell_at(valkey.url) as bell, listening(valkey.url, Tier.PREMIUM) as listener:
        await heard_by(listener, bell, Tier.PREMIUM)
        listener.heard = 0
        bell.ring(Tier.BASIC)
        await waiting_are(bell, {"premium": 0, "standard": 0, "basic": 1})
        bell.ring(Tier.PREMIUM)
        await listener.next()
    assert listener.heard == 1


async def test_ears_hear_again_after_redis_was_emptied_and_restarted(
    valkey: EmbeddedValkey,
) -> None:
    async with bell_at(valkey.url) as bell, listening(valkey.url) as listener:
        await heard_by(listener, bell, Tier.STANDARD)
        async with Redis.from_url(valkey.url) as client:
            await client.flushall()
        await valkey.stop()
        listener.heard = 0
        await heard_by(listener, bell, Tier.STANDARD)


async def test_ears_that_stopped_leave_celery_able_to_run_another_worker(
    valkey: EmbeddedValkey,
) -> None:
    async with bell_at(valkey.url) as bell, listening(valkey.url) as listener:
        await heard_by(listener, bell, Tier.STANDARD)

    async def may_run() -> bool:
        return state.should_stop is None

    await until(may_run)


async def test_of_rings_that_came_too_late_few_are_remembered(valkey: EmbeddedValkey) -> None:
    async with bell_at(valkey.url) as bell, listening(valkey.url) as listener:
        await heard_by(listener, bell, Tier.BASIC)
        for remembered in (state.revoked, state.successful_requests):
            for number in range(3 * MOST_REMEMBERED):
                remembered.add(str(number))
            assert len(remembered) <= MOST_REMEMBERED


async def test_the_beat_rings_for_every_tier(valkey: EmbeddedValkey) -> None:
    async with Beat(settings_for(valkey.url)), bell_at(valkey.url) as bell:

        async def all_rung() -> bool:
            waiting = (await bell.look()).waiting or {}
            return all(waiting.get(tier.value) for tier in Tier)

        await until(all_rung)


async def test_rings_do_not_pile_up_while_nobody_listens(valkey: EmbeddedValkey) -> None:
    app = make_app(settings_for(valkey.url))
    ringer = Ringer(app)
    for _ in range(MOST_UNHEARD + 5):
        for entry in ringer.schedule.values():
            await asyncio.to_thread(ringer.apply_entry, entry, ringer.producer)
    await asyncio.to_thread(ringer.close)
    app.close()
    async with bell_at(valkey.url) as bell:
        assert (await bell.look()).waiting == dict.fromkeys(map(str, Tier), MOST_UNHEARD)


async def test_a_beat_that_finds_no_redis_starts_and_stops_all_the_same() -> None:
    async with Beat(settings_for("redis://127.0.0.1:1/0")):
        [thread] = (one for one in threading.enumerate() if one.name == "beat")
        await until(lambda: _is_in(thread, "ensure_connection"))
    assert not thread.is_alive()


async def test_a_beat_without_redis_holds_up_no_other(valkey: EmbeddedValkey) -> None:
    over = threading.Event()
    lost = Ringer(make_app(settings_for("redis://127.0.0.1:1/0")), over=over)
    waiting = threading.Thread(target=_ask_for_producer, args=(lost,), name="lost", daemon=True)
    waiting.start()
    await until(lambda: _is_in(waiting, "ensure_connection"))
    ringer = Ringer(make_app(settings_for(valkey.url)))
    producer = await asyncio.wait_for(asyncio.to_thread(lambda: ringer.producer), PATIENCE)
    assert producer is ringer.producer
    assert waiting.is_alive()
    await asyncio.to_thread(ringer.close)
    over.set()
    await asyncio.to_thread(waiting.join, PATIENCE)
    assert not waiting.is_alive()


def _ask_for_producer(ringer: Ringer) -> None:
    with contextlib.suppress(SystemExit):
        assert ringer.producer


async def _is_in(thread: threading.Thread, function: str) -> bool:
    """Whether a thread is at this moment somewhere within a function of this name."""
    frame = sys._current_frames().get(thread.ident or 0)
    return any(one.name == function for one in traceback.extract_stack(frame))


async def test_messages_are_json_and_name_no_work(valkey: EmbeddedValkey) -> None:
    async with bell_at(valkey.url) as bell, Redis.from_url(valkey.url) as client:
        bell.ring(Tier.PREMIUM)
        await waiting_are(bell, {"premium": 1, "standard": 0, "basic": 0})
        raw = client.lrange("premium", 0, -1)
        assert not isinstance(raw, list)
        [message] = await raw
    assert b'"content-type": "application/json"' in message
    assert b'"expires"' in message


async def test_without_redis_nothing_rings_and_beat_says_what_to_set() -> None:
    bell = bell_of(settings_for(None))
    bell.ring(Tier.PREMIUM)
    assert isinstance(bell, SilentBell)
    assert not (await bell.look()).configured
    await bell.aclose()
    with pytest.raises(SettingsError, match="REDIS_URL"):
        make_app(settings_for(None))


async def test_a_ring_never_waits_for_a_redis_that_is_away() -> None:
    async with bell_at("redis://127.0.0.1:1/0") as bell:
        started = time.process_time()
        for _ in range(1000):
            bell.ring(Tier.STANDARD)
        assert time.process_time() - started < 1
        state = await bell.look()
    assert not state.reachable
    assert "127.0.0.1:1" in state.detail
    assert "REDIS_URL" in state.detail


async def test_a_wrong_password_is_told_without_any_password(valkey: EmbeddedValkey) -> None:
    wrong = f"redis://:wr0ng-s3cret@127.0.0.1:{valkey.port}/0"
    async with bell_at(wrong) as bell:
        state = await bell.look()
    assert "user or password" in state.detail
    assert "REDIS_URL" in state.detail
    assert "wr0ng-s3cret" not in state.detail


async def test_no_password_where_one_is_needed_is_told(valkey: EmbeddedValkey) -> None:
    async with bell_at(f"redis://127.0.0.1:{valkey.port}/0") as bell:
        assert "password" in (await bell.look()).detail


async def test_a_full_redis_is_told_and_the_ring_is_dropped(valkey: EmbeddedValkey) -> None:
    async with Redis.from_url(valkey.url) as client, bell_at(valkey.url) as bell:
        await client.config_set("maxmemory", "1")
        bell.ring(Tier.PREMIUM)
        await until(lambda: is_silent(bell))
        full = await bell.look()
        assert (full.reachable, full.failed) == (False, 1)
        assert "is full: give it memory" in full.detail
        await client.config_set("maxmemory", "64mb")
        after = await bell.look()
        assert after.waiting == {"premium": 0, "standard": 0, "basic": 0}
        assert (after.reachable, after.failed, after.failure) == (True, 1, full.detail)
        assert after.failed_seconds is not None


async def test_a_look_leaves_nothing_in_redis(valkey: EmbeddedValkey) -> None:
    async with Redis.from_url(valkey.url) as client, bell_at(valkey.url) as bell:
        state = await bell.look()
        assert (state.reachable, state.failed, state.failed_seconds) == (True, 0, None)
        assert await client.dbsize() == 0


async def test_a_replica_takes_no_ring_and_says_so_though_it_answers(
    valkey: EmbeddedValkey,
) -> None:
    async with Redis.from_url(valkey.url) as client, bell_at(valkey.url) as bell:
        await client.execute_command("REPLICAOF", "127.0.0.1", "1")  # type: ignore[no-untyped-call]
        state = await bell.look()
    assert not state.reachable
    assert "name the primary in REDIS_URL" in state.detail


@asynccontextmanager
async def tls_proxy(target: int, authority: trustme.CA) -> AsyncIterator[int]:
    """A TLS front of a server, as a managed Redis has it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    opened: list[asyncio.StreamWriter] = []

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up, down = await asyncio.open_connection("127.0.0.1", target)
        opened.extend((writer, down))
        await asyncio.gather(pipe(reader, down), pipe(up, writer))

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for one in opened:
            one.transport.abort()
        # A turn of the loop closes what was aborted.
        await asyncio.sleep(0)


async def test_a_certificate_is_checked_by_every_client(
    valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    authority = trustme.CA()
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    async with tls_proxy(valkey.port, authority) as port:
        url = valkey.url.replace("redis://", "rediss://").replace(
            f"127.0.0.1:{valkey.port}", f"localhost:{port}"
        )
        async with bell_at(url) as bell:
            assert "CTISCRAPER_REDIS_CA" in (await bell.look()).detail
        listener = Listener()
        settings = settings_for(url, redis_ca=file)
        async with bell_at(url, redis_ca=file) as bell, Ears(settings, listener.serve):
            assert (await bell.look()).reachable
            await heard_by(listener, bell, Tier.PREMIUM)


async def test_a_certificate_that_is_not_trusted_is_told_in_the_log(
    valkey: EmbeddedValkey,
) -> None:
    async with tls_proxy(valkey.port, trustme.CA()) as port:
        with capture_logs() as lines:
            async with bell_at(f"rediss://localhost:{port}/0") as bell:
                bell.ring(Tier.PREMIUM)
                await until(lambda: is_silent(bell))
    # A bell of another test may still be ringing in its thread.
    [line] = [line for line in lines if str(port) in line.get("detail", "")]
    assert line["event"] == "bell_not_heard"
    assert line["log_level"] == "warning"
    assert "is not trusted: set CTISCRAPER_REDIS_CA" in line["detail"]
