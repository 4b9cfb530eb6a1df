"""Addresses are spelt so that none can be followed, and are understood again."""

import pytest

from ctiscraper.enrich.observables import find_observables
from ctiscraper.share.defang import defang


@pytest.mark.parametrize(
    ("kind", "value", "spelt"),
    [
        ("ipv4", "203.0.113.9", "203[.]0[.]113[.]9"),
        ("ipv6", "2001:db8::1", "2001[:]db8[:][:]1"),
        ("domain", "evil.example.com", "evil[.]example[.]com"),
        ("email", "a.b@evil.com", "a[.]b[@]evil[.]com"),
        ("url", "https://evil.com/a.php?x=1.2", "hxxps://evil[.]com/a.php?x=1.2"),
        ("url", "ftp://evil.com", "fxp://evil[.]com"),
        ("url", "tcp://evil.com:443", "tcp://evil[.]com:443"),
        ("file_name", "evil.exe", "evil.exe"),
        ("malware", "Agent.Tesla", "Agent.Tesla"),
    ],
)
def test_only_addresses_are_defanged(kind: str, value: str, spelt: str) -> None:
    assert defang(kind, value) == spelt


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ipv4", "203.0.113.9"),
        ("domain", "evil.test-site.com"),
        ("email", "a.b@evil.com"),
        ("url", "https://evil.com/a.php?x=1.2"),
    ],
)
def test_what_is_defanged_is_understood_again(kind: str, value: str) -> None:
    assert [(one.kind.value, one.value) for one in find_observables(defang(kind, value))] == [
        (kind, value)
    ]
