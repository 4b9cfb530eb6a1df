"""Spans as a collector gets them: one trace from a page through a message to a worker."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from celery import Celery, Task
from celery.contrib.testing.worker import start_worker
from hypothesis import given, settings
from hypothesis import strategies as st

from answering import ScriptedServer
from ctiscraper.config import Settings
from ctiscraper.db.session import Database
from ctiscraper.errors import ModelError, ModelFault, SettingsError
from ctiscraper.models.guarded import Guarded
from ctiscraper.tracing import (
    Collector,
    Tracer,
    carrier,
    check_collector,
    describe,
    exporting,
    here,
    ids,
    resume,
    span,
)
from ctiscraper.tracing.otlp import CLOSE_SECONDS, EXPORT_SECONDS, OtlpTracer
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from internet.world import FakeInternet
from models_at import said_to
from tracing.collector import Receiver, Sent, receiving
from walk.walker import settings_for, walking

TESTS = Path(__file__).parents[1]
XRAY = "Root=1-{0}-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
W3C = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CANARY = "canary-4d1f9c"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


def to(receiver: Receiver, **more: float) -> Collector:
    return Collector(endpoint=receiver.endpoint, service="ctiscraper-test", **more)


async def test_a_trace_goes_from_the_page_through_the_message_to_the_worker(
    receiver: Receiver, database: str, tmp_path: Path
) -> None:
    async with FakeInternet(hosts=1, items=2) as net:
        chosen = settings_for(net, tmp_path, otlp_endpoint=receiver.endpoint)
        async with walking(database, net, tmp_path) as walk:
            await walk.add(*net.sources())
        headers = await _ring(database, chosen, {"x-amzn-trace-id": XRAY.format("5759e988")})
        told = {"conninfo": database, "settings": chosen.model_dump(mode="json")}
        lines = await _shift({**told, "headers": headers})
        strangers = list(net.requests)

    assert {one.trace for one in receiver.spans} == {"5759e988bd862e3fe1be46a994272793"}
    page, shift = receiver.one("POST /api/v1/ring"), receiver.one("shift")
    assert (page.service, page.kind) == ("ctiscraper-web", "SPAN_KIND_SERVER")
    assert page.parent == "53995c3f42cd8ad8"
    assert page.attributes["http.route"] == "/api/v1/ring"
    assert page.attributes["http.response.status_code"] == 200
    assert (shift.service, shift.kind) == ("ctiscraper-worker", "SPAN_KIND_CONSUMER")
    assert shift.parent == page.id
    drains = receiver.named("drain")
    assert {drain.parent for drain in drains} == {shift.id}
    check = receiver.one("check")
    assert check.parent in {drain.id for drain in drains}
    assert (check.attributes["source"], check.attributes["discovered"]) == ("site-0", 2)
    items = receiver.named("process")
    assert len(items) == 2
    for item in items:
        assert item.parent in {drain.id for drain in drains}
        _shows_its_steps(receiver, item, check)
    _lines_name_their_spans(lines, items)
    # Strangers learn nothing of it.
    learnt = {name for request in strangers for name in request.headers}
    assert strangers
    assert learnt.isdisjoint({"traceparent", "tracestate", "x-amzn-trace-id", "baggage"})


def _shows_its_steps(receiver: Receiver, item: Sent, check: Sent) -> None:
    assert item.links == ((check.trace, check.id),)
    assert item.attributes["outcome"] == "stored"
    assert item.attributes["article"] > 0
    below = {one.name.split()[0]: one for one in receiver.spans if one.parent == item.id}
    assert set(below) == {"GET", "parse", "store"}
    assert below["GET"].kind == "SPAN_KIND_CLIENT"
    assert below["GET"].attributes["http.response.status_code"] == 200
    assert "/a/" in below["GET"].attributes["url.full"]


def _lines_name_their_spans(lines: list[dict[str, object]], items: list[Sent]) -> None:
    processed = [line for line in lines if line["event"] == "processed"]
    assert {line["trace"] for line in processed} == {"1-5759e988-bd862e3fe1be46a994272793"}
    assert {line["span"] for line in processed} == {item.id for item in items}


async def _ring(database: str, chosen: Settings, headers: dict[str, str]) -> dict[str, str]:
    """What a message carries that a page sends which was asked with these headers."""
    async with exporting(chosen.collector("ctiscraper-web")), Database(database) as opened:
        app = create_app(WebServices(database=opened))

        # Not among the rules, it is for the test alone.
        @app.post("/api/v1/ring")
        async def ring() -> dict[str, str]:
            return carrier()

        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as web:
            answer = await web.post("/api/v1/ring", headers=headers)
    carried: dict[str, str] = answer.json()
    return carried


async def _shift(message: dict[str, object]) -> list[dict[str, object]]:
    """The log of a worker process that was rung by a message."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tracing.shift"),
        cwd=TESTS,
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate(json.dumps(message).encode())
    assert process.returncode == 0, said
    return [json.loads(line) for line in said.splitlines()]


