"""The way to one server that the operator named, and to nothing else."""

from dataclasses import replace

import pytest

from ctiscraper.errors import FetchError, Reason, SettingsError
from ctiscraper.http import (
    EgressPolicy,
    FetchLimits,
    check_url,
    is_allowed_address,
    only_server,
)
from ctiscraper.models.reach import reach
from loopback import USER_AGENT, open_client, origin_server, reply

LIMITS = FetchLimits(max_bytes=1000, seconds=5)


def policy(url: str, **host_map: str) -> EgressPolicy:
    """The policy for a server of models at this address."""
    return reach(url, user_agent=USER_AGENT, host_map=host_map)


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("http://127.0.0.1:11434", True),
        ("http://[::1]:11434", True),
        ("http://[::ffff:10.0.0.9]:11434", True),
        ("http://10.2.3.4:11434", True),
        ("http://100.64.0.7", True),
        ("http://[fd12::1]:8080/v1", True),
        ("http://ollama:11434", True),
        ("http://OLLAMA.:11434", True),
        ("http://localhost:11434", True),
        ("http://ollama.cti-scraper.internal:11434", True),
        ("http://gpu.local", True),
        ("http://gpu.home.arpa", True),
        ("https://api.example.com/v1", False),
        ("https://internal.example.com", False),
        ("https://local.example", False),
        ("http://9.9.9.9:11434", False),
        ("http://[2606:4700::1]:11434", False),
        ("http://0x09090909:11434", False),
    ],
)
def test_near_is_what_public_networks_do_not_have(url: str, private: bool) -> None:
    assert only_server(url, {}).private is private


def test_a_name_that_the_operator_maps_is_where_he_says() -> None:
    assert only_server("https://llm.example.com", {"llm.example.com": "10.0.0.8:8443"}).private
    assert not only_server("http://ollama", {"ollama": "9.9.9.9"}).private


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254",
        "http://[::ffff:169.254.169.254]",
        "http://[fd00:ec2::254]",
        "http://2852039166/latest",
        "http://user:secret@ollama:11434",
        "ftp://ollama",
        "http://ollama:99999",
        "ollama",
    ],
)
def test_what_can_be_no_server_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="CTISCRAPER_MODEL_URL") as caught:
        policy(url)
    assert "secret" not in str(caught.value)


def test_nothing_but_that_server_is_asked() -> None:
    held = policy("http://127.0.0.1:11434/base")
    assert check_url("http://127.0.0.1:11434/api/chat", held).port == 11434
    for url in (
        "http://127.0.0.1:11435/",
        "https://127.0.0.1:11434/",
        "http://127.0.0.2:11434/",
        "http://[::1]:11434/",
        "http://localhost:11434/",
        "http://10.0.0.1:11434/",
        "http://9.9.9.9/",
        "http://example.com/",
        "http://2130706434:11434/",
        "http://0x7f.0.0.2:11434/",
        "http://127.0.0.1:11434@10.0.0.1/",
        "http://169.254.169.254:11434/",
        "file:///etc/passwd",
    ):
        with pytest.raises(FetchError) as caught:
            check_url(url, held)
        assert caught.value.reason in {
            Reason.ADDRESS_REFUSED,
            Reason.URL_INVALID,
            Reason.SCHEME_REFUSED,
        }, url


def test_a_near_server_is_at_near_addresses_alone() -> None:
    near, far = policy("http://ollama:11434"), policy("https://api.example.com")
    assert is_allowed_address("10.0.0.3", near)
    assert is_allowed_address("::1", near)
    assert not is_allowed_address("9.9.9.9", near)
    assert is_allowed_address("9.9.9.9", far)
    assert is_allowed_address("10.0.0.3", far)
    for held in (near, far):
        assert not is_allowed_address("169.254.169.254", held)
        assert not is_allowed_address("::ffff:169.254.170.2", held)


async def test_a_near_name_that_leads_far_is_not_followed() -> None:
    async def resolve(host: str) -> list[str]:
        return {"ollama": ["9.9.9.9"]}[host]

    async with open_client(policy("http://ollama:11434"), resolve) as client:
        with pytest.raises(FetchError) as caught:
            await client.get("http://ollama:11434/api/version", limits=LIMITS)
    assert caught.value.reason is Reason.ADDRESS_REFUSED


async def test_what_is_let_out_for_the_model_is_let_out_for_nobody_else() -> None:
    async with origin_server() as origin:
        origin.answers["/api/version"] = reply(b"{}")
        url = f"http://127.0.0.1:{origin.port}/api/version"
        async with open_client(policy(url)) as client:
            assert (await client.get(url, limits=LIMITS)).status == 200
        collecting = EgressPolicy(user_agent=USER_AGENT, allow_ports=frozenset({origin.port}))
        async with open_client(collecting) as client:
            with pytest.raises(FetchError) as caught:
                await client.get(url, limits=LIMITS)
        assert caught.value.reason is Reason.ADDRESS_REFUSED
        assert origin.count("/api/version") == 1


def test_only_what_is_far_goes_through_the_proxy() -> None:
    proxy = "http://proxy.example:3128"
    near = reach("http://ollama:11434", user_agent=USER_AGENT, proxy=proxy)
    far = reach("https://api.example.com", user_agent=USER_AGENT, proxy=proxy)
    assert (near.proxy, far.proxy) == (None, proxy)
    assert replace(far, proxy=None).only == far.only
