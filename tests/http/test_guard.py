# ruff: noqa: RUF001 - spellings that browsers read as digits and letters
import ipaddress
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctiscraper.errors import FetchError, Reason, Scope, SettingsError
from ctiscraper.http import (
    EgressPolicy,
    FetchLimits,
    admissible,
    check_url,
    is_allowed_address,
    only_server,
)
from loopback import LOOPBACK, USER_AGENT, Origin, open_client, origin_server, reply

POLICY = EgressPolicy(user_agent=USER_AGENT)
LIMITS = FetchLimits(max_bytes=1000, seconds=5)

LOOPBACK_HOSTS = [
    "127.0.0.1",
    "127.0.0.2",
    "127.127.127.127",
    "127.255.255.254",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "127.1.",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7F000001",
    "0x7f.1",
    "0x7f.0.0.1",
    "0x7f.0x0.0x0.0x1",
    "0177.1",
    "0177.0.0.1",
    "0177.0.0.01",
    "0177.0000.0000.0001",
    "0x7f.0.1",
    "127.0x1",
    "127.0.0x0.1",
    "0x7f.01",
    "0177.00.00.01",
    "0",
    "0.0.0.0",
    "0x0",
    "00",
    "0.0",
    "0.1",
    "0.0.0.1",
    "0x00000000",
    "0.0.0.0.",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "%6c%6f%63%61%6c%68%6f%73%74",
    "127.0.0.%31",
    "１２７.０.０.１",
    "127。0。0。1",
    "127．0．0．1",
    "127｡0｡0｡1",
    "①②⑦.⓪.⓪.①",
    "１２７。１",
    "⑫７.0.0.1",
    "０x7f.1",
    "localhost",
    "LOCALHOST",
    "LocalHost",
    "localhost.",
    "ｌocalhost",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "localhost.localdomain",
    "ip6-localhost",
    "ip6-loopback",
    "app.localhost",
    "a.b.localhost",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::0001]",
    "[::]",
    "[0::0]",
    "[::0.0.0.1]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:127.0.0.1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2002:7f00:1::1]",
    "[2001:0:7f00:1::]",
]
PRIVATE_HOSTS = [
    "10.0.0.1",
    "10.255.255.255",
    "10.1",
    "167772161",
    "0xa000001",
    "012.0.0.1",
    "172.16.0.1",
    "172.31.255.254",
    "0xac100001",
    "192.168.0.1",
    "192.168.1.254",
    "192.168.257",
    "3232235521",
    "0300.0250.0.1",
    "100.64.0.1",
    "100.127.255.254",
    "100.100.100.200",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.0.1",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "0xA9.0xFE.0xA9.0xFE",
    "169.254.43518",
    "169.16689662",
    "①⑥⑨.②⑤④.①⑥⑨.②⑤④",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "4294967295",
    "0xffffffff",
    "168.63.129.16",
    "internal.example",
    "metadata.google.internal",
    "mixed.example",
    "[fc00::1]",
    "[fd00::1]",
    "[fd00:ec2::254]",
    "[fdff:ffff::1]",
    "[fe80::1]",
    "[febf::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[ff0e::1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:192.168.0.1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::10.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b:1::1]",
    "[2002:a9fe:a9fe::]",
    "[2002:c0a8:101::1]",
    "[2002:a00:1::]",
    "[2001::1]",
    "[2001:db8::1]",
    "[2001:2::1]",
    "[2001:10::1]",
    "[2001:20::1]",
    "[3fff::1]",
    "[3fff:fff::1]",
    "[2620:4f:8000::1]",
    "[100::1]",
    "[5f00::1]",
    "[4000::1]",
    "[8000::1]",
    "[c000::1]",
    "[::2]",
]
OTHER_SCHEMES = [
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "FILE:///etc/passwd",
    "ftp://host.example/",
    "gopher://127.0.0.1:6379/_",
    "dict://127.0.0.1:11211/stat",
    "ldap://localhost/",
    "javascript:alert(1)",
    "data:text/html,hello",
    "blob:http://a.example/x",
    "ws://host.example/",
    "wss://host.example/",
    "view-source:http://host.example/",
    "jar:http://host.example!/",
    "about:blank",
    "tftp://host.example/x",
    "sftp://host.example/",
    "mailto:a@b.example",
    "urn:isbn:1",
    "unix:/run/docker.sock",
    "http+unix://%2Frun%2Fdocker.sock/info",
    "netdoc:///etc/passwd",
    "vbscript:x",
    "chrome://settings",
    "ssh://host.example",
]
BROKEN = [
    "",
    " ",
    "/relative",
    "//host.example/",
    "host.example",
    "http://",
    "http:///",
    "http://[::1",
    "http://[::1%25lo]/",
    "http://[fe80::1%25eth0]/",
    "http://127.0.0.1%00.host.example/",
    "http://host.example\x00.evil/",
    "http://a b/",
    "http://256.256.256.256/",
    "http://1.2.3.4.5/",
    "http://host.example:65536/",
    "http://host.example:port/",
    "http://ex%41mple%2f@/",
    "http://\udcff.example/",
    "http://xn--/",
]
PORTS_REFUSED = ["host.example:22", "host.example:6379", "host.example:8080", "host.example:0"]
CREDENTIALS = [
    "http://user@host.example/",
    "http://user:secret@host.example/",
    "http://:secret@host.example/",
    "http://host.example@127.0.0.1/",
    "http://127.0.0.1@host.example/",
    "https://host.example%2f@other.example/",
]
NAMES = {
    "localhost": ["127.0.0.1", "::1"],
    "localhost.localdomain": ["127.0.0.1"],
    "ip6-localhost": ["::1"],
    "ip6-loopback": ["::1"],
    "app.localhost": ["127.0.0.1"],
    "a.b.localhost": ["::1"],
    "internal.example": ["10.1.2.3"],
    "metadata.google.internal": ["169.254.169.254"],
    "mixed.example": ["93.184.216.34", "127.0.0.1"],
    "public.example": ["93.184.216.34", "2606:4700::1111"],
}
VECTORS = (
    [f"http://{host}:{{port}}/" for host in LOOPBACK_HOSTS + PRIVATE_HOSTS]
    + OTHER_SCHEMES
    + [url for url in BROKEN if "{" not in url]
    + [f"http://{host}/" for host in PORTS_REFUSED]
    + CREDENTIALS
    + ["http:\\\\127.0.0.1:{port}\\", "http:127.0.0.1:{port}", "ht\ntp://127.0.0.1:{port}/"]
    + ["\t http://127.0.0.1:{port}/ ", "http://\t127.0.0.1:{port}/", "http:/127.0.0.1:{port}/x"]
    + ["http://127.0.0.1:{port}#@public.example/", "http://127.0.0.1:{port}?@public.example/"]
)