async def test_a_message_of_celery_carries_the_trace(receiver: Receiver) -> None:
    rung = threading.Event()
    bell = Celery("bell", broker="memory://", set_as_current=False)
    bell.conf.update(task_ignore_result=True)

    @bell.task(bind=True, name="ring")
    def ring(self: "Task[..., None]") -> None:
        with resume(self.request.headers or {}), span("shift", kind="consumer"):
            rung.set()

    async with exporting(to(receiver)):
        with span("page"):
            ring.apply_async(headers=carrier())
        with start_worker(bell, pool="solo", perform_ping_check=False):
            assert rung.wait(30)
    page, shift = receiver.one("page"), receiver.one("shift")
    assert (shift.trace, shift.parent) == (page.trace, page.id)


async def test_a_trace_begun_here_has_an_id_that_begins_with_the_time(receiver: Receiver) -> None:
    before = int(time.time())
    async with exporting(to(receiver)):
        with span("drain"), span("check"):
            shown = ids()
    drain, check = receiver.one("drain"), receiver.one("check")
    assert before <= int(drain.trace[:8], 16) <= int(time.time())
    assert (drain.parent, check.parent) == ("", drain.id)
    assert shown == {"trace": f"1-{check.trace[:8]}-{check.trace[8:]}", "span": check.id}
    assert receiver.paths == ["/v1/traces"]


@pytest.mark.parametrize(
    ("headers", "trace", "parent"),
    [
        ({"X-Amzn-Trace-Id": XRAY.format("5759e988")}, "5759e988", "53995c3f42cd8ad8"),
        ({"traceparent": W3C}, "0af76519", "b7ad6b7169203331"),
        # The one that names the nearest span counts.
        ({"traceparent": W3C, "x-amzn-trace-id": XRAY.format("5759e988")}, "0af76519", None),
        # What a load balancer sends that began the trace.
        ({"X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793"}, "5759e988", ""),
        (
            {"X-Amzn-Trace-Id": "Self=1-67-1;Root=1-5759e988-bd862e3fe1be46a994272793"},
            "5759e988",
            "",
        ),
    ],
)
async def test_a_trace_begun_elsewhere_is_continued(
    receiver: Receiver, headers: dict[str, str], trace: str, parent: str | None
) -> None:
    async with exporting(to(receiver)):
        with resume(headers), span("web", kind="server"):
            onward = carrier()
        with span("after"):
            pass
    web = receiver.one("web")
    assert web.trace.startswith(trace)
    assert web.parent == (parent if parent is not None else "b7ad6b7169203331")
    assert onward["traceparent"].split("-")[1:3] == [web.trace, web.id]
    assert f"Parent={web.id}" in onward["X-Amzn-Trace-Id"]
    assert receiver.one("after").trace != web.trace


