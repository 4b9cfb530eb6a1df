from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.extract.summary import first_sentences

TEXT = (
    "Overview\n\nThe loader was seen in March of this year, and it is small. It loads a library."
    " Then it waits for 3.5 hours! Nobody knows why.\n\nMore follows."
)


def test_whole_sentences_of_the_first_prose_are_taken() -> None:
    assert first_sentences(TEXT, 90) == (
        "The loader was seen in March of this year, and it is small. It loads a library."
    )


def test_a_long_sentence_is_cut() -> None:
    assert first_sentences("word " * 60, 30) == "word word word word word word\u2026"


def test_lists_and_short_texts_are_used_when_there_is_no_prose() -> None:
    assert first_sentences("- one\n- two", 50) == "- one - two"
    assert first_sentences("", 50) == ""


@given(st.text(max_size=300), st.integers(2, 100))
def test_the_limit_holds(text: str, limit: int) -> None:
    assert len(first_sentences(text, limit)) <= limit
