"""Marked words found again: in the same text, among others, and not where they went."""

from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.enrich.quotes import find_again

WORDS = st.text(alphabet="ab c\n\té漢", max_size=40)
TEXT = "First the loader ran. Then the loader ran again, and the loader was removed."


def test_words_are_found_by_what_stands_around_them() -> None:
    second = TEXT.index("loader", 20)
    assert find_again(TEXT, "loader", before="Then the ", after=" ran again") == (
        second, second + 6
    )  # fmt: skip
    assert find_again(TEXT, "loader", start=second) == (second, second + 6)
    third = TEXT.rindex("loader")
    assert find_again(TEXT, "loader", before="and the ", start=0) == (third, third + 6)


def test_other_spaces_are_no_other_words() -> None:
    text = "A  loader\n  ran."
    assert find_again(text, "loader ran") == (3, 15)
    assert find_again("load er", "loader") == (0, 7)


def test_words_that_went_are_found_nowhere() -> None:
    assert find_again(TEXT, "dropper") is None
    assert find_again("", "loader") is None
    assert find_again(TEXT, " \n ") is None


@given(before=WORDS, quote=WORDS.filter(str.strip), after=WORDS, more=WORDS, end=WORDS)
def test_marked_words_survive_a_revision(
    before: str, quote: str, after: str, more: str, end: str
) -> None:
    """Whatever is put before and behind, the same words are found with what stood around them."""
    quote = quote.strip()
    text = f"{more}{before}{quote}{after}{end}"
    place = find_again(text, quote, before=before[-64:], after=after[:64], start=len(before))
    assert place is not None
    found = text[place[0] : place[1]]
    assert "".join(found.split()) == "".join(quote.split())
    assert found == found.strip()


@given(before=WORDS, quote=WORDS.filter(str.strip), after=WORDS)
def test_in_the_same_text_words_stand_where_they_stood(before: str, quote: str, after: str) -> None:
    quote = quote.strip()
    text = f"{before}{quote}{after}"
    place = find_again(text, quote, before=before[-64:], after=after[:64], start=len(before))
    assert place == (len(before), len(before) + len(quote))


@given(text=st.text(max_size=200), quote=st.text(min_size=1, max_size=5))
def test_what_is_found_is_what_was_looked_for(text: str, quote: str) -> None:
    place = find_again(text, quote)
    wanted = "".join(quote.split())
    if place is None:
        assert not wanted or wanted not in "".join(text.split())
    else:
        assert "".join(text[place[0] : place[1]].split()) == wanted
