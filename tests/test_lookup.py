"""Values are understood in any spelling, and decisions made of them."""

import hashlib

import pytest

from ctiscraper.db.verdicts import Scope
from ctiscraper.errors import InputError
from ctiscraper.intelligence import Verdict
from ctiscraper.lookup import asked_of, named_in, to_decision, understood, values_in


@pytest.mark.parametrize(
    ("value", "thing"),
    [
        (" evil[.]org ", ("domain", "evil.org")),
        ("hxxps://evil[.]org/a", ("url", "https://evil.org/a")),
        ("203.0.113[.]9", ("ipv4", "203.0.113.9")),
        ("T1059.001", ("technique", "T1059.001")),
        ("evil.org and good.org", None),
        ("no observable", None),
    ],
)
def test_a_value_is_understood_where_it_is_one_thing(
    value: str, thing: tuple[str, str] | None
) -> None:
    assert understood(value) == thing


@pytest.mark.parametrize("number", range(40))
def test_plain_spellings_are_what_the_recognisers_say(number: int) -> None:
    """What is told by its spelling alone is told the same way by a closer look."""
    digest = hashlib.sha512(str(number).encode()).hexdigest()
    octets = hashlib.md5(str(number).encode(), usedforsecurity=False).digest()[:4]
    plain = [digest[:32], digest[:40], digest[:64], ".".join(map(str, octets))]
    assert [(kind, value) for _, kind, value in asked_of(plain)] == [
        understood(value) for value in plain
    ]


def test_a_text_names_things_by_the_kinds_they_are_stored_under() -> None:
    assert list(named_in("10[.]0.0.1 T1059 10.0.0.1")) == [
        ("10[.]0.0.1", "ipv4", "10.0.0.1"),
        ("T1059", "technique", "T1059"),
        ("10.0.0.1", "ipv4", "10.0.0.1"),
    ]


def test_values_keep_their_order_whatever_tells_them() -> None:
    given = ["evil[.]org", "10.1.2.3", "a name", "", "hxxp://evil[.]org/x"]
    assert list(asked_of(given)) == [
        ("evil[.]org", "domain", "evil.org"),
        ("10.1.2.3", "ipv4", "10.1.2.3"),
        ("a name", "", "a name"),
        ("hxxp://evil[.]org/x", "url", "http://evil.org/x"),
    ]


def test_a_list_has_a_value_a_line() -> None:
    assert values_in("# ours\n\n  evil[.]org \r\n203.0.113.9") == ["evil[.]org", "203.0.113.9"]


def test_a_domain_with_children_may_be_nobody_s_on_the_internet() -> None:
    made = to_decision("Corp.Internal.", Verdict.BENIGN, scope=Scope.DOMAIN)
    assert (made.kind, made.value) == ("domain", "corp.internal")


@pytest.mark.parametrize("value", ["no domain", "a..b", "", "x" * 300])
def test_what_is_no_domain_has_no_children(value: str) -> None:
    with pytest.raises(InputError, match="is no domain"):
        to_decision(value, Verdict.BENIGN, scope=Scope.DOMAIN)


def test_a_kind_that_is_told_goes_before_what_is_recognised() -> None:
    made = to_decision("evil.org", Verdict.BENIGN, kind="mutex")
    assert (made.kind, made.value) == ("mutex", "evil.org")
    same = to_decision("evil[.]org", Verdict.BENIGN, kind="domain")
    assert same.value == "evil.org"


def test_one_source_is_named_with_its_scope() -> None:
    made = to_decision("evil.org", Verdict.BENIGN, scope=Scope.SOURCE, source="acme")
    assert made.source_key == "acme"
    with pytest.raises(InputError, match="the source's key"):
        to_decision("evil.org", Verdict.BENIGN, source="acme")
