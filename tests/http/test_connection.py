import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from ctiscraper.errors import FetchError, Reason
from ctiscraper.http import EgressPolicy, FetchLimits
from ctiscraper.http.connection import MAX_IDLE
from loopback import (
    LOOPBACK,
    USER_AGENT,
    Asked,
    Origin,
    ca_file,
    closing,
    open_client,
    origin_server,
    reply,
)

LIMITS = FetchLimits(max_bytes=10_000, seconds=5)


async def test_connection_is_kept_for_the_next_request(origin: Origin) -> None:
    origin.answers["/"] = reply(b"again")
    async with open_client(origin.policy()) as client:
        for _ in range(10):
            await client.get("http://site.test/", limits=LIMITS)

    assert (len(origin.asked), origin.connections) == (10, 1)


async def test_connections_are_not_shared_between_origins(origin: Origin) -> None:
    origin.answers["/"] = reply(b"mine")
    async with open_client(origin.policy("a.test", "b.test")) as client:
        await client.get("http://a.test/", limits=LIMITS)
        await client.get("http://b.test/", limits=LIMITS)

    assert origin.connections == 2


async def test_connection_closed_meanwhile_is_replaced(origin: Origin) -> None:
    origin.answers |= {"/x": closing(reply(b"bye")), "/y": reply(b"new")}
    async with open_client(origin.policy()) as client:
        assert (await client.get("http://site.test/x", limits=LIMITS)).body == b"bye"
        assert (await client.get("http://site.test/y", limits=LIMITS)).body == b"new"


