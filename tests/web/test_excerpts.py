"""The words that something rests on, with what stands around them."""

from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.detect.drafted import Quotation
from ctiscraper.web.excerpts import AROUND, excerpts

TEXT = f"{'before ' * 40}\n\n\n  whoami /all was run.\n\n\n\n{'behind ' * 40}"


def quotation(words: str, item: str = "item", text: str = TEXT) -> Quotation:
    start = text.index(words)
    return Quotation(item=item, quote=words, start=start, end=start + len(words))


def test_the_words_are_marked_among_whole_words_without_empty_lines() -> None:
    [one] = excerpts(TEXT, [quotation("/all", "two"), quotation("whoami", "one")])
    assert [piece for piece, marked in one.pieces if marked] == ["whoami", "/all"]
    shown = "".join(piece for piece, _ in one.pieces)
    assert "\n\n" not in shown
    assert shown.startswith("\u2026 before")
    assert shown.endswith("behind \u2026")
    assert (one.items, one.found) == (("one", "two"), True)


def test_places_that_overlap_are_marked_once_and_those_far_apart_are_two() -> None:
    text = "one two three" + " x" * AROUND * 2 + " four"
    found = excerpts(text, [quotation(one, text=text) for one in ("one two", "two three", "four")])
    assert [[p for p, marked in one.pieces if marked] for one in found] == [
        ["one two three"], ["four"],
    ]  # fmt: skip


def test_words_that_a_revision_took_away_are_told() -> None:
    gone = Quotation(item="item", quote="whoami", start=0, end=6)
    [one] = excerpts("another text", [gone])
    assert (one.found, one.pieces) == (False, (("whoami", True),))


@given(st.text(max_size=80), st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80))))
def test_what_is_marked_is_the_evidence(text: str, places: list[tuple[int, int]]) -> None:
    evidence = [
        Quotation(item="x", quote=text[start:end], start=start, end=end) for start, end in places
    ]
    for one in excerpts(text, evidence):
        assert one.items == ("x",)
        assert any(marked for _, marked in one.pieces) or not one.found
