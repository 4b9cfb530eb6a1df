"""Quotations are found where they stand, in any spelling that means the same, and nowhere else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.analysis.analysed import Quote
from ctiscraper.analysis.proof import LONGEST, Evidence, evidence, is_telling
from ctiscraper.analysis.shown import shown
from ctiscraper.defang import refanged

WORDS = st.text("abcdefghijklmnopqrstuvwxyzäöüßéABCDEFGH0123456789", min_size=1, max_size=9)
JUNK = st.sampled_from(["\u200b", "\u00ad", "\u2060", "\U000e0041", "\u202e", "\x00", "\ufe0f"])
SPACES = st.sampled_from([" ", "  ", "\n", "\u00a0", "\t", "\r\n", "\u2009"])


def of(text: str) -> Evidence:
    return evidence(text, shown(text).traced)


def found(text: str, quotation: str) -> str | None:
    quote = of(text).find(quotation)
    if quote is None:
        return None
    assert text[quote.start : quote.end] == quote.text
    return quote.text


@given(st.lists(st.tuples(WORDS, SPACES, st.lists(JUNK, max_size=3)), min_size=4), st.data())
def test_what_stands_in_a_text_is_found_however_it_is_set(
    parts: list[tuple[str, str, list[str]]], data: st.DataObject
) -> None:
    text = "".join(f"{word}{''.join(junk)}{space}" for word, space, junk in parts)
    first = data.draw(st.integers(0, len(parts) - 3))
    last = data.draw(st.integers(first + 2, len(parts)))
    words = [word for word, _, _ in parts[first:last]]
    wanted = " ".join(words)
    quote = found(text, wanted)
    if not is_telling(wanted):
        assert quote is None
        return
    assert quote is not None
    seen = re.sub("[\u200b\u00ad\u2060\U000e0041\u202e\x00\ufe0f]", "", quote)
    assert seen.split() == words


@given(st.lists(WORDS, min_size=3, max_size=30), st.lists(WORDS, min_size=3, max_size=8))
def test_what_does_not_stand_in_a_text_is_not_found(text: list[str], quote: list[str]) -> None:
    whole = of(" ".join(text))
    wanted = " ".join(quote)
    first = {wanted, f"{wanted[0].swapcase()}{wanted[1:]}"}
    inside = any(f" {one} " in f" {' '.join(text)} " for one in first)
    assert (whole.find(" ".join(quote)) is not None) == (inside and is_telling(" ".join(quote)))


@given(st.text(max_size=300), st.text(max_size=80))
def test_no_text_and_no_quotation_break_it(text: str, quotation: str) -> None:
    found(text, quotation)
    whole = of(text).find_whole(quotation)
    assert whole is None or text[whole.start : whole.end] == whole.text


@given(st.text(min_size=12, max_size=200))
def test_a_whole_text_proves_itself(text: str) -> None:
    whole = of(text).find_whole(text)
    seen = shown(text).text.strip()
    if len(seen) == len(text) and not set(text) & set("\"'") and seen:
        assert whole is None or whole == Quote(
            text[whole.start : whole.end], whole.start, whole.end
        )


@pytest.mark.parametrize(
    ("text", "quotation"),
    [
        ("It said \u201cwe don\u2019t know\u201d twice.", 'It said "we don\'t know" twice.'),
        ("A \u2013 long \u2014 story here", "A - long - story here"),
        ("from evil-site[.]example at night", "from evil-site.example at night"),
        ("from evil-site.example at night", "from evil-site[.]example at night"),
        ("hxxps://evil[.]example/a was used", "https://evil.example/a was used"),
        ("mail bob[@]evil(dot)example now", "mail bob@evil.example now"),
        ("the \ufb01le was \ufb01rst seen", "the file was first seen"),
        ("\uff46\uff55\uff4c\uff4c width letters here", "full width letters here"),
        ("run the p\u0430yload of today", "run the payload of today"),
        ("many   spaces\n\nand lines", "many spaces and lines"),
        ("certutil.exe", "certutil.exe"),
        ("able to log in again", "Able to log in again"),
        ("He said 'we know them' twice.", "He said 'we know them' twice."),
        ("攻撃者は病院を標的にした。", "攻撃者は病院を標的にした。"),
    ],
)
def test_other_spellings_are_the_same_words(text: str, quotation: str) -> None:
    assert found(text, quotation) == text


@pytest.mark.parametrize(
    ("text", "quotation"),
    [
        ("They were unable to log in again.", "able to log in again"),
        ("They were able to log in again.", "able to log in aga"),
        ("They were able to log in again.", "ABLE to log in again"),
        ("They did not log in to the server again.", "They did log in to the server again"),
        ("They came in, stole files and left.", "They came in ... and left"),
        ("The attacker was seen in the town.", "the"),
        ("The attacker was seen in the town.", "in the"),
        ("It was this that they had with them.", "was this that they had with them"),
        ("The attacker was seen.", ""),
        ("The attacker was seen.", " . "),
        ("The attacker was seen.", "\u200b\u200b\u200b\u200b"),
        ("word " * 500, "word " * 300),
        ("at 10.0.0.12 they stopped", "10.0.0.1"),
        ("Remote attackers can't execute code.", "Remote attackers can"),
        ("Remote attackers can\u2019t execute code.", "Remote attackers can"),
        ("Non-malicious files were found.", "malicious files were found"),
        ("The group is state-backed by some.", "The group is state"),
        ("It is fixed in version 7.4.2 of it.", "It is fixed in version 7.4"),
        ("It took 1,200 dollars from them.", "It took 1"),
        ("It runs my_calc.exe at all hours.", "calc.exe at all hours"),
        ("It talks to login.example.com.evil.test now.", "It talks to login.example.com"),
    ],
)
def test_what_is_no_quotation_is_not_found(text: str, quotation: str) -> None:
    assert found(text, quotation) is None


def test_a_dash_and_the_end_of_a_sentence_cut_no_word() -> None:
    text = "They left the town\u2014and came back to it.Then they stayed in 'the inn' of it."
    for words in (
        "They left the town",
        "and came back to it",
        "Then they stayed in",
        "stayed in 'the inn",
    ):
        assert found(text, words) == words


def test_no_quotation_reaches_over_what_is_hidden() -> None:
    text = "The bank was <!-- said somebody whom nobody reads --> attacked on Monday."
    assert found(text, "The bank was attacked on Monday") is None
    assert found(text, "attacked on Monday") == "attacked on Monday"


def test_a_quotation_has_a_longest_length() -> None:
    text = "ab " * LONGEST
    assert found(text, text[: LONGEST - 1]) is not None
    assert found(text, text[: LONGEST + 30]) is None


@given(st.lists(st.sampled_from(["hxxp://", "a[.]b", "x(dot)y", "c[@]d", "e[:]f", " ", "word"])))
def test_what_the_product_refangs_is_found(parts: list[str]) -> None:
    text = "start of it " + "".join(parts) + " end of it"
    quote = of(text).find(refanged(text))
    assert quote is not None
    assert quote.text == text
