"""Detection rules that a text prints whole, and queries."""

import pytest

from ctiscraper.enrich.kinds import Kind
from ctiscraper.enrich.observables import find_observables

RULES = frozenset((Kind.YARA, Kind.SIGMA, Kind.SNORT, Kind.QUERY))


def rules(text: str) -> list[tuple[Kind, str]]:
    return [(one.kind, one.value) for one in find_observables(text) if one.kind in RULES]


YARA = 'rule evil : apt {\n  strings:\n    $a = "}" \n  condition:\n    $a\n}'
SIGMA = (
    "title: Evil\nlogsource:\n  product: windows\n"
    "detection:\n  selection:\n    Image: x\n  condition: selection"
)
SNORT = 'alert tcp $HOME_NET any -> $EXTERNAL_NET 443 (msg:"evil"; sid:1000001; rev:1;)'
KQL = 'DeviceProcessEvents\n| where FileName =~ "evil.exe"\n| project Timestamp'


@pytest.mark.parametrize(
    ("kind", "rule"),
    [(Kind.YARA, YARA), (Kind.SIGMA, SIGMA), (Kind.SNORT, SNORT), (Kind.QUERY, KQL)],
)
def test_a_rule_is_found_whole(kind: Kind, rule: str) -> None:
    assert rules(f"Hunt with this:\n\n{rule}\n\nThe end.") == [(kind, rule)]


def test_a_query_ends_where_words_speak_of_the_next() -> None:
    first = "DeviceFileEvents\n| where SHA256 in (hashes)"
    second = 'DeviceNetworkEvents\n| where RemoteIP in("192.0.2.1")\n| take 3'
    text = f"{first}\nRequests of the bot\nThis query finds what it asks for.\n{second}\n\nEnd."
    assert rules(text) == [(Kind.QUERY, first), (Kind.QUERY, second)]


@pytest.mark.parametrize(
    "query",
    [
        "| tstats count where index=win\nAND EventCode IN (1, 3)\nBY host\n| sort count",
        "index=win EventCode=1 | search Image=*x.exe\nAND NOT User IN (SYSTEM, admin)\n| stats c",
        "DeviceProcessEvents\n| where\nProcessCommandLine has 'encodedcommand'\n| take 5",
        "DeviceProcessEvents\n| summarize by\nDeviceName and User and Time\n| take 5",
    ],
)
def test_a_line_of_a_query_does_not_end_it(query: str) -> None:
    assert rules(f"{query}\n\nThe end.") == [(Kind.QUERY, query)]


def test_what_is_no_whole_rule_is_none() -> None:
    assert not rules("The rule of law {")
    assert not rules("title: A report\nby someone")
    assert not rules("alert tcp the admin (now)")
