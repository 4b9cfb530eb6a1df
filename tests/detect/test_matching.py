"""Rules against events, by what Sigma's specification says of values and conditions."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.detect.matching import atoms_of, matcher_of
from ctiscraper.detect.reading import read_rule
from ctiscraper.detect.writing import Parts, escaped, write_rule
from ctiscraper.errors import InputError

LINE = r'"C:\Tools\Run.exe" -Enc SQBFAFgA /quiet "a b"'


def rule(detection: str) -> str:
    return f"title: A rule\nlogsource:\n  category: process_creation\ndetection:\n{detection}\n"


def selects(item: str) -> str:
    return rule(f"  selection:\n    {item}\n  condition: selection")


def matches(text: str, **fields: str) -> bool:
    return matcher_of(read_rule(text))(fields)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("CommandLine|contains: run.EXE", True),
        ("CommandLine|contains: [nothing, quiet]", True),
        ("CommandLine|contains|all: [quiet, enc]", True),
        ("CommandLine|contains|all: [quiet, nothing]", False),
        ("CommandLine|startswith: '\"C:\\Tools'", True),
        ("CommandLine|startswith: 'Tools'", False),
        ("CommandLine|endswith: 'a b\"'", True),
        ("CommandLine|contains|cased: 'run.exe'", False),
        ("CommandLine|contains|cased: 'Run.exe'", True),
        ("CommandLine: '*Run.exe*quiet*'", True),
        ("CommandLine: '*Run?exe*'", True),
        ("CommandLine|contains: 'Run\\*exe'", False),
        ("CommandLine|re: '-[Ee]nc\\s+[A-Za-z0-9+/]{8}'", True),
        ("CommandLine|re: '-enc\\s'", False),
        ("CommandLine|re|i: '-enc\\s'", True),
        ("CommandLine|contains|windash: ' -quiet'", True),
        ("CommandLine|base64|contains: nothing", False),
        ("CommandLine|wide|base64offset|contains: 'IEX'", True),
        ("Other|contains: quiet", False),
        ("Other: null", True),
        ("Other|exists: false", True),
        ("CommandLine|exists: true", True),
    ],
)
def test_values_of_command_lines(item: str, *, expected: bool) -> None:
    assert matches(selects(item), CommandLine=LINE) is expected


@pytest.mark.parametrize(
    ("item", "field", "expected"),
    [
        ("Field|cidr: 203.0.113.0/24", "203.0.113.7", True),
        ("Field|cidr: 203.0.113.0/24", "198.51.100.7", False),
        ("Field|cidr: 2001:db8::/32", "2001:db8::5", True),
        ("Field|cidr: 203.0.113.0/24", "no address", False),
        ("Field: 4698", "4698", True),
        ("Field: 4698", "4699", False),
        ("Field: 4698", "word", False),
        ("Field|gte: 10", "10", True),
        ("Field|lt: 10", "10", False),
        ("Field|gt: 10", "word", False),
        ("Field: true", "True", True),
        ("Field: ''", "", True),
        (r"Field: 'a\\b'", r"a\b", True),
    ],
)
def test_values_of_other_fields(item: str, field: str, *, expected: bool) -> None:
    assert matches(selects(item), Field=field) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("one and two", False),
        ("one or two", True),
        ("one and not two", True),
        ("not (one or two)", False),
        ("1 of o*", True),
        ("all of them", False),
        ("1 of them and not two", True),
    ],
)
def test_conditions(condition: str, *, expected: bool) -> None:
    text = rule(
        "  one:\n    A: x\n  two:\n    A: y\n  condition: " + condition,
    )
    assert matches(text, A="x") is expected


def test_keywords_stand_in_any_field() -> None:
    text = rule("  words:\n    - quiet\n    - loud\n  condition: words")
    assert matches(text, A="so Quiet here")
    assert not matches(text, A="nothing")


def test_lists_of_maps_are_choices() -> None:
    text = rule("  selection:\n    - A: x\n      B: y\n    - C: z\n  condition: selection")
    assert matches(text, A="x", B="y")
    assert not matches(text, A="x")
    assert matches(text, C="z")


def test_a_field_may_be_held_against_another() -> None:
    text = selects("A|fieldref: B")
    assert matches(text, A="x", B="X")
    assert not matches(text, A="x", B="y")
    assert not matches(text, A="x")


def test_an_expression_that_hangs_others_takes_no_time() -> None:
    started = time.monotonic()
    assert not matches(selects("A|re: '(a+)+b'"), A="a" * 50_000)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("item", ["A|re: '(?=x)y'", r"A|re: '(a)\1'", "A|expand: '%name%'"])
def test_what_cannot_be_tried_is_told(item: str) -> None:
    with pytest.raises(InputError):
        matcher_of(read_rule(selects(item)))


def test_atoms_are_what_is_looked_for_and_not_what_is_left_out() -> None:
    text = rule(
        "  selection:\n    A|contains|all: [one, two]\n    B|endswith: '\\three'\n"
        "  filter:\n    A: four\n  condition: selection and not filter"
    )
    assert atoms_of(read_rule(text)) == ("one", "two", "\\three")


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_an_escaped_value_matches_itself_within_anything(
    value: str, before: str, after: str
) -> None:
    parts = Parts(
        title="A",
        description="B",
        logsource={"category": "process_creation"},
        detection={"selection": {"A|contains": escaped(value)}, "condition": "selection"},
        tags=(),
        level="low",
        falsepositives=("none",),
    )
    text = write_rule(
        parts, id="b5e7c1d2-0000-4000-8000-000000000001", url="", author="x", day="2026-11-20"
    )
    assert matches(text, A=before + value + after)
