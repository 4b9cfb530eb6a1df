"""`smoke`: what somebody outside sees, over real TLS on loopback."""

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cti_ops.cli import main
from cti_ops.errors import OpsError
from cti_ops.smoke import HEADERS, OVER_TLS, smoke, target_of, wrong_lines
from front_door import DOMAIN, FrontDoor, front_door, make_certificate
from model import ROOT

NOW = datetime.now(UTC)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[FrontDoor]:
    with front_door(make_certificate(tmp_path, now=NOW, days=90)) as made:
        yield made


def wrong(door: FrontDoor, now: datetime = NOW, host: str = DOMAIN) -> list[str]:
    target = target_of(
        f"https://{host}:{door.https_port}",
        machine="127.0.0.1",
        authorities=door.authority,
        plain_port=door.http_port,
    )
    return wrong_lines(smoke(target, now))


def test_a_product_that_is_well_passes(door: FrontDoor) -> None:
    assert wrong(door) == []
    assert [path for _, path in door.asked] == ["/health/live", "/health/ready", "/login"]
    assert {host for host, _ in door.asked} == {f"{DOMAIN}:{door.https_port}"}


def test_the_command_tells_what_it_saw(door: FrontDoor, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "smoke",
        f"--url=https://{DOMAIN}:{door.https_port}",
        "--address=127.0.0.1",
        f"--ca-file={door.authority}",
        f"--plain-port={door.http_port}",
    ]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "ok     TLS  TLSv1.3" in shown
    assert "ok     ready  /health/ready 200" in shown
    door.answers["/health/ready"] = (503, '{"status":"unavailable"}')
    assert main(arguments) == 9
    assert "! ready: /health/ready answers 503" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (
            lambda d: d.answers.update({"/health/live": (502, "")}),
            "health: /health/live answers 502",
        ),
        (
            lambda d: d.answers.update({"/health/ready": (200, "hello")}),
            "does not say that it is ok",
        ),
        (lambda d: d.answers.update({"/login": (200, "<p>soon")}), "no field for a password"),
        (lambda d: d.headers.pop("x-frame-options"), "missing or other: x-frame-options"),
        (
            lambda d: d.headers.update({"content-security-policy": "default-src *"}),
            "missing or other: content-security-policy",
        ),
        (
            lambda d: d.headers.update({"strict-transport-security": "max-age=0"}),
            "missing or other: strict-transport-security",
        ),
        (lambda d: setattr(d, "leads_on", False), "plain HTTP: it answers 200"),
    ],
)
def test_each_thing_that_is_wrong_is_seen(
    door: FrontDoor, harm: Callable[[FrontDoor], object], said: str
) -> None:
    harm(door)
    (line,) = wrong(door)
    assert said in line


def test_a_certificate_that_ends_soon_is_told(door: FrontDoor) -> None:
    (line,) = wrong(door, NOW + timedelta(days=80))
    assert "TLS: the certificate ends in 10 days" in line


def test_a_certificate_for_another_name_is_refused(door: FrontDoor) -> None:
    lines = wrong(door, host="other.example.org")
    assert any("TLS" in line and "certificate" in line for line in lines)
    assert len(lines) == 4


def test_a_certificate_that_nobody_signed_is_refused(door: FrontDoor) -> None:
    target = target_of(f"https://{DOMAIN}:{door.https_port}", machine="127.0.0.1", plain_port=None)
    lines = wrong_lines(smoke(target, NOW))
    assert "CERTIFICATE_VERIFY_FAILED" in lines[0]
    assert door.asked == []


def test_where_nobody_answers_everything_is_wrong() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        target = target_of(f"http://127.0.0.1:{taken.getsockname()[1]}")
        lines = wrong_lines(smoke(target, NOW))
    assert [line.split(":")[0] for line in lines] == ["health", "ready", "login page"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("cti.example.org", "should be like https"),
        ("http://cti.example.org", "has no TLS"),
        ("https://cti.example.org/login", "should be like https"),
        ("https://u:p@cti.example.org", "more than a host"),
        ("https://cti.example.org:port", "is no address"),
    ],
)
def test_an_address_that_is_none_is_refused(url: str, said: str) -> None:
    with pytest.raises(OpsError, match=said) as caught:
        target_of(url)
    assert caught.value.code == 2


def test_the_headers_are_those_of_the_product() -> None:
    text = (ROOT / "src/ctiscraper/web/security.py").read_text("utf-8")
    assert all(f'"{name}"' in text for name in HEADERS)
    assert 'TRANSPORT_SECURITY = "max-age=31536000; includeSubDomains"' in text
    assert list(OVER_TLS) == ["strict-transport-security"]