def lookup(host: str) -> list[str]:
    """Names of the table, and numeric hosts as C libraries read them."""
    name = host.rstrip(".").lower()
    if name in NAMES:
        return NAMES[name]
    return [socket.inet_ntoa(socket.inet_aton(name))]


async def resolve(host: str) -> list[str]:
    return lookup(host)


def test_table_is_long_enough() -> None:
    assert len(set(VECTORS)) >= 150


@pytest.mark.parametrize("vector", VECTORS)
def test_url_is_refused(vector: str) -> None:
    policy = EgressPolicy(user_agent=USER_AGENT, allow_ports=frozenset({80, 443, 8123}))

    assert not admissible(vector.replace("{port}", "8123"), lookup, policy)


@pytest.mark.parametrize("vector", VECTORS)
def test_no_vector_is_asked_by_the_way_to_a_model(vector: str) -> None:
    only = only_server("http://model.test:11434", {})
    policy = EgressPolicy(user_agent=USER_AGENT, only=only)
    with pytest.raises(FetchError):
        check_url(vector, policy)


async def test_no_vector_reaches_a_listener_on_this_machine() -> None:
    async with origin_server() as canary:
        canary.answers["/"] = reply(b"secret")
        policy = EgressPolicy(user_agent=USER_AGENT, allow_ports=frozenset({80, 443, canary.port}))
        async with open_client(policy, resolve) as client:
            for vector in VECTORS:
                with pytest.raises(FetchError):
                    await client.get(vector.replace("{port}", str(canary.port)), limits=LIMITS)
    assert canary.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://public.example/",
        "HTTPS://Public.Example:443/feed?a=b#c",
        "http://93.184.216.34/",
        "http://[2606:4700::1111]/",
        "http://0x5db8d822/",
        "http://public.example:80/%2e%2e/@x:y",
        "http://public.example//double//slash",
        "https://public.example/a b",
    ],
)
def test_public_url_passes(url: str) -> None:
    assert admissible(url, lookup)


