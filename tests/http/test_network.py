import asyncio
import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from ctiscraper.errors import FetchError, Reason, Scope
from ctiscraper.http import EgressPolicy, FetchLimits
from ctiscraper.http.network import CONNECT_SECONDS, Inbox, Network, Stream, SystemResolver
from loopback import LOOPBACK, USER_AGENT, Origin, open_client, origin_server, reply

LIMITS = FetchLimits(max_bytes=1000, seconds=5)
UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
LATER = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
PUBLIC = "93.184.216.34"


@dataclass
class Script:
    """A resolver whose answers to a name come one after another, the last one staying."""

    answers: dict[str, list[list[str] | OSError]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        script = self.answers.get(host, [UNKNOWN])
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, OSError):
            raise answer
        return answer


def policy(*ports: int, local: bool = True) -> EgressPolicy:
    return EgressPolicy(
        user_agent=USER_AGENT,
        allow_networks=(LOOPBACK,) if local else (),
        allow_ports=frozenset({80, 443, *ports}),
    )


async def failure(script: Script, url: str, *ports: int, local: bool = True) -> FetchError:
    async with open_client(policy(*ports, local=local), script) as client:
        with pytest.raises(FetchError) as caught:
            await client.get(url, limits=LIMITS)
    return caught.value


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        [PUBLIC, "127.0.0.1"],
        ["127.0.0.1", PUBLIC],
        [PUBLIC, "::1"],
        ["::ffff:127.0.0.1"],
        ["fe80::1%eth0"],
        ["64:ff9b::7f00:1"],
        [PUBLIC, "2606:4700::1", "169.254.169.254"],
    ],
)
async def test_one_bad_answer_refuses_the_name(answers: Sequence[str]) -> None:
    async with origin_server() as canary:
        script = Script({"site.test": [list(answers)]})
        url = f"http://site.test:{canary.port}/"
        error = await failure(script, url, canary.port, local=False)

    assert error.reason is Reason.ADDRESS_REFUSED
    assert canary.connections == 0


async def test_rebinding_between_check_and_use_is_refused(origin: Origin) -> None:
    async with origin_server() as canary:
        canary.answers["/"] = reply(b"secret")
        origin.answers["/"] = reply(b"public", {"Connection": "close"})
        script = Script({"site.test": [["127.0.0.1"], ["::1"], ["10.0.0.1"]]})
        url = f"http://site.test:{origin.port}/"
        async with open_client(policy(origin.port), script) as client:
            assert (await client.get(url, limits=LIMITS)).body == b"public"
            for _ in range(2):
                with pytest.raises(FetchError) as caught:
                    await client.get(url, limits=LIMITS)
                assert caught.value.reason is Reason.ADDRESS_REFUSED

    assert (len(script.asked), canary.connections) == (3, 0)


async def test_name_is_resolved_once_for_a_connection(origin: Origin) -> None:
    origin.answers["/"] = reply(b"here")
    script = Script({"site.test": [["127.0.0.1"], ["10.0.0.1"]]})
    async with open_client(policy(origin.port), script) as client:
        for _ in range(3):
            await client.get(f"http://site.test:{origin.port}/", limits=LIMITS)

    assert script.asked == ["site.test"]
    assert origin.asked[0].headers["host"] == f"site.test:{origin.port}"


async def test_peer_is_checked_after_connecting(origin: Origin) -> None:
    class Elsewhere(Inbox):
        @property
        def peer(self) -> str:
            return "10.0.0.1"

    network = Network(policy(origin.port), Script())
    loop = asyncio.get_running_loop()
    _, inbox = await loop.create_connection(Elsewhere, "127.0.0.1", origin.port)

    with pytest.raises(FetchError) as caught:
        network._checked(inbox, operator=False)
    assert caught.value.reason is Reason.ADDRESS_REFUSED
    assert inbox.transport.is_closing()
    await asyncio.sleep(0)


async def test_next_address_is_tried(origin: Origin) -> None:
    origin.answers["/"] = reply(b"second")
    script = Script({"site.test": [["127.0.0.9", "127.0.0.1"]]})
    async with open_client(policy(origin.port), script) as client:
        page = await client.get(f"http://site.test:{origin.port}/", limits=LIMITS)

    assert page.body == b"second"


async def test_refused_connection_is_the_hosts_fault() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]
        error = await failure(Script(), f"http://127.0.0.1:{port}/", port)

    assert (error.reason, error.scope, error.transient) == (Reason.CONNECT, Scope.HOST, True)


async def test_unknown_name_is_the_hosts_fault_where_others_are_known() -> None:
    script = Script({"example.com": [[PUBLIC]]})
    error = await failure(script, "http://gone.test/")

    assert (error.reason, error.scope) == (Reason.DNS, Scope.HOST)


@pytest.mark.parametrize("answer", [UNKNOWN, LATER])
async def test_no_name_known_at_all_means_offline(answer: OSError) -> None:
    names = ("site.test", "example.com", "a.root-servers.net")
    script = Script({name: [answer] for name in names})
    error = await failure(script, "http://site.test/")

    assert (error.reason, error.scope, error.transient) == (Reason.OFFLINE, Scope.OURS, True)


