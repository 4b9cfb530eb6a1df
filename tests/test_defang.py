"""Addresses spelt so that none can be opened, read back by all that reads addresses."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctiscraper.db.search import word_forms
from ctiscraper.defang import defang, refanged, unbracketed
from ctiscraper.enrich.defang import refang
from ctiscraper.enrich.observables import find_observables


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("domain", "www.evil.example", "www[.]evil[.]example"),
        ("onion", f"{'a' * 56}.onion", f"{'a' * 56}[.]onion"),
        ("ipv4", "10.0.0.1", "10[.]0[.]0[.]1"),
        ("ipv6", "2001:db8::1", "2001[:]db8[:][:]1"),
        ("cidr", "10.0.0.0/8", "10[.]0[.]0[.]0/8"),
        ("cidr", "2001:db8::/32", "2001[:]db8[:][:]/32"),
        ("url", "https://evil.example/a.b?c=d.e", "hxxps://evil[.]example/a.b?c=d.e"),
        ("url", "HTTP://evil.example", "hxxp://evil[.]example"),
        ("url", "http://u.v:p@evil.example:8080/", "hxxp://u.v:p@evil[.]example:8080/"),
        ("url", "http://[2001:db8::1]:8080/x.y", "hxxp://[2001[:]db8[:][:]1]:8080/x.y"),
        ("url", "tcp://evil.example:443", "tcp://evil[.]example:443"),
        ("url", "ftp://evil.example/http://other.example", "fxp://evil[.]example/http://other.example"),
        ("email", "a.b@evil.example", "a.b[@]evil[.]example"),
        ("email", "nobody", "nobody"),
        ("sha256", "a" * 64, "a" * 64),
        ("file_name", "a.exe", "a.exe"),
        ("malware", "Agent.Tesla", "Agent.Tesla"),
    ],
)  # fmt: skip
def test_only_addresses_are_spelt_anew(kind: str, value: str, shown: str) -> None:
    assert defang(kind, value) == shown


_LABEL = st.from_regex(r"[a-z]{2}[a-z0-9-]{0,8}[a-z0-9]", fullmatch=True).filter(
    lambda label: "--" not in label
)
_DOMAIN = st.builds(
    lambda labels, ending: ".".join([*labels, ending]),
    st.lists(_LABEL, min_size=1, max_size=4),
    st.sampled_from(["com", "net", "org", "co.uk", "ru"]),
)
_ONION = st.from_regex(r"[a-z2-7]{56}\.onion", fullmatch=True)
_IPV4 = st.ip_addresses(v=4).map(str)
# A short one, `a::b`, is not told from a word of a program, plain or not.
_IPV6 = st.ip_addresses(v=6).map(str).filter(lambda host: host.count(":") > 3 and "." not in host)
_NETWORK4 = st.builds(lambda host, bits: f"{host}/{bits}", _IPV4, st.integers(0, 32))
_NETWORK6 = st.builds(lambda host, bits: f"{host}/{bits}", _IPV6, st.integers(0, 128))
_URL = st.builds(
    lambda scheme, host, port, path: f"{scheme}://{host}{port}{path}",
    st.sampled_from(["http", "https", "ftp", "ftps", "tcp"]),
    st.one_of(_DOMAIN, _ONION, _IPV4, _IPV6.map(lambda host: f"[{host}]")),
    st.sampled_from(["", ":8080", ":65535"]),
    st.from_regex(r"(?:/[a-z0-9_~-]{0,8}[a-z0-9]){0,3}(?:\?q=[a-z0-9]{1,6})?", fullmatch=True),
)
_EMAIL = st.builds(
    lambda local, host: f"{local}@{host}",
    st.from_regex(r"[a-z][a-z0-9_+-]{0,8}(?:\.[a-z0-9]{1,8}){0,2}", fullmatch=True),
    _DOMAIN,
)
_ADDRESSES = st.one_of(
    st.tuples(st.just("domain"), _DOMAIN),
    st.tuples(st.just("onion"), _ONION),
    st.tuples(st.just("ipv4"), _IPV4),
    st.tuples(st.just("ipv6"), _IPV6),
    st.tuples(st.just("cidr"), _NETWORK4 | _NETWORK6),
    st.tuples(st.just("url"), _URL),
    st.tuples(st.just("email"), _EMAIL),
)


@given(_ADDRESSES)
@example(("ipv6", "::ffff:ffff:fffa"))
def test_the_recognisers_read_back_what_is_shown(address: tuple[str, str]) -> None:
    shown = defang(*address)
    assert [(one.kind.value, one.value) for one in find_observables(shown)] == [address]


@given(_ADDRESSES)
def test_search_and_refanging_read_back_what_is_shown(address: tuple[str, str]) -> None:
    _, value = address
    shown = defang(*address)
    assert refanged(shown) == value
    assert value in word_forms(shown)
    assert refang(shown).partition("://")[2] == value.partition("://")[2]


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("hxxps://evil[.]example/a", "https://evil.example/a"),
        ("hXXp[://]evil(.)example", "http://evil.example"),
        ("h**p[:]//evil.example and fxp://evil.example",
         "http://evil.example and ftp://evil.example"),
        ("10.0.0[.]1", "10.0.0.1"),
        ("evil [dot] example", "evil.example"),
        ("me[at]evil[.]example", "me@evil.example"),
        ("a list [1] of (2) things {3}", "a list [1] of (2) things {3}"),
    ],
)  # fmt: skip
def test_addresses_of_a_text_are_refanged(written: str, plain: str) -> None:
    assert refanged(written) == plain


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("evil[.]example", "evil.example"),
        ("evil (dot) example", "evil.example"),
        ("me[at]evil{DOT}example", "me@evil.example"),
        ("hxxp[:]//evil[.]example and hxxp[://]evil[.]example",
         "hxxp://evil.example and hxxp://evil.example"),
        ("a list [1] of (2) things {3}", "a list [1] of (2) things {3}"),
        ("C:\\Users\\.ssh and [see it.]", "C:\\Users\\.ssh and [see it.]"),
    ],
)  # fmt: skip
def test_marks_are_taken_away_and_nothing_else(written: str, plain: str) -> None:
    assert unbracketed(written) == plain


@pytest.mark.parametrize("unit", ["[", "[.", "[:", "( ", "[.]", "a ", "hxx", "fxp:"])
def test_no_text_makes_it_slow(unit: str) -> None:
    began = time.process_time()
    refanged(unit * (500_000 // len(unit)))
    assert time.process_time() - began < 3
