"""The front door by itself: its settings, what it passes on, and what it refuses."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from ctiscraper.web.security import (
    BODY_MOST,
    HEADERS,
    IMPORT_MOST,
    IMPORT_PATHS,
    LOOKUP_MOST,
    LOOKUP_PATHS,
)
from deploy.echo import Echo, echo
from deploy.edge import (
    FOLDER,
    TEMPLATES,
    Answered,
    Edge,
    answered,
    ask,
    check,
    connected,
    edge,
    exchange,
    filled_in,
    free_port,
    readable,
    render,
    settings,
)

ONCE = {**HEADERS, "x-request-id": None, "cache-control": None, "content-type": None}


@pytest.fixture
def web() -> Iterator[Echo]:
    with echo() as opened:
        yield opened


@pytest.fixture
def door(web: Echo, tmp_path: Path) -> Iterator[Edge]:
    with edge(tmp_path, web.port) as opened:
        yield opened


def marked_once(answer: Answered) -> None:
    """Fail unless every header that each answer carries stands there exactly once."""
    for name, value in ONCE.items():
        found = answer.one(name)
        assert value in {None, found}, name
    assert answer.all("server") == ["nginx"]


def test_the_settings_are_accepted(tmp_path: Path) -> None:
    said = check(render(tmp_path, NGINX_LISTEN="127.0.0.1:8080"))
    assert "test is successful" in said
    assert "[warn]" not in said
    assert "[emerg]" not in said


def test_the_tests_fill_in_as_the_image_does(tmp_path: Path) -> None:
    """Envsubst is what the official image's entrypoint runs."""
    envsubst = shutil.which("envsubst")
    if envsubst is None:
        pytest.skip("envsubst is not installed here (Debian: apt-get install gettext-base)")
    values = settings(NGINX_RUN=str(tmp_path), NGINX_TRUSTED_PROXIES="10.0.1.0/24, 10.0.2.0/24")
    names = " ".join(f"${{{name}}}" for name in values if name.startswith("NGINX_"))
    for template in TEMPLATES:
        text = template.read_text("utf-8")
        done = subprocess.run(
            [envsubst, names], input=text, env=values, capture_output=True, check=True, text=True
        )
        assert done.stdout == filled_in(text, values)
        assert "${" not in done.stdout
    assert values["NGINX_HOPS_REAL_IP"].split(";")[:2] == [
        " set_real_ip_from 10.0.1.0/24",
        " set_real_ip_from 10.0.2.0/24",
    ]


def test_half_a_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tls.crt").write_text("not one", "utf-8")
    with pytest.raises(subprocess.CalledProcessError) as refused:
        settings(
            NGINX_TLS_CERTIFICATE=str(tmp_path / "tls.crt"), NGINX_TLS_KEY=str(tmp_path / "none")
        )
    assert b"must both be readable" in refused.value.stderr


def test_limits_and_headers_agree_with_the_web_process() -> None:
    site = (FOLDER / "site.conf.template").read_text("utf-8")
    for paths, size in ((IMPORT_PATHS, "20m"), (LOOKUP_PATHS, "8m")):
        for path in paths:
            block = site.split(f"location = {path} {{")[1].split("}")[0]
            assert f"client_max_body_size {size};" in block
    assert site.count("client_max_body_size") == len(IMPORT_PATHS | LOOKUP_PATHS)
    # A little above: then it is the web process that explains.
    assert BODY_MOST < 1024**2 < BODY_MOST * 1.1
    assert LOOKUP_MOST < 8 * 1024**2 < LOOKUP_MOST * 1.1
    assert IMPORT_MOST < 20 * 1024**2 < IMPORT_MOST * 1.1


def test_a_request_is_passed_on_with_our_word_alone(door: Edge, web: Echo) -> None:
    answer = ask(
        door.port,
        "/articles?q=x",
        X_Forwarded_For="6.6.6.6",
        X_Forwarded_Proto="https",
        X_Forwarded_Host="evil.example",
        X_Real_IP="6.6.6.6",
        Forwarded="for=6.6.6.6",
        Proxy="http://6.6.6.6",
        X_Request_ID="chosen",
    )
    assert json.loads(answer.body)["path"] == "/articles?q=x"
    assert web.last["host"] == f"127.0.0.1:{door.port}"
    assert web.last["x-forwarded-for"] == "127.0.0.1"
    assert web.last["x-forwarded-proto"] == "http"
    assert web.last["x-request-id"] == answer.one("x-request-id") != "chosen"
    assert not {"x-forwarded-host", "x-real-ip", "forwarded", "proxy"} & set(web.last)
    assert answer.all("strict-transport-security") == []
    assert "q=x" not in door.log()