async def test_what_is_not_sampled_elsewhere_is_not_sent(receiver: Receiver) -> None:
    async with exporting(to(receiver)):
        with resume({"traceparent": W3C[:-1] + "0"}), span("web"):
            assert here() is None
            assert carrier()["traceparent"].endswith("-00")
    assert receiver.spans == []


async def test_a_part_of_the_traces_is_sent(receiver: Receiver) -> None:
    async with exporting(to(receiver, ratio=0.0)):
        with span("drain"):
            pass
    assert receiver.spans == []


async def test_no_secret_is_in_a_span(receiver: Receiver) -> None:
    url = f"https://u:{CANARY}@acme.example/feed?token={CANARY}"
    async with exporting(to(receiver)):
        with contextlib.suppress(ValueError), span("GET", **{"url.full": url}) as at:
            at.set(said={"password": CANARY}, header=f"Cookie: {CANARY}")
            describe(dsn=f"redis://:{CANARY}@cache.example")
            raise ValueError(f"password={CANARY}")
    sent = receiver.one("GET")
    assert CANARY.encode() not in b"".join(receiver.bodies)
    assert sent.attributes["url.full"] == "https://***@acme.example/feed?token=***"
    assert sent.failed
    [event] = sent.raw.events
    assert event.name == "exception"
    assert [it.value.string_value for it in event.attributes] == ["ValueError", "password=***"]


async def test_items_remember_the_check_only_when_it_is_traced(
    receiver: Receiver, database: str, tmp_path: Path
) -> None:
    async with FakeInternet(hosts=1, items=2) as net:
        async with walking(database, net, tmp_path) as walk:
            await walk.add(*net.sources())
            await walk.collect()
            assert await walk.rows("SELECT DISTINCT trace FROM fetch_job") == [(None,)]
        net.sites[0].bump(1)
        net.sites[0].edit(0)
        async with walking(database, net, tmp_path, otlp_endpoint=receiver.endpoint) as walk:
            await walk.run("UPDATE fetch_job SET finished_at = now() - interval '1 hour'")
            await walk.all_due()
            await walk.collect()
            rows = await walk.rows("SELECT trace FROM fetch_job WHERE trace IS NOT NULL")
    check = receiver.one("check")
    assert rows
    assert set(rows) == {(f"00-{check.trace}-{check.id}-01",)}


@pytest.mark.parametrize("kind", ["dead", "silent", "failing", "busy"])
async def test_a_collector_that_does_not_take_them_stops_nothing(
    kind: str, database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with receiving({"failing": 400, "busy": 503}.get(kind, 200)) as receiver, _silent() as port:
        endpoint = {
            "dead": "http://127.0.0.1:1",
            "silent": f"http://127.0.0.1:{port}",
        }.get(kind, receiver.endpoint)
        async with FakeInternet(hosts=2, items=3) as net:
            async with walking(database, net, tmp_path, otlp_endpoint=endpoint) as walk:
                await walk.add(*net.sources())
                await walk.collect()
                assert (await walk.accounting()).stored == 6
                for _ in range(5_000):
                    with span("many"):
                        pass
                began = time.monotonic()
            assert time.monotonic() - began < CLOSE_SECONDS + EXPORT_SECONDS
    said = [it for it in caplog.records if it.name.startswith("opentelemetry.exporter")]
    assert len(said) <= 1


@contextlib.contextmanager
def _silent() -> Iterator[int]:
    """The port of a collector that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


async def test_spans_go_to_the_collector_and_nowhere_else(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither where it sends them nor through a proxy that others use."""
    with receiving() as other, receiving(307, f"{other.endpoint}/v1/traces") as sends_on:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, other.endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", other.endpoint)
        for collector in (to(receiver), to(sends_on)):
            async with exporting(collector):
                with span("drain"):
                    pass
        assert (len(receiver.bodies), len(sends_on.bodies), len(other.bodies)) == (1, 1, 0)


async def test_the_first_collector_of_a_process_counts(receiver: Receiver) -> None:
    with receiving() as other:
        async with exporting(to(receiver)):
            async with exporting(to(other)):
                with span("inner"):
                    pass
            with span("outer"):
                pass
    assert sorted(sent.name for sent in receiver.spans) == ["inner", "outer"]
    assert other.spans == []


@pytest.fixture(scope="module")
def idle() -> Iterator[Tracer]:
    """A tracer that keeps nothing."""
    tracer = OtlpTracer(Collector(endpoint="http://127.0.0.1:1", ratio=0.0))
    yield tracer
    tracer.close()


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(["x-amzn-trace-id", "traceparent", "tracestate", "X-Amzn-Trace-Id"]),
        st.one_of(
            st.text(),
            st.from_regex(r"Root=1-[0-9a-f_+-]{8}-[0-9a-f_+-]{24};Parent=.{16};Sampled=."),
            st.from_regex(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"),
        ),
    ),
    st.one_of(st.none(), st.text()),
)
def test_whatever_a_stranger_sends_is_survived(
    idle: Tracer, headers: dict[str, str], link: str | None
) -> None:
    with idle.resume(headers), idle.span("web", "server", link, {"sent": headers}):
        assert len(idle.ids()["trace"]) == 35


