"""What a search asks for, its indicators told apart."""

import pytest

from ctiscraper.asking import asked, understand
from ctiscraper.errors import SearchSyntaxError
from ctiscraper.query.tree import FieldName, Term


@pytest.mark.parametrize(
    ("typed", "thing"),
    [
        ("evil[.]example.com", ("domain", "evil.example.com")),
        ("10.1.2[.]3", ("ipv4", "10.1.2.3")),
        ("d41d8cd98f00b204e9800998ecf8427e", ("md5", "d41d8cd98f00b204e9800998ecf8427e")),
        ("CVE-2026-12345", ("cve", "CVE-2026-12345")),
        ("T1059", ("technique", "T1059")),
    ],
)
def test_an_indicator_is_told_by_its_look(typed: str, thing: tuple[str, str]) -> None:
    question = understand(f"words ioc:{typed}")
    assert question.things == {typed: (thing,)}
    assert question.text == f"words ioc:{typed}"


def test_what_looks_like_nothing_may_be_of_any_kind() -> None:
    things = understand('ioc:"My Mutex"').things["My Mutex"]
    assert {("mutex", "My Mutex"), ("mutex", "my mutex"), ("yara", "My Mutex")} <= set(things)


def test_nothing_asks_for_nothing() -> None:
    assert asked(None) is None
    assert asked("  ") is None
    question = asked("lang:en")
    assert question is not None
    assert question.tree == Term(FieldName.LANG, ":", "en")


def test_a_mistake_has_the_text_with_it() -> None:
    with pytest.raises(SearchSyntaxError) as caught:
        understand("words (")
    assert caught.value.text == "words ("