async def test_control_names_are_not_asked_for_each_source() -> None:
    script = Script()
    async with open_client(policy(), script) as client:
        for n in range(5):
            with pytest.raises(FetchError):
                await client.get(f"http://s{n}.test/", limits=LIMITS)

    assert script.asked.count("example.com") == 1


async def test_name_without_address_is_told() -> None:
    error = await failure(Script({"site.test": [[]]}), "http://site.test/")

    assert error.reason is Reason.DNS


@pytest.mark.parametrize("code", [errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN])
async def test_no_route_means_offline(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    async def unreachable(*_: object, **__: object) -> None:
        raise OSError(code, "no route")

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "create_connection", unreachable)
    error = await failure(Script({"site.test": [[PUBLIC, "2606:4700::1"]]}), "http://site.test/")

    assert (error.reason, error.scope) == (Reason.OFFLINE, Scope.OURS)


async def test_no_route_to_one_host_is_its_own_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(policy(), Script({"site.test": [[PUBLIC]], "example.com": [[PUBLIC]]}))
    assert await network._has_names()

    async def unreachable(*_: object, **__: object) -> None:
        raise OSError(errno.EHOSTUNREACH, "no route")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", unreachable)
    with pytest.raises(FetchError) as caught:
        await network.connect("site.test", 80)
    assert (caught.value.reason, caught.value.scope) == (Reason.CONNECT, Scope.HOST)


async def test_too_many_open_files_is_our_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def exhausted(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", exhausted)
    error = await failure(Script({"site.test": [[PUBLIC]]}), "http://site.test/")
    assert (error.reason, error.scope) == (Reason.CONNECT, Scope.OURS)


async def test_connecting_has_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CONNECT_SECONDS <= 5
    monkeypatch.setattr("ctiscraper.http.network.CONNECT_SECONDS", 0.1)

    async def forever(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", forever)
    error = await failure(Script({"site.test": [[PUBLIC, PUBLIC]]}), "http://site.test/")
    assert (error.reason, error.scope) == (Reason.TIMEOUT, Scope.HOST)


async def test_silent_name_service_means_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctiscraper.http.network.RESOLVE_SECONDS", 0.1)

    async def forever(_: str) -> list[str]:
        await asyncio.Event().wait()
        return []

    async with open_client(policy(), forever) as client:
        with pytest.raises(FetchError) as caught:
            await client.get("http://site.test/", limits=LIMITS)
    assert (caught.value.reason, caught.value.scope) == (Reason.OFFLINE, Scope.OURS)


async def test_silence_about_one_name_is_its_own_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctiscraper.http.network.RESOLVE_SECONDS", 0.1)

    async def silent_about_one(name: str) -> list[str]:
        if name == "site.test":
            await asyncio.Event().wait()
        return [PUBLIC]

    network = Network(policy(), silent_about_one)
    assert await network._has_names()
    with pytest.raises(FetchError) as caught:
        await network.find("site.test", 80)
    assert (caught.value.reason, caught.value.scope) == (Reason.DNS, Scope.HOST)


async def test_public_peer_shows_that_we_are_online(origin: Origin) -> None:
    class Public(Inbox):
        @property
        def peer(self) -> str:
            return PUBLIC

    network = Network(policy(origin.port), Script())
    loop = asyncio.get_running_loop()
    _, inbox = await loop.create_connection(Public, "127.0.0.1", origin.port)
    assert not network._online()
    await network._checked(inbox, operator=False).aclose()
    await asyncio.sleep(0)

    assert network._online()


async def test_system_resolver_gives_each_address_once() -> None:
    resolver = SystemResolver()
    answers = await resolver("localhost")
    resolver.close()

    assert set(answers) <= {"127.0.0.1", "::1"}
    assert len(answers) == len(set(answers)) > 0


@pytest.mark.parametrize("host", ["a" * 300 + ".test", "a..test"])
async def test_system_resolver_fails_plainly_on_odd_names(host: str) -> None:
    resolver = SystemResolver()
    with pytest.raises(socket.gaierror):
        await resolver(host)
    resolver.close()


async def test_reading_ahead_is_bounded(origin: Origin) -> None:
    async def flood(_: object, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=1)
        for _ in range(1000):
            writer.write(b"x" * 100_000)
            await writer.drain()

    origin.answers["/"] = flood
    loop = asyncio.get_running_loop()
    _, inbox = await loop.create_connection(Inbox, "127.0.0.1", origin.port)
    stream = Stream(inbox)
    stream.allow(20_000_000)
    await stream.write(b"GET / HTTP/1.1\r\n\r\n")
    while not inbox._paused:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    held = inbox._held
    taken = 0
    while taken < 10_000_000:
        taken += len(await stream.read(65536))
    await stream.aclose()
    await asyncio.sleep(0)

    assert held < 1_000_000
