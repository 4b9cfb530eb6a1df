import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpcore2
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ctiscraper.errors import FetchError, Reason, Scope, SettingsError
from ctiscraper.http import EgressPolicy, FetchLimits, tls_context
from ctiscraper.http.faults import exchange_error
from ctiscraper.http.network import Inbox, Stream
from loopback import Asked, Origin, ca_file, open_client, origin_server, reply

LIMITS = FetchLimits(max_bytes=1000, seconds=5)
URL = "https://site.test/"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> Path:
    return ca_file(authority.cert_pem.bytes(), tmp_path)


def server_context(cert: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert.configure_cert(context)
    return context


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "site.test")])
    now = datetime.now(UTC)
    cert = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("site.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "self.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + cert.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def failure(context: ssl.SSLContext, ca: Path | None) -> FetchError:
    async with origin_server(context) as origin:
        origin.answers["/"] = reply(b"secret")
        async with open_client(origin.policy(ca_bundle=ca)) as client:
            with pytest.raises(FetchError) as caught:
                await client.get(URL, limits=LIMITS)
    assert not origin.asked
    return caught.value


async def test_trusted_certificate_passes(authority: trustme.CA, ca: Path) -> None:
    async with origin_server(server_context(authority.issue_cert("site.test"))) as origin:
        origin.answers["/"] = reply(b"over tls")
        async with open_client(origin.policy(ca_bundle=ca)) as client:
            pages = [await client.get(URL, limits=LIMITS) for _ in range(3)]

    assert [page.body for page in pages] == [b"over tls"] * 3
    assert origin.asked[0].headers["host"] == "site.test"
    assert origin.connections == 1


async def test_name_with_trailing_dot_is_verified_without_it(
    authority: trustme.CA, ca: Path
) -> None:
    async with origin_server(server_context(authority.issue_cert("site.test"))) as origin:
        origin.answers["/"] = reply(b"rooted")
        async with open_client(origin.policy(ca_bundle=ca)) as client:
            page = await client.get("https://site.test./", limits=LIMITS)

    assert page.body == b"rooted"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "holds no certificate in PEM form"),
        ("-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n", "holds no certif"),
    ],
)
def test_a_bundle_that_cannot_be_used_is_told_with_its_setting(
    tmp_path: Path, content: str | None, said: str
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content, "utf-8")
    policy = EgressPolicy(user_agent="x", ca_bundle=file)
    with pytest.raises(SettingsError, match=f"^CTISCRAPER_CA_BUNDLE: .*ca.pem {said}"):
        tls_context(policy)


async def test_bundle_is_added_to_the_default_trust(ca: Path) -> None:
    async with origin_server() as origin:
        alone, added = origin.policy(), origin.policy(ca_bundle=ca)
        async with open_client(alone) as one, open_client(added) as other:
            default = one._connections._tls.cert_store_stats()["x509_ca"]
            assert other._connections._tls.cert_store_stats()["x509_ca"] == default + 1


async def test_unknown_authority(authority: trustme.CA) -> None:
    error = await failure(server_context(authority.issue_cert("site.test")), None)

    assert error.reason is Reason.TLS_UNKNOWN_CA
    assert (error.scope, error.transient) == (Scope.HOST, True)


async def test_expired(authority: trustme.CA, ca: Path) -> None:
    past = datetime.now(UTC) - timedelta(days=1)
    cert = authority.issue_cert("site.test", not_after=past)

    assert (await failure(server_context(cert), ca)).reason is Reason.TLS_EXPIRED


async def test_wrong_host(authority: trustme.CA, ca: Path) -> None:
    cert = authority.issue_cert("elsewhere.test")

    assert (await failure(server_context(cert), ca)).reason is Reason.TLS_WRONG_HOST


async def test_wrong_address(authority: trustme.CA, ca: Path) -> None:
    context = server_context(authority.issue_cert("site.test"))
    async with (
        origin_server(context) as origin,
        open_client(origin.policy(ca_bundle=ca)) as client,
    ):
        with pytest.raises(FetchError) as caught:
            await client.get(f"https://127.0.0.1:{origin.port}/", limits=LIMITS)

    assert caught.value.reason is Reason.TLS_WRONG_HOST


async def test_self_signed(tmp_path: Path, ca: Path) -> None:
    assert (await failure(self_signed(tmp_path), ca)).reason is Reason.TLS_SELF_SIGNED


async def answer_hello(origin: Origin, data: bytes, ca: Path) -> FetchError:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(data)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    origin.port = server.sockets[0].getsockname()[1]
    async with open_client(origin.policy(ca_bundle=ca)) as client:
        with pytest.raises(FetchError) as caught:
            await client.get(URL, limits=LIMITS)
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0.01)
    return caught.value


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        # A fatal alert protocol_version, as a TLS 1.0 server gives.
        (bytes.fromhex("15030100020246"), Reason.TLS_VERSION),
        # A ServerHello of TLS 1.0.
        (bytes.fromhex("160301002a0200002603010000") + bytes(37), Reason.TLS_VERSION),
        # A fatal alert handshake_failure.
        (bytes.fromhex("15030300020228"), Reason.TLS),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Reason.TLS),
        (b"", Reason.TLS),
    ],
)
async def test_handshake_that_fails(data: bytes, reason: Reason, ca: Path) -> None:
    assert (await answer_hello(Origin(), data, ca)).reason is reason


async def test_slow_handshake_is_cut(ca: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctiscraper.http.network.CONNECT_SECONDS", 0.2)
    # The server speaks no TLS, so it waits for the end of a request for ever.
    async with origin_server() as origin, open_client(origin.policy(ca_bundle=ca)) as client:
        with pytest.raises(FetchError) as caught:
            await client.get(URL, limits=LIMITS)

    assert (caught.value.reason, caught.value.scope) == (Reason.TIMEOUT, Scope.HOST)


async def test_redirect_from_https_to_http_is_refused(authority: trustme.CA, ca: Path) -> None:
    async def serve(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 301 Moved\r\nLocation: http://plain.test/\r\n")
        writer.write(b"Content-Length: 0\r\n\r\n")

    plain_limits = FetchLimits(max_bytes=1000, seconds=5, allow_downgrade=True)
    context = server_context(authority.issue_cert("site.test"))
    async with origin_server(context) as secure, origin_server() as plain:
        secure.answers["/"] = serve
        plain.answers["/"] = reply(b"plain")
        names = {
            "site.test": f"127.0.0.1:{secure.port}",
            "plain.test": f"127.0.0.1:{plain.port}",
        }
        async with open_client(secure.policy(host_map=names, ca_bundle=ca)) as client:
            with pytest.raises(FetchError) as caught:
                await client.get(URL, limits=LIMITS)
            page = await client.get(URL, limits=plain_limits)

    assert caught.value.reason is Reason.REDIRECT_REFUSED
    assert page.body == b"plain"
    assert plain.connections == 1


def test_tls_that_breaks_later_is_told_as_tls() -> None:
    broken = httpcore2.ReadError("decryption failed")
    broken.__cause__ = ssl.SSLError(1, "[SSL: DECRYPTION_FAILED] decryption failed")

    assert exchange_error(broken).reason is Reason.TLS


async def test_reading_from_a_reset_connection_fails_typed() -> None:
    inbox = Inbox()
    inbox.connection_lost(ConnectionResetError("reset by peer"))
    stream = Stream(inbox)

    with pytest.raises(Exception, match="reset by peer"):
        await stream.read(100)
    with pytest.raises(Exception, match="closed"):
        await stream.write(b"x")
