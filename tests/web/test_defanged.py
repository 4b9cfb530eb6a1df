"""Values as pages show them."""

import pytest

from ctiscraper.web.defanged import defanged, spelled


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("domain", "www.evil.example", "www[.]evil[.]example"),
        ("ipv4", "10.0.0.1", "10[.]0[.]0[.]1"),
        ("cidr", "10.0.0.0/8", "10[.]0[.]0[.]0/8"),
        ("cidr", "2001:db8::/32", "2001[:]db8[:][:]/32"),
        ("ipv6", "2001:db8::1", "2001[:]db8[:][:]1"),
        ("url", "https://evil.example/a.b?c=d.e", "hxxps://evil[.]example/a.b?c=d.e"),
        ("url", "http://u:p@evil.example:8080/", "hxxp://u:p@evil[.]example:8080/"),
        ("url", "http://[2001:db8::1]/x", "hxxp://[2001[:]db8[:][:]1]/x"),
        ("url", "ftp://evil.example/http://other.example", "fxp://evil[.]example/http://other.example"),
        ("email", "a.b@evil.example", "a.b[@]evil[.]example"),
        ("email", "nobody", "nobody"),
        ("sha256", "a" * 64, "a" * 64),
        ("file_name", "a.exe", "a.exe"),
    ],
)  # fmt: skip
def test_addresses_cannot_be_opened_and_the_rest_stays(kind: str, value: str, shown: str) -> None:
    assert defanged(kind, value) == shown


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("http://evil.com/a.b", "hxxp://evil[.]com/a.b"),
        ("www.evil.com", "www[.]evil[.]com"),
        ("45.32.18.187", "45[.]32[.]18[.]187"),
        ("stage.exe", "stage.exe"),
        ("T1071.001", "T1071.001"),
        ("readme.md", "readme.md"),
        ("Windows 11.0.1 with evil.com", "Windows 11.0.1 with evil.com"),
        ("reg add HKLM\\Software", "reg add HKLM\\Software"),
    ],
)
def test_words_of_no_kind_are_defanged_where_they_are_an_address(words: str, shown: str) -> None:
    assert spelled(words) == shown