@pytest.mark.parametrize("said", ["203.0.113.9", "6.6.6.6, 203.0.113.9", "203.0.113.9, 127.0.0.9"])
def test_a_configured_hop_may_say_who_asks(web: Echo, tmp_path: Path, said: str) -> None:
    with edge(tmp_path, web.port, NGINX_TRUSTED_PROXIES="127.0.0.0/8,10.0.1.0/24") as door:
        answer = ask(door.port, "/", X_Forwarded_For=said, X_Forwarded_Proto="https")
    assert web.last["x-forwarded-for"] == "203.0.113.9"
    assert web.last["x-forwarded-proto"] == "https"
    assert answer.one("strict-transport-security") == "max-age=31536000; includeSubDomains"


def test_answers_of_its_own_carry_the_headers_once(door: Edge) -> None:
    for path, status in (
        ("/static/nothing.css", 404),
        ("/static/base.css", 200),
        ("/static/../../app.py", 400),
        ("/static/%2e%2e%2f%2e%2e/app.py", 400),
        ("/metrics", 404),
        ("/api/v1/openapi.json", 404),
        ("/", 200),
        (f"/{'x' * 9000}", 414),
    ):
        answer = ask(door.port, path)
        assert (path[:40], answer.status) == (path[:40], status)
        marked_once(answer)


def test_what_is_internal_is_hidden_unless_set(door: Edge, web: Echo, tmp_path: Path) -> None:
    for path in (
        *("/metrics", "/metrics/", "//metrics", "/%6detrics", "/x/../metrics"),
        *("/api/v1/openapi.json", "/api//v1/openapi.json", "/api/v1/./openapi.json"),
    ):
        assert ask(door.port, path).status == 404
    assert web.asked == []
    opened = tmp_path / "opened"
    opened.mkdir()
    with edge(opened, web.port, NGINX_EXPOSE_METRICS="on", NGINX_EXPOSE_OPENAPI="on") as other:
        for path in ("/metrics", "/api/v1/openapi.json"):
            assert ask(other.port, path).status == 200
    assert len(web.asked) == 2


FEED_KEY = "Zk3" + "q7Rw" * 10


def test_no_log_holds_what_was_searched_for_or_the_address_of_a_feed(
    web: Echo, tmp_path: Path
) -> None:
    """Neither when it is answered, nor too many ask, nor the web process is away."""
    feeds = (f"/feeds/{FEED_KEY}.atom", f"/FEEDS/{FEED_KEY}", f"//feeds//{FEED_KEY}.json?x=1")
    for name, port, given in (
        ("well", web.port, {}),
        ("limited", web.port, {"NGINX_RATE": "1r/m", "NGINX_BURST": "1"}),
        ("away", free_port(), {}),
    ):
        folder = tmp_path / name
        folder.mkdir()
        with edge(folder, port, **given) as door:
            statuses = [ask(door.port, path).status for path in (*feeds, "/articles?q=term")]
        lines = [json.loads(line) for line in door.log().splitlines()]
        shown = [line["path"] for line in lines if line["status"] in statuses]
        errors = (folder / "error.log").read_text("utf-8")
        assert shown == ["/feeds/[redacted]"] * 3 + ["/articles"]
        assert FEED_KEY not in door.log() + errors
        assert "term" not in door.log() + errors
        assert {"well": 200, "limited": 429, "away": 502}[name] == statuses[-1]


