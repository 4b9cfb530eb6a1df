"""Where the pages are served: on this machine, over TLS, or behind a proxy that was named."""

import asyncio
import ssl
import warnings
from ipaddress import ip_network
from pathlib import Path

import httpx2
import pytest
import trustme

from ctiscraper.db.session import Database
from ctiscraper.errors import SettingsError
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from ctiscraper.web.serve import Entrance, listen, serve


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "8.8.8.8", "example.org", ""])
def test_serves_on_this_machine_alone(host: str) -> None:
    with pytest.raises(SettingsError, match=r"127\.0\.0\.1"):
        listen(host, 0)


def test_serves_others_behind_a_proxy_that_was_named() -> None:
    with listen("0.0.0.0", 0, Entrance(hops=(ip_network("10.0.0.0/24"),))) as listening:
        assert listening.getsockname()[0] == "0.0.0.0"


def files_of(folder: Path) -> tuple[Path, Path, trustme.CA]:
    """A certificate for this machine, its key, and who signed it."""
    authority = trustme.CA()
    signed = authority.issue_cert("localhost", "127.0.0.1")
    cert, key = folder / "tls.crt", folder / "tls.key"
    signed.cert_chain_pems[0].write_to_path(cert)
    signed.private_key_pem.write_to_path(key)
    return cert, key, authority


async def test_tls_is_spoken_and_said_for_a_year(
    tmp_path: Path, opened: Database, admin: int
) -> None:
    del admin
    cert, key, authority = files_of(tmp_path)
    entrance = Entrance(cert=cert, key=key)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with listen("0.0.0.0", 0, entrance) as listening:
        serving = asyncio.create_task(
            serve(create_app(WebServices(database=opened)), listening, entrance)
        )
        port = listening.getsockname()[1]
        async with httpx2.AsyncClient(verify=context) as client:
            answer = await client.get(f"https://127.0.0.1:{port}/login")
        serving.cancel()
        await asyncio.wait({serving})
    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize(
    ("version", "ciphers", "spoken"),
    [
        ("TLSv1_2", "ECDHE-ECDSA-AES128-GCM-SHA256", True),
        ("TLSv1_2", "ECDHE-ECDSA-AES128-SHA256", False),
        ("TLSv1_2", "ECDHE-ECDSA-AES256-SHA", False),
        ("TLSv1_1", "DEFAULT", False),
        ("TLSv1_3", "DEFAULT", True),
    ],
)
async def test_old_versions_and_ciphers_are_not_spoken(
    tmp_path: Path, opened: Database, version: str, ciphers: str, *, spoken: bool
) -> None:
    cert, key, authority = files_of(tmp_path)
    entrance = Entrance(cert=cert, key=key)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    with listen("127.0.0.1", 0, entrance) as listening:
        app = create_app(WebServices(database=opened))
        serving = asyncio.create_task(serve(app, listening, entrance))
        port = listening.getsockname()[1]
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        except OSError:
            assert not spoken
        else:
            assert spoken
            writer.close()
        serving.cancel()
        await asyncio.wait({serving})


def test_half_a_certificate_or_a_wrong_one_is_told(tmp_path: Path) -> None:
    cert, key, _ = files_of(tmp_path)
    with pytest.raises(SettingsError, match="--tls-key"):
        listen("0.0.0.0", 0, Entrance(cert=cert))
    with pytest.raises(SettingsError, match="--tls-cert"):
        listen("127.0.0.1", 0, Entrance(key=key))
    none = tmp_path / "none"
    for wrong, said in (
        (Entrance(cert=none, key=key), "CTISCRAPER_TLS_CERT or --tls-cert: .*none cannot be read"),
        (Entrance(cert=cert, key=none), "CTISCRAPER_TLS_KEY or --tls-key: .*none cannot be read"),
        (Entrance(cert=cert, key=cert), "TLS cannot be spoken .* key to it in CTISCRAPER_TLS_KEY"),
    ):
        with pytest.raises(SettingsError, match=said):
            listen("127.0.0.1", 0, wrong)


def test_taken_port_is_named() -> None:
    with listen("localhost", 0) as first, pytest.raises(SettingsError, match="--port"):
        listen("127.0.0.1", first.getsockname()[1])
