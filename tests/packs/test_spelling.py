"""Spelling: every character keeps its place."""

from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.packs.spelling import joined, key_of, plain


@given(st.text())
def test_every_character_keeps_its_place(text: str) -> None:
    assert len(plain(text)) == len(text)
    assert plain(plain(text)) == plain(text)


def test_signs_and_scripts_without_spaces_part_words() -> None:
    assert plain("Cobalt-Strike\u2019s") == "cobalt strike s"
    assert plain("攻撃者はEmotetを") == "    emotet "
    assert plain("\u0130stanbul \u00c4rger") == "istanbul \u00e4rger"


def test_many_different_signs_are_read_the_same_way() -> None:
    signs = "".join(map(chr, range(0x2000, 0x2400)))
    assert plain(f"A{signs}B") == "a" + "".join(plain(char) for char in signs) + "b"


def test_one_key_for_all_ways_to_part_a_name() -> None:
    assert key_of(" Cobalt-Strike.") == "cobalt strike"
    assert joined("Cobalt Strike") == joined("CobaltStrike") == joined("COBALT_STRIKE")
