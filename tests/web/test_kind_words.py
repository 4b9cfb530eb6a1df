"""The kinds of things in words, in groups, and each with a switch."""

from pathlib import Path

import pytest

from ctiscraper.enrich.kinds import Kind
from ctiscraper.intelligence import Name
from ctiscraper.web.kind_words import GROUPS, NOT_JUDGED, kind_group, kind_order, kind_words

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
