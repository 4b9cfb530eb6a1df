"""Every client of a Redis over TLS checks its certificate, whatever REDIS_URL says."""

import ssl
from pathlib import Path

import pytest
import trustme
from kombu import Connection

from ctiscraper.config import Settings, load_settings
from ctiscraper.errors import SettingsError
from ctiscraper.tasks.app import make_app
from ctiscraper.tasks.beat import Ringer
from ctiscraper.tasks.redis_bell import client_of


def told_to_clients(settings: Settings) -> dict[str, dict[str, object]]:
    """What each client of Redis is told of TLS, by its name."""
    app = make_app(settings)
    ringer = Ringer(app)
    told = {
        "ears": _tls_of(app.connection_for_read()),
        "bell": _tls_of(app.connection_for_write()),
        "look": client_of(settings).connection_pool.connection_kwargs,
        "beat": ringer._redis.connection_pool.connection_kwargs,
    }
    ringer.close()
    app.close()
    return told


def _tls_of(connection: Connection) -> dict[str, object]:
    assert isinstance(connection.ssl, dict)
    return connection.ssl


def test_every_client_checks_the_certificate_against_the_authority_that_is_set(
    tmp_path: Path,
) -> None:
    authority = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))
    settings = load_settings(redis_url="rediss://cache.example:6380/2", redis_ca=authority)
    for client, told in told_to_clients(settings).items():
        assert told["ssl_cert_reqs"] is ssl.CERT_REQUIRED, client
        assert told["ssl_check_hostname"] is True, client
        assert told["ssl_ca_certs"] == str(authority), client


@pytest.mark.parametrize(
    "query",
    [
        "?ssl_cert_reqs=none",
        "?ssl_cert_reqs=CERT_NONE",
        "?ssl_check_hostname=false",
        "?ssl_ca_certs=/tmp/mine.pem",
        "?ssl_cert_reqs=required",
        "?SSL_CERT_REQS=none",
        "?db=1",
        "?",
        "#?ssl_cert_reqs=none",
        ";rediss://other/0?ssl_cert_reqs=none",
    ],
)
def test_no_url_says_how_the_certificate_is_checked(query: str) -> None:
    with pytest.raises(SettingsError, match="CTISCRAPER_REDIS_CA names the authority") as refused:
        load_settings(redis_url=f"rediss://:s3cret@cache.example/0{query}")
    assert "REDIS_URL" in str(refused.value)
    assert "s3cret" not in str(refused.value)
