"""Hosts that a list or a column tells as URLs."""

import time

import pytest

from ctiscraper.enrich.endpoints import root_urls
from ctiscraper.enrich.kinds import Kind
from ctiscraper.enrich.observables import find_observables


def told(text: str, html: str = "") -> list[tuple[str, str]]:
    return [(o.value, o.listed) for o in find_observables(text, html) if o.listed]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "== C&C servers\n\n* `evil[.]com`\n* `1.2.3[.]4`\n",
            [("http://evil.com", "C&C servers"), ("http://1.2.3.4", "C&C servers")],
        ),
        (
            "== Network indicators (C&C servers)\n\n=== Loader\n- evil[.]com\n",
            [("http://evil.com", "Network indicators (C&C servers)")],
        ),
        (
            "It connects to these C2 servers:\n\n  1. evil[.]com\n  2. bad[.]net:8080\n",
            [
                ("http://evil.com", "It connects to these C2 servers"),
                ("http://bad.net:8080", "It connects to these C2 servers"),
            ],
        ),
        (
            "URLs\nhxxp://evil[.]com/a\n\nbad[.]net\n",
            [("http://bad.net", "URLs")],
        ),
        (
            "Hash | C&C URL | Domain\na.exe | evil[.]com | bad[.]net",
            [("http://evil.com", "C&C URL")],
        ),
        (
            "Type | Indicator\nC2 | 1.2.3[.]4:8443\nDomain | evil[.]com",
            [("http://1.2.3.4:8443", "C2")],
        ),
        (
            "- C2: evil[.]com\n- **URL:** bad[.]net\n- Domain: x[.]top",
            [("http://evil.com", "C2"), ("http://bad.net", "URL")],
        ),
        (
            "|===\n|Name |URL\n\n|===\n|Name |URL\n|x |`evil[.]com`\n|===",
            [("http://evil.com", "URL")],
        ),
    ],
)  # fmt: skip
def test_what_stands_over_a_host_tells_that_it_is_a_url(
    text: str, expected: list[tuple[str, str]]
) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "== Domains\n\n* evil[.]com\n",
        "== C2 domains\n\n* evil[.]com\n",
        "== C&C servers\n\n=== IP addresses\n\n* 1.2.3[.]4\n",
        "== C&C servers\n\n* evil[.]com was used in May\n",
        "== C&C servers\n\nThe group owns evil[.]com.\n",
        "= Analysis of a C2 framework\n\n== Traces\n\n* evil[.]com\n",
        "== C&C servers\n\n* evil[.]com | 2024-05-01\n",
        "C2 IP | Domain\n1.2.3[.]4 | evil[.]com",
        "evil[.]com\nC2 servers",
        "The C2 is this: evil[.]com and more",
        "C2 domain: evil[.]com",
        "Note that the C2 server was seen again by others: evil[.]com",
    ],
)
def test_nothing_else_does(text: str) -> None:
    assert told(text) == []


def test_the_host_stays_what_it_is_and_the_url_has_its_place() -> None:
    text = "C2:\nevil[.]com:443\n"
    host, url = find_observables(text)
    assert (host.kind, host.value, text[host.start : host.end]) == (
        Kind.DOMAIN, "evil.com", "evil[.]com",
    )  # fmt: skip
    assert (url.kind, url.value, text[url.start : url.end]) == (
        Kind.URL, "http://evil.com:443", "evil[.]com:443",
    )  # fmt: skip
    assert url.defanged


def test_headings_of_the_markup_count() -> None:
    text = "Infrastructure\n\nCommand and Control\n\nevil[.]com\n\nbad[.]net\n\nDomains\n\nx[.]top"
    html = (
        "<h2>Infrastructure</h2><h3>Command and Control</h3><p>evil[.]com</p><p>bad[.]net</p>"
        "<h3>Domains</h3><p>x[.]top</p>"
    )
    assert told(text, html) == [
        ("http://evil.com", "Command and Control"),
        ("http://bad.net", "Command and Control"),
    ]


@pytest.mark.parametrize("unit", ["a.top\n", "|a.top", "* a.top |\n\n", "C2\na.top\n", "\n"])
def test_lists_take_time_by_their_length_alone(unit: str) -> None:
    def cpu(size: int) -> float:
        text = "C2:\n" + unit * (size // len(unit))
        began = time.process_time()
        find_observables(text)
        return time.process_time() - began

    cpu(1000)
    small = min(cpu(20_000) for _ in range(3))
    assert min(cpu(160_000) for _ in range(2)) < max(small, 0.002) * 8 * 4


def test_a_host_that_stands_alone_may_be_told_as_a_url() -> None:
    hosts = find_observables("evil[.]com, 1.2.3[.]4 and http://evil.com/x")
    assert [(o.value, o.start, o.defanged) for o in root_urls(hosts)] == [
        ("http://evil.com", 0, True),
        ("http://1.2.3.4", 12, True),
    ]


def test_what_a_list_tells_as_a_url_is_not_told_again() -> None:
    hosts = find_observables("C2:\nevil[.]com\n\nAnd bad[.]net was seen.")
    assert [o.value for o in root_urls(hosts)] == ["http://bad.net"]