@pytest.mark.shared
def test_shared_vectors_are_all_judged_right() -> None:
    scorer = Path(__file__).parents[3] / "shared" / "eval" / "score_ssrf.py"
    if not scorer.is_file():
        pytest.skip("the evaluation data is not beside the repository")
    command = [sys.executable, str(scorer), "--fn", "ctiscraper.http:admissible", "--path", "src"]
    scored = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    ).stdout
    counts = re.findall(r"(\w+) (\d+)/(\d+)", scored)

    assert {name for name, *_ in counts} == {"wpt", "patt", "opml", "invalid"}
    assert [(name, right) for name, right, of in counts if right != of] == []


def test_target_is_in_normal_form() -> None:
    target = check_url("HTTPS://Bücher.Example:443/a/../b c?q=ü#frag", POLICY)

    assert target.href == "https://xn--bcher-kva.example/b%20c?q=%C3%BC"
    assert (target.host, target.port, target.path) == (
        "xn--bcher-kva.example",
        443,
        "/b%20c?q=%C3%BC",
    )
    assert target.origin == "https://xn--bcher-kva.example"


def test_relative_location_is_joined() -> None:
    target = check_url("../c?d", POLICY, base="http://host.example/a/b/")

    assert target.href == "http://host.example/a/c?d"


def test_authority_names_an_unusual_port_and_brackets() -> None:
    policy = EgressPolicy(user_agent=USER_AGENT, allow_ports=frozenset({8080}))

    assert check_url("http://host.example:8080/", policy).authority == "host.example:8080"
    assert check_url("http://[2606:4700::1111]:8080/", policy).authority == "[2606:4700::1111]:8080"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", Reason.URL_INVALID),
        ("http://host.example/" + "a" * 4096, Reason.URL_TOO_LONG),
        ("http://host.example/" + "ä" * 1000, Reason.URL_TOO_LONG),
        ("ftp://host.example/", Reason.SCHEME_REFUSED),
        ("http://a:b@host.example/", Reason.URL_INVALID),
        (f"http://{'a' * 60}{'.a' * 97}/", Reason.URL_INVALID),
        ("http://host.example:25/", Reason.PORT_REFUSED),
        ("http://10.0.0.1/", Reason.ADDRESS_REFUSED),
    ],
)
def test_refusal_names_its_reason_and_is_final(url: str, reason: Reason) -> None:
    with pytest.raises(FetchError) as caught:
        check_url(url, POLICY)

    assert caught.value.reason is reason
    assert caught.value.scope is Scope.ITEM
    assert not caught.value.transient


def test_refusal_of_credentials_repeats_no_secret() -> None:
    with pytest.raises(FetchError) as caught:
        check_url("http://user:hunter2@host.example/", POLICY)

    assert "hunter2" not in str(caught.value) + caught.value.url


