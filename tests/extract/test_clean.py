import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.extract.clean import clean_line, clean_text, key_text, word_count

ANY = st.text(st.characters(), max_size=200)
MARKS = "\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u2022\xa0"
PROSE = st.text(st.sampled_from([*map(chr, range(128)), *MARKS]), max_size=200)


@given(ANY)
def test_clean_text_is_total_storable_and_idempotent(text: str) -> None:
    clean = clean_text(text)
    assert clean_text(clean) == clean
    clean.encode("utf-8")
    assert not [c for c in clean if unicodedata.category(c) == "Cc" and c not in "\t\n"]


@given(
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufeff"))
)
def test_other_characters_are_kept_as_they_came(text: str) -> None:
    assert clean_text(text) == text


def test_what_cannot_be_stored_is_removed_or_replaced() -> None:
    assert clean_text("a\0b\x07c\ud800d\r\ne\rf\tg\u2028h") == "abc\ufffdd\ne\nf\tg\nh"


def test_defanged_indicators_survive_byte_for_byte() -> None:
    text = "hxxp://evil[.]com/a  1.2.3[.]4 user[@]x C:\\x"
    assert clean_text(text) == text


def test_clean_line_is_one_line_within_its_limit() -> None:
    assert clean_line("  a\n\n b\u00a0 c ") == "a b c"
    assert clean_line("abcdef", 4) == "abc\u2026"


@given(ANY)
def test_keys_are_normalised_once_and_for_all(text: str) -> None:
    key = key_text(text)
    assert key_text(key) == key
    assert unicodedata.is_normalized("NFC", key)


def test_keys_of_composed_and_decomposed_names_are_equal() -> None:
    assert key_text("Caf\u00e9  Group") == key_text("cafe\u0301 GROUP") == "caf\u00e9 group"


def test_words_are_counted_also_without_spaces() -> None:
    assert word_count("One two-part hxxp://evil[.]com/x don't") == 4
    assert word_count("攻撃者はメールを送信") == 5
    assert word_count("") == 0


@given(PROSE)
def test_words_of_plain_prose_are_counted_as_all_are(text: str) -> None:
    words = re.findall(r"\w[\w'\u2019.:/\[\]@-]*", text)
    assert word_count(text) == len(words)
    assert word_count(f"{text} \u00e9") == len(words) + 1


@pytest.mark.parametrize("mark", MARKS)
def test_common_marks_are_part_of_no_word(mark: str) -> None:
    for form in ("NFC", "NFKC"):
        assert not re.search(r"\w", unicodedata.normalize(form, mark))


@given(ANY)
def test_a_line_is_the_clean_text_with_its_space_collapsed(text: str) -> None:
    assert clean_line(text) == re.sub(r"\s+", " ", clean_text(text)).strip()