async def test_connection_that_ended_while_idle_is_closed(origin: Origin) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def keep(_: Asked, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(reply(b"kept"))

    origin.answers["/"] = keep
    async with open_client(origin.policy()) as client:
        await client.get("http://site.test/", limits=LIMITS)
        (idle,) = client._connections._idle["http://site.test"]
        assert idle.reusable
        writers[0].close()
        while idle.reusable:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        await client.get("http://site.test/", limits=LIMITS)

    assert (origin.count("/"), origin.connections) == (2, 2)


async def test_connection_closed_on_request_is_asked_once_more(origin: Origin) -> None:
    async def close_second(_: Asked, writer: asyncio.StreamWriter) -> None:
        if origin.count("/x") == 1:
            writer.close()
        else:
            writer.write(reply(b"third time"))

    origin.answers |= {"/": reply(b"first"), "/x": close_second}
    async with open_client(origin.policy()) as client:
        await client.get("http://site.test/", limits=LIMITS)
        page = await client.get("http://site.test/x", limits=LIMITS)

    assert page.body == b"third time"
    assert origin.paths == ["/", "/x", "/x"]


async def test_nonsense_on_a_kept_connection_is_not_asked_again(origin: Origin) -> None:
    origin.answers |= {"/": reply(b"first"), "/x": b"nonsense\r\n\r\n"}
    async with open_client(origin.policy()) as client:
        await client.get("http://site.test/", limits=LIMITS)
        with pytest.raises(FetchError) as caught:
            await client.get("http://site.test/x", limits=LIMITS)

    assert caught.value.reason is Reason.PROTOCOL
    assert origin.paths == ["/", "/x"]


async def test_new_connection_that_closes_is_not_asked_again(origin: Origin) -> None:
    origin.answers["/x"] = closing(b"")
    async with open_client(origin.policy()) as client:
        with pytest.raises(FetchError) as caught:
            await client.get("http://site.test/x", limits=LIMITS)

    assert caught.value.reason is Reason.TRUNCATED
    assert origin.count("/x") == 1


async def test_idle_connections_are_bounded(origin: Origin) -> None:
    names = [f"s{n}.test" for n in range(MAX_IDLE + 20)]
    origin.answers["/"] = reply(b"one of many")
    async with open_client(origin.policy(*names)) as client:
        for name in names:
            await client.get(f"http://{name}/", limits=LIMITS)
        connections = client._connections
        assert connections._idle_count == sum(map(len, connections._idle.values())) == MAX_IDLE
        await client.get(f"http://{names[0]}/", limits=LIMITS)
        await client.get(f"http://{names[-1]}/", limits=LIMITS)

    assert origin.connections == len(names) + 1


async def test_simultaneous_requests_get_connections_of_their_own(origin: Origin) -> None:
    gate = asyncio.Event()

    async def wait(_: Asked, writer: asyncio.StreamWriter) -> None:
        if len(origin.asked) == 5:
            gate.set()
        await gate.wait()
        writer.write(reply(b"together"))

    origin.answers["/"] = wait
    async with open_client(origin.policy()) as client:
        pages = await asyncio.gather(
            *(client.get("http://site.test/", limits=LIMITS) for _ in range(5))
        )

    assert [page.body for page in pages] == [b"together"] * 5


async def test_left_over_bytes_are_never_an_answer(origin: Origin) -> None:
    origin.answers |= {"/": reply(b"first") + reply(b"forged"), "/x": reply(b"true")}
    async with open_client(origin.policy()) as client:
        await client.get("http://site.test/", limits=LIMITS)
        page = await client.get("http://site.test/x", limits=LIMITS)

    assert page.body == b"true"


def proxied(origin: Origin, credentials: str = "", **changes: object) -> EgressPolicy:
    return origin.policy(proxy=f"http://{credentials}127.0.0.1:{origin.port}/", **changes)


async def test_proxy_is_asked_in_absolute_form(origin: Origin) -> None:
    origin.answers["http://site.test/a?b"] = reply(b"by proxy")
    async with open_client(proxied(origin, "user:secret@", host_map={})) as client:
        client._connections._network._resolve = unresolved
        page = await client.get("http://site.test/a?b", limits=LIMITS)

    assert page.body == b"by proxy"
    assert origin.asked[0].headers["host"] == "site.test"
    assert origin.asked[0].headers["proxy-authorization"] == "Basic dXNlcjpzZWNyZXQ="


async def test_proxy_may_be_reached_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("proxy.test").configure_cert(context)
    async with origin_server(context) as proxy:
        proxy.answers["http://site.test/"] = reply(b"by proxy")
        policy = proxy.policy(
            "proxy.test",
            ca_bundle=ca_file(authority.cert_pem.bytes(), tmp_path),
            proxy="https://proxy.test/",
        )
        async with open_client(policy, unresolved) as client:
            page = await client.get("http://site.test/", limits=LIMITS)

    assert page.body == b"by proxy"


async def unresolved(_: str) -> list[str]:
    raise OSError(-2, "Name or service not known")


async def private(_: str) -> list[str]:
    return ["10.0.0.1"]


async def test_lost_names_are_not_waited_for_again_behind_a_proxy(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctiscraper.http.network.RESOLVE_SECONDS", 0.05)
    asked: list[str] = []

    async def silent(name: str) -> list[str]:
        asked.append(name)
        await asyncio.Event().wait()
        return []

    names = [f"http://s{n}.test/" for n in range(4)]
    origin.answers |= dict.fromkeys(names, reply(b"by proxy"))
    async with open_client(proxied(origin, host_map={}), silent) as client:
        for name in names:
            await client.get(name, limits=LIMITS)

    assert asked == ["s0.test"]


@pytest.mark.parametrize("url", ["http://site.test/", "https://site.test/"])
async def test_private_targets_are_refused_before_the_proxy_is_asked(
    origin: Origin, url: str
) -> None:
    async with open_client(proxied(origin, host_map={}), private) as client:
        with pytest.raises(FetchError) as caught:
            await client.get(url, limits=LIMITS)

    assert caught.value.reason is Reason.ADDRESS_REFUSED
    assert origin.connections == 0


async def test_proxy_may_be_private_but_never_metadata() -> None:
    policy = EgressPolicy(user_agent=USER_AGENT, proxy="http://169.254.169.254:80/")
    async with open_client(policy, unresolved) as client:
        with pytest.raises(FetchError) as caught:
            await client.get("http://site.test/", limits=LIMITS)

    assert caught.value.reason is Reason.ADDRESS_REFUSED


async def tunnel_to(port: int, writer: asyncio.StreamWriter, reader: asyncio.StreamReader) -> None:
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.close()

    await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))


async def test_https_goes_through_a_tunnel_and_stays_verified(tmp_path: Path) -> None:
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("site.test").configure_cert(context)
    heads: list[bytes] = []
    async with origin_server(context) as far:
        far.answers["/"] = reply(b"end to end")

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            await tunnel_to(far.port, writer, reader)

        proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
        policy = EgressPolicy(
            user_agent=USER_AGENT,
            allow_networks=(LOOPBACK,),
            ca_bundle=ca_file(authority.cert_pem.bytes(), tmp_path),
            proxy=f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}",
        )
        async with open_client(policy, unresolved) as client:
            page = await client.get("https://site.test/", limits=LIMITS)
        proxy.close()
        await proxy.wait_closed()

    assert page.body == b"end to end"
    assert heads[0].startswith(b"CONNECT site.test:443 HTTP/1.1\r\nHost: site.test:443\r\n")


async def test_proxy_that_refuses_a_tunnel_is_told(origin: Origin) -> None:
    origin.answers["site.test:443"] = reply(b"no", status=403)
    async with open_client(proxied(origin, host_map={}), unresolved) as client:
        with pytest.raises(FetchError) as caught:
            await client.get("https://site.test/", limits=LIMITS)

    assert caught.value.reason is Reason.CONNECT
    assert "403" in caught.value.detail
