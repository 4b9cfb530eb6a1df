"""The kinds of things in words, in groups, and each with a switch."""

from pathlib import Path

import pytest

from ctiscraper.enrich.kinds import Kind
from ctiscraper.intelligence import Name
from ctiscraper.web.kind_words import (
    GROUPS,
    NOT_JUDGED,
    kind_group,
    kind_order,
    kind_words,
    spelled,
)

STYLE = Path(__file__).parents[2] / "src" / "ctiscraper" / "web" / "static" / "intelligence.css"
KINDS = [*(kind.value for kind in Kind if kind is not Kind.ATTACK), *(name.value for name in Name)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_words_a_group_and_a_switch(kind: str) -> None:
    group = kind_group(kind)
    assert group != "other"
    assert kind_words(kind) != kind.replace("_", " ").capitalize() or kind in {
        "domain", "mutex", "query", "malware", "ransomware", "tool", "sector", "country", "vendor",
        "product", "file_name", "file_path", "registry_key", "command_line", "user_agent",
    }  # fmt: skip
    style = STYLE.read_text("utf-8")
    off = f':root:has([data-switch="{kind}"]:not(:checked)) mark.m[data-kind="{kind}"]'
    assert off in style
    assert f'mark[data-group="{group}"]' in style


def test_a_kind_from_the_future_is_shown_by_its_name_behind_the_others() -> None:
    assert kind_words("smoke_signal") == "Smoke signal"
    assert kind_group("smoke_signal") == "other"
    assert kind_order("smoke_signal") == sum(len(group.kinds) for group in GROUPS)


def test_names_are_not_judged() -> None:
    assert {name.value for name in Name} == NOT_JUDGED


@pytest.mark.parametrize(
    ("words", "told"),
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
def test_words_of_no_kind_are_defanged_where_they_are_an_address(words: str, told: str) -> None:
    assert spelled(words) == told