@pytest.mark.parametrize(
    "endpoint",
    [
        "localhost:4318",
        "ftp://collector",
        "http://",
        "nowhere",
        "http://[::1",
        "http://collector:4318x",
        "http://collector:99999",
    ],
)
async def test_what_is_no_address_is_named(endpoint: str) -> None:
    with pytest.raises(SettingsError, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        async with exporting(Collector(endpoint=endpoint)):
            raise AssertionError


async def test_an_endpoint_without_the_packages_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ctiscraper.tracing.otlp")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SettingsError, match=r"ctiscraper\[tracing\]"):
        check_collector(Collector(endpoint="http://localhost:4318"))
    with pytest.raises(SettingsError, match=r"ctiscraper\[tracing\]"):
        async with exporting(Collector(endpoint="http://127.0.0.1:1")):
            raise AssertionError


OFF = """
import asyncio, sys
from ctiscraper.bootstrap import open_services
import ctiscraper.tasks.run
from ctiscraper.tracing import carrier, describe, exporting, here, ids, resume, span, traced
@traced("off")
async def work():
    with resume({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}):
        with span("x", link="y", a=1) as at:
            at.set(b=2); at.rename("z"); at.fail("no"); describe(c=3)
            assert (carrier(), here(), ids()) == ({}, None, {})
async def main():
    async with exporting(None):
        await work()
asyncio.run(main())
print(*(name for name in sys.modules if name.startswith(("opentelemetry", "requests"))))
import ctiscraper.web.app
senders = ("opentelemetry.sdk", "opentelemetry.exporter", "requests")
print(*(name for name in sys.modules if name.startswith(senders)))
"""


def test_without_a_collector_nothing_of_it_is_loaded() -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", OFF], env=bare, capture_output=True, check=False, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n\n", "")


def test_the_collector_is_named_by_either_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().collector("x") is None
    for name in ("CTISCRAPER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.setenv(name, f"http://{name.lower()}:4318/")
        collector = Settings().collector("ctiscraper-web")
        assert collector is not None
        assert collector.url == f"http://{name.lower()}:4318/v1/traces"


async def test_no_word_of_a_model_goes_to_the_collector(receiver: Receiver) -> None:
    fault = ModelError(ModelFault.BAD_ANSWER, f"answered what is not as agreed: {CANARY}")
    server = Guarded(ScriptedServer(fault=fault), slots=1)
    async with exporting(to(receiver)):
        with pytest.raises(ModelError, match=CANARY):
            await server.chat(said_to("small", "What happened?"))
    chat = receiver.one("chat")
    assert chat.attributes["gen_ai.request.model"] == "small"
    assert CANARY not in repr(receiver.spans)
    assert chat.failed
    assert "bad_answer" in repr(chat)