def test_static_files_are_served_straight_and_kept(door: Edge, web: Echo) -> None:
    kept = ask(door.port, "/static/base.css?v=0123456789ab", Accept_Encoding="gzip")
    assert kept.one("cache-control") == "public, max-age=31536000, immutable"
    assert kept.one("content-type") == "text/css; charset=utf-8"
    assert kept.one("content-encoding") == "gzip"
    assert "accept-encoding" in kept.one("vary").lower()
    assert ask(door.port, "/static/base.css").one("cache-control") == "no-store"
    assert ask(door.port, "/static/no.css?v=0123456789ab").one("cache-control") == "no-store"
    again = ask(
        door.port,
        "/static/keys.js?v=1",
        If_None_Match=ask(door.port, "/static/keys.js").one("etag"),
    )
    assert again.status == 304
    assert ask(door.port, "/static/keys.js").one("content-type") == "text/javascript; charset=utf-8"
    assert web.asked == []


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [
        ("/api/v1/sources", 1024**2 + 1, 413),
        ("/sources/import", 20 * 1024**2 + 1, 413),
        ("/api/v1/sources/import", 20 * 1024**2 + 1, 413),
        ("/api/v1/sources/imports", 5_000_000, 413),
        ("/api/v1/lookup", 8 * 1024**2 + 1, 413),
        ("/indicators/lookup", 8 * 1024**2 + 1, 413),
        ("/indicators/lookup.csv", 8 * 1024**2 + 1, 413),
        ("/indicators", 5_000_000, 413),
    ],
)
def test_a_body_over_its_limit_is_refused_at_once(
    door: Edge, web: Echo, path: str, length: int, status: int
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n"
    # Nginx waits for the rest to drain what is on its way; this client sends none.
    end = b"}" if path.startswith("/api/") else b"</html>"
    answer = answered(exchange(door.port, head.encode(), until=end))
    assert answer.status == status
    marked_once(answer)
    if path.startswith("/api/"):
        assert answer.one("content-type") == "application/problem+json"
        assert json.loads(answer.body)["status"] == status
    assert web.asked == []


def test_bodies_within_their_limits_arrive_whole(door: Edge, web: Echo) -> None:
    for path, length in (
        ("/api/v1/sources", BODY_MOST),
        ("/sources/import", IMPORT_MOST),
        *((path, LOOKUP_MOST) for path in sorted(LOOKUP_PATHS)),
    ):
        head = f"POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {length}"
        answer = answered(exchange(door.port, head.encode() + b"\r\n\r\n" + b"x" * length))
        assert json.loads(answer.body) == {"path": path, "method": "POST", "body": length}
    assert len(web.asked) == 2 + len(LOOKUP_PATHS)


def test_a_chunked_body_is_counted_while_it_comes(door: Edge, web: Echo) -> None:
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    head = b"POST /api/v1/sources HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = answered(exchange(door.port, head + chunk * 40 + b"0\r\n\r\n"))
    assert answer.status == 413
    assert web.asked == []


HIDDEN = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"
SMUGGLED = {
    "both lengths": "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "both, the other way round": "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n",
    "two lengths": f"Content-Length: 0\r\nContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a length that is no number": "Content-Length: +5\r\n\r\nhello",
    "an unknown coding": "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two codings": "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a folded header": "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "two hosts": "Host: other\r\n\r\n",
    "a control character": "X-A: a\x00b\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_requests_with_two_meanings_are_refused(door: Edge, web: Echo, name: str) -> None:
    sent = f"POST /theme HTTP/1.1\r\nHost: h\r\n{SMUGGLED[name]}"
    received = exchange(door.port, sent.encode("latin-1"))
    assert answered(received).status in {400, 501}
    assert received.count(b"HTTP/1.1 ") == 1
    assert web.asked == []


def test_too_many_requests_of_one_address_wait(web: Echo, tmp_path: Path) -> None:
    with edge(tmp_path, web.port, NGINX_RATE="1r/m", NGINX_BURST="3") as door:
        answers = [ask(door.port, "/api/v1/articles") for _ in range(6)]
        assert [answer.status for answer in answers] == [200, 200, 200, 200, 429, 429]
        marked_once(answers[-1])
        assert answers[-1].one("retry-after") == "5"
        assert json.loads(answers[-1].body)["title"] == "Too Many Requests"
        assert ask(door.port, "/health/live").status == 200
        assert ask(door.port, "/static/base.css").status == 200
        assert ask(door.port, "/", source="127.0.0.2").status == 200


def test_slow_bodies_of_one_address_are_limited_and_never_passed_on(
    web: Echo, tmp_path: Path
) -> None:
    head = b"POST /theme HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nx"
    with ExitStack() as stack, edge(tmp_path, web.port, NGINX_CONNECTIONS="10") as door:
        slow = [connected(stack, door.port, "127.0.0.3") for _ in range(20)]
        for connection in slow:
            connection.sendall(head)
        refused = [each for each in slow if each in readable(slow, 10)]
        assert len(refused) == 10
        assert {answered(each.recv(65_536)).status for each in refused} == {429}
        assert ask(door.port, "/").status == 200
        assert len(web.asked) == 1


def test_a_web_process_that_is_away_is_told_and_comes_back(tmp_path: Path) -> None:
    port = free_port()
    with edge(tmp_path, port) as door:
        for path in ("/api/v1/articles", "/health/ready"):
            answer = ask(door.port, path)
            assert (answer.status, answer.one("retry-after")) == (502, "5")
            assert answer.one("content-type") == "application/problem+json"
            said = json.loads(answer.body)
            assert said["request_id"] == answer.one("x-request-id")
            assert (said["status"], said["title"]) == (502, "Bad Gateway")
            marked_once(answer)
        page = ask(door.port, "/")
        assert page.status == 502
        assert page.one("content-type") == "text/html; charset=utf-8"
        assert b"does not answer just now" in page.body
        with echo(port):
            assert ask(door.port, "/").status == 200
        assert ask(door.port, "/").status == 502
        with echo(port):
            assert ask(door.port, "/").status == 200


@pytest.fixture
def certified(web: Echo, tmp_path: Path) -> Iterator[tuple[Edge, trustme.CA]]:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    chain, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    for number, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(str(chain), append=number > 0)
    certificate.private_key_pem.write_to_path(str(key))
    run = tmp_path / "run"
    run.mkdir()
    given = {"NGINX_TLS_CERTIFICATE": str(chain), "NGINX_TLS_KEY": str(key)}
    with edge(run, web.port, **given) as opened:
        yield opened, authority


def over_tls(port: int, context: ssl.SSLContext, path: str) -> Answered:
    """The answer to one request over TLS."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: l\r\nConnection: close\r\n\r\n".encode())
        received = b""
        while block := connection.recv(65_536):
            received += block
    return answered(received)


def test_with_a_certificate_everything_is_over_tls(
    certified: tuple[Edge, trustme.CA], web: Echo
) -> None:
    door, authority = certified
    context = ssl.create_default_context()
    authority.configure_trust(context)
    answer = over_tls(door.tls_port, context, "/articles")
    assert answer.status == 200
    assert web.last["x-forwarded-proto"] == "https"
    assert answer.one("strict-transport-security") == "max-age=31536000; includeSubDomains"
    assert over_tls(door.tls_port, context, "/static/no").one("strict-transport-security")

    plain = ask(door.port, "/articles?q=1")
    assert plain.status == 308
    assert plain.one("location") == f"https://127.0.0.1:{door.tls_port}/articles?q=1"
    for path in ("/api/v1/articles", "//api/v1/articles?q=1", "/feeds/abc.atom", "/metrics"):
        # Nobody goes on sending a secret in the clear because it works.
        told = ask(door.port, path, Authorization="Bearer cti_x")
        assert (told.status, told.all("location")) == (403, [])
        assert "revoke it" in json.loads(told.body)["detail"]
        marked_once(told)
    assert ask(door.port, "/health/live").status == 200
    assert web.last["host"] == "localhost"
    assert answered(exchange(door.tls_port, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")).status == 400


@pytest.mark.parametrize(
    ("cipher", "spoken"),
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", True),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", True),
        ("ECDHE-ECDSA-AES128-SHA256", False),
        ("ECDHE-ECDSA-AES256-SHA", False),
    ],
)
def test_only_recommended_ciphers_are_spoken(
    certified: tuple[Edge, trustme.CA], cipher: str, spoken: bool
) -> None:
    door, authority = certified
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if spoken:
        assert over_tls(door.tls_port, context, "/").status == 200
        return
    with pytest.raises(ssl.SSLError, match="handshake failure"):
        over_tls(door.tls_port, context, "/")


@pytest.mark.parametrize(("version", "spoken"), [("TLSv1_1", False), ("TLSv1_2", True)])
def test_old_versions_of_tls_are_not_spoken(
    certified: tuple[Edge, trustme.CA], version: str, spoken: bool
) -> None:
    door, authority = certified
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    if spoken:
        assert over_tls(door.tls_port, context, "/").status == 200
        return
    with pytest.raises(ssl.SSLError, match="alert protocol version"):
        over_tls(door.tls_port, context, "/")


def test_it_stops_when_told_and_logs_json(door: Edge) -> None:
    assert ask(door.port, "/").status == 200
    os.kill(door.process.pid, 3)
    assert door.process.wait(20) == 0
    [line] = [json.loads(line) for line in door.log().splitlines() if '"/"' in line]
    assert (line["status"], line["client"], line["web_status"]) == (200, "127.0.0.1", "200")
    assert (door.folder / "error.log").read_text("utf-8") == ""
