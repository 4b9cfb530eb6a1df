"""YAML with lines: every value's place is known, bombs are refused unread."""

import pytest

from ctiscraper.collect.lined_yaml import Problem, read_lined_yaml


def test_each_value_has_its_line() -> None:
    document = read_lined_yaml("a:\n  - x\n  - b: 1\n\n    c: [p, q]\n")

    assert document.data == {"a": ["x", {"b": 1, "c": ["p", "q"]}]}
    assert document.line(("a",)) == 1
    assert document.line(("a", 0)) == 2
    assert document.line(("a", 1, "b")) == 3
    assert document.line(("a", 1, "c", 1)) == 5


def test_an_unknown_place_has_the_line_around_it() -> None:
    document = read_lined_yaml("a:\n  b: 1\n")

    assert document.line(("a", "b", 3, "z")) == 2
    assert document.line(("nowhere",)) == 1


@pytest.mark.timeout(5)
def test_an_alias_bomb_is_refused_unread() -> None:
    bomb = "a0: &a0 [x]\n" + "\n".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)
    )

    document = read_lined_yaml(bomb)

    assert document.data is None
    assert "anchor or alias" in document.problems[0].text


def test_a_twin_key_is_told_and_the_last_one_kept() -> None:
    document = read_lined_yaml("a: 1\nb: 2\na: 3\n")

    assert document.data == {"a": 3, "b": 2}
    assert document.problems == [Problem(("a",), "'a' stands twice; keep one of them")]
    assert document.line(("a",)) == 3


def test_a_key_is_kept_as_it_is_written() -> None:
    assert read_lined_yaml("on: 1\n<<: {x: 2}\n7: 3\n").data == {"on": 1, "<<": {"x": 2}, "7": 3}
