"""What changed between two texts, within bounds."""

import asyncio
import random
import threading
import time
from collections.abc import Callable
from itertools import pairwise

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

import patience
from ctiscraper.web import changes as module
from ctiscraper.web.changes import LINES_MOST, PAIRS_MOST, Changes, Comparisons, compare_all
from web.shelf import Shelf

LINES = st.lists(
    st.sampled_from(["a b", "a c", "d", "", "e f g", ".,.,.,", ".;.;.;", ". , . ,"]), max_size=30
)


def compare(before: str, after: str, *, most: int = PAIRS_MOST) -> Changes:
    (changes,) = compare_all([(before, after)], most=most)
    return changes


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


def read_back(changes: Changes, before: list[str], after: list[str]) -> tuple[list[str], ...]:
    """Both texts as the changes tell them; what a gap leaves out must be the same in both."""
    was: list[str] = []
    now: list[str] = []
    for line in changes.lines:
        text = "".join(span.text for span in line.spans)
        if line.kind == "gap":
            left_out = before[len(was) : len(was) + line.skipped]
            assert left_out == after[len(now) : len(now) + line.skipped]
            was += left_out
            now += left_out
        if line.kind in {"same", "removed"}:
            was.append(text)
        if line.kind in {"same", "added"}:
            now.append(text)
    return was, now


@given(old=LINES, new=LINES, most=st.sampled_from([0, 10, 40, 200, 5_000_000]))
def test_both_texts_can_be_read_from_the_changes(old: list[str], new: list[str], most: int) -> None:
    changes = compare("\n".join(old), "\n".join(new), most=most)
    before, after = "\n".join(old).splitlines(), "\n".join(new).splitlines()
    assert read_back(changes, before, after) == (before, after)
    assert side(changes, {"removed"}) == side(changes, {"added"}) == [] or before != after


@given(old=LINES, new=LINES)
def test_changed_words_are_told_alike_on_both_sides(old: list[str], new: list[str]) -> None:
    lines = compare("\n".join(old), "\n".join(new)).lines
    for one, other in pairwise(lines):
        if (one.kind, other.kind) == ("removed", "added") and any(s.changed for s in one.spans):
            same = ["".join(s.text for s in line.spans if not s.changed) for line in (one, other)]
            assert same[0] == same[1]


def cpu_seconds(before: str, after: str) -> float:
    began = time.process_time()
    compare(before, after)
    return time.process_time() - began


def of_words(seed: int, *, changed: float = 0.0) -> str:
    """A hundred lines of a hundred words, the same each time but for the changed share."""
    same, other = random.Random(7), random.Random(seed)
    lines = []
    for _ in range(100):
        words = [f"w{int(same.paretovariate(0.4)) % 3000}" for _ in range(100)]
        lines.append(" ".join(f"x{n}" if other.random() < changed else n for n in words))
    return "\n".join(lines)


def of_few_lines(seed: int, different: int) -> str:
    chosen = random.Random(seed)
    return "\n".join(str(chosen.randrange(different)) for _ in range(LINES_MOST))


HOSTILE: dict[str, Callable[[], tuple[str, str]]] = {
    "marks": lambda: ("\n".join(["...," * 150] * 15), "\n".join(["...;" * 150] * 15)),
    "spaces": lambda: ("\n".join([" ., " * 150] * 15), "\n".join([" .; " * 150] * 15)),
    "two": lambda: ("\n".join([".," * 300] * 15), "\n".join([".;" * 300] * 15)),
    "7 lines": lambda: (of_few_lines(1, 7), of_few_lines(2, 7)),
    "100 lines": lambda: (of_few_lines(1, 100), of_few_lines(2, 100)),
    "180 lines": lambda: ("a\nb\nc\n" * 60, "a\nb\nd\n" * 60),
    "long lines": lambda: ("\n".join(["." * 20_000] * 2), "\n".join([".;" * 10_000] * 2)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_cost_little_more_than_an_article_edited_all_over(name: str) -> None:
    ordinary = min(cpu_seconds(of_words(1), of_words(1, changed=0.3)) for _ in range(3))
    before, after = HOSTILE[name]()
    assert max(len(before), len(after)) <= 1.1 * len(of_words(1, changed=0.3))
    assert cpu_seconds(before, after) < 5 * ordinary


def test_what_cost_too_much_is_changed_whole_and_told() -> None:
    before, after = HOSTILE["marks"]()
    changes = compare(f"one word\n{before}", f"other word\n{after}")
    assert changes.coarse
    assert (changes.added, changes.removed) == (16, 16)
    assert [s.text for s in changes.lines[0].spans if s.changed] == ["one"]
    *_, same, changed = changes.lines[-1].spans
    assert (same.text, changed.text) == ("...", ";" + "...;" * 149)


def test_an_edit_of_a_long_line_of_marks_is_found() -> None:
    line = "...," * 1_000
    changes = compare(f"{line}old{line}", f"{line}new{line}")
    assert not changes.coarse
    assert [s.text for s in changes.lines[0].spans if s.changed] == ["old"]
    assert compare("a" * 20_001, "b" * 20_001).coarse
    assert not compare(of_words(1), of_words(1, changed=0.1)).coarse


def test_texts_that_are_compared_together_cost_as_much_as_one() -> None:
    pair = HOSTILE["marks"]()
    began = time.process_time()
    compared = compare_all([pair] * 5)
    assert time.process_time() - began < 3 * cpu_seconds(*pair)
    assert all(one.coarse for one in compared)
    [first, other] = compare_all([("a", "a"), pair])
    assert (first.coarse, other.coarse) == (False, True)


async def test_one_comparison_goes_on_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    comparisons, going_on, seen = Comparisons(), threading.Event(), []
    at_work = 0

    def slow(texts: list[tuple[str, str]]) -> tuple[Changes, ...]:
        nonlocal at_work
        at_work += 1
        seen.append(at_work)
        going_on.wait(patience.SECONDS)
        at_work -= 1
        return compare_all(texts)

    async def is_begun() -> bool:
        return bool(seen)

    monkeypatch.setattr(module, "compare_all", slow)
    tasks = [asyncio.create_task(comparisons.one("a", "b")) for _ in range(4)]
    await patience.until(is_begun)
    # Who is gone leaves a thread at work, whose turn it is until it has ended.
    tasks[0].cancel()
    await asyncio.wait(tasks, timeout=0.1)
    assert seen == [1]
    going_on.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in done] == [asyncio.CancelledError, Changes, Changes, Changes]
    assert seen == [1, 1, 1, 1]


async def test_page_and_api_say_what_was_not_compared(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    before, after = HOSTILE["marks"]()
    hostile = shelf.article("hostile", text=after)
    shelf.revision(hostile, 1, before)
    calm = shelf.article("calm", text="the new word")
    shelf.revision(calm, 1, "the old word")
    for article, is_coarse in ((hostile, True), (calm, False)):
        told = (await client.get(f"/api/v1/articles/{article}/changes")).json()
        assert told["coarse"] == is_coarse
        page = (await client.get(f"/articles/{article}/changes")).text
        assert ("shown as changed whole" in page) == is_coarse


def test_of_long_texts_only_the_start_is_compared() -> None:
    old = "\n".join(f"{n % 7} word" for n in range(20_000))
    new = "\n".join(f"{n % 11} word" for n in range(20_000)) + " x" * 100_000
    changes = compare(old, new)
    assert changes.cut
    assert len(changes.lines) <= 2 * LINES_MOST