def test_operator_opens_a_network_and_no_more() -> None:
    policy = EgressPolicy(
        user_agent=USER_AGENT, allow_networks=(ipaddress.ip_network("10.20.0.0/16"),)
    )

    assert is_allowed_address("10.20.1.1", policy)
    assert is_allowed_address("::ffff:10.20.1.1", policy)
    assert not is_allowed_address("10.21.0.1", policy)
    assert not is_allowed_address("127.0.0.1", policy)


@pytest.mark.parametrize(
    "network",
    [
        "169.254.0.0/16",
        "169.254.169.254/32",
        "169.0.0.0/8",
        "0.0.0.0/0",
        "fd00:ec2::/32",
        "fd00:ec2::254/128",
        "fc00::/7",
        "::/0",
    ],
)
def test_metadata_networks_can_never_be_allowed(network: str) -> None:
    with pytest.raises(SettingsError, match=r"^CTISCRAPER_EGRESS_ALLOW_CIDRS: .* never be allowed"):
        EgressPolicy(user_agent=USER_AGENT, allow_networks=(ipaddress.ip_network(network),))


@pytest.mark.parametrize(
    "address",
    ["64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::ffff:169.254.169.254", "::169.254.169.254"],
)
def test_wrapped_metadata_is_refused_in_an_opened_network(address: str) -> None:
    networks = tuple(
        ipaddress.ip_network(net) for net in ("64:ff9b::/96", "2002::/16", "::/64", "::ffff:0:0/96")
    )
    policy = EgressPolicy(user_agent=USER_AGENT, allow_networks=networks)

    assert is_allowed_address("64:ff9b::5db8:d822", policy)
    assert not is_allowed_address(address, policy)


@pytest.mark.parametrize(
    "mapping",
    ["127.0.0.1", "127.0.0.1:8080", "169.254.169.254", "nowhere", "1.2.3.4:port", "[::1]:80"],
)
def test_host_map_must_lead_to_allowed_addresses(mapping: str) -> None:
    with pytest.raises(SettingsError, match=r"^CTISCRAPER_EGRESS_HOST_MAP: site\.example: "):
        EgressPolicy(user_agent=USER_AGENT, host_map={"site.example": mapping})


def test_host_map_gives_address_and_port() -> None:
    policy = EgressPolicy(
        user_agent=USER_AGENT,
        allow_networks=(LOOPBACK, ipaddress.ip_network("::1/128")),
        host_map={"a.example": "127.0.0.1", "b.example": "127.0.0.1:81", "c.example": "[::1]:82"},
    )

    assert policy.mapped("a.example") == (ipaddress.ip_address("127.0.0.1"), None)
    assert policy.mapped("b.example.") == (ipaddress.ip_address("127.0.0.1"), 81)
    assert policy.mapped("c.example") == (ipaddress.ip_address("::1"), 82)
    assert policy.mapped("d.example") is None


@pytest.mark.parametrize("proxy", ["socks5://proxy.example/", "proxy.example:3128", ""])
def test_proxy_must_be_http(proxy: str) -> None:
    with pytest.raises(SettingsError, match=r"^CTISCRAPER_PROXY: .* http://host:port$"):
        EgressPolicy(user_agent=USER_AGENT, proxy=proxy)


@given(st.text())
@example("http://\ud800/")
@example("http://[::ffff:0:0]/")
def test_any_text_is_judged(url: str) -> None:
    try:
        target = check_url(url, POLICY)
    except FetchError:
        return
    assert target.scheme in {"http", "https"}
    assert check_url(target.href, POLICY) == target


@given(st.ip_addresses())
def test_no_address_of_a_special_block_is_allowed(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if is_allowed_address(address, POLICY):
        assert address.is_global
        assert not address.is_multicast


async def test_environment_proxies_are_ignored(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    origin.answers["/"] = reply(b"direct")
    async with open_client(origin.policy()) as client:
        page = await client.get("http://site.test/", limits=LIMITS)

    assert page.body == b"direct"
