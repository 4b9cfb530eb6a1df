"""What changed between two texts, within bounds."""

import time

from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.web.changes import LINES_MOST, Changes, compare

LINES = st.lists(st.sampled_from(["a b", "a c", "d", "", "e f g"]), max_size=30)


def side(changes: Changes, kinds: set[str]) -> list[str]:
    return ["".join(s.text for s in line.spans) for line in changes.lines if line.kind in kinds]


def test_changed_words_are_marked_inside_their_lines() -> None:
    changes = compare("one\nthe old word\nend", "one\nthe new word\nend")
    assert (changes.added, changes.removed) == (1, 1)
    (removed,) = [line for line in changes.lines if line.kind == "removed"]
    assert [s.text for s in removed.spans if s.changed] == ["old"]


def test_equal_stretches_become_a_gap() -> None:
    same = "\n".join(f"line {n}" for n in range(50))
    changes = compare(f"{same}\nold", f"{same}\nnew")
    assert [line.kind for line in changes.lines] == ["gap", "same", "same", "removed", "added"]
    assert changes.lines[0].skipped == 48


@given(old=LINES, new=LINES)
def test_both_texts_can_be_read_from_the_changes(old: list[str], new: list[str]) -> None:
    changes = compare("\n".join(old), "\n".join(new))
    gaps = sum(line.skipped for line in changes.lines)
    before, after = "\n".join(old).splitlines(), "\n".join(new).splitlines()
    assert len(side(changes, {"same", "removed"})) + gaps == len(before)
    assert len(side(changes, {"same", "added"})) + gaps == len(after)
    if not gaps:
        assert side(changes, {"same", "removed"}) == before
        assert side(changes, {"same", "added"}) == after


def test_long_texts_are_compared_in_bounded_time() -> None:
    old = "\n".join(f"{n % 7} word" for n in range(20_000))
    new = "\n".join(f"{n % 11} word" for n in range(20_000)) + " x" * 100_000
    started = time.process_time()
    changes = compare(old, new)
    assert changes.cut
    assert len(changes.lines) <= 2 * LINES_MOST
    assert time.process_time() - started < 10
