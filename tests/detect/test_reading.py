"""Rules that anybody may have written: bounded before anything is made of them."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.detect.reading import MOST_BYTES, read_rule
from ctiscraper.errors import InputError

RULE = """title: A rule
logsource:
  category: process_creation
detection:
  selection:
    CommandLine|contains: evil
  condition: selection
"""
LAUGHS = "a: &a [x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)},*{chr(97 + n)}]\n" for n in range(20)
)


def test_a_rule_is_read() -> None:
    assert read_rule(RULE).title == "A rule"


def test_dashes_may_be_spelt_in_every_way_where_they_are_few() -> None:
    few = RULE.replace("contains: evil", "windash|contains: ' -a-b-c-d-e-f -g -h -i -j'")
    assert read_rule(few).title == "A rule"
    assert read_rule(RULE.replace("contains: evil", "contains: ' -a -b -c -d -e -f'"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "fields with values"),
        ("- a\n- b", "fields with values"),
        ("title: [", "no YAML"),
        ("title: A\n", "no rule"),
        ("title: A\nlogsource: x\ndetection: y\n", "no rule"),
        (RULE + "---\n" + RULE, "one rule"),
        (LAUGHS, "no anchors"),
        (RULE.replace("contains: evil", "windash|contains: ' -a -b /c -d -e -f'"), "5 dashes"),
        (RULE.replace("contains: evil", "contains|windash: [x, [' -a -b -c -d -e -f']]"), "5 dash"),
        ("x: " + "[" * 100 + "]" * 100, "levels deep"),
        ("x: [" + "1," * 10_000 + "]", "values"),
        ("x: '" + "a" * MOST_BYTES + "'", "at most 64 KiB"),
        ("!!python/object/apply:os.system ['id']", "no YAML"),
        ("correlation:\n  type: event_count\n", "not taken"),
        ("title: \ud800", "no YAML"),
        ("title: \x00", "no YAML"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_reason(text: str, said: str) -> None:
    started = time.monotonic()
    with pytest.raises(InputError, match=said):
        read_rule(text)
    assert time.monotonic() - started < 2


@given(st.text(max_size=200))
def test_no_text_does_worse_than_being_refused(text: str) -> None:
    with suppress(InputError):
        read_rule(text)
