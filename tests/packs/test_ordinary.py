"""Everyday words: what no name is believed by alone."""

from ctiscraper.packs.ordinary import ordinary_words


def test_words_of_prose_and_of_our_own_list_are_everyday_language() -> None:
    everyday, technical = ordinary_words(frozenset())
    assert {"will", "play", "snake", "royal", "cuba", "zinc", "medusa", "adam"} <= everyday
    assert {"powershell", "linux", "wordpress"} <= technical
    assert not everyday & technical


def test_names_that_are_no_other_words_are_left_out() -> None:
    everyday, technical = ordinary_words(frozenset({"lazarus"}))
    words = everyday | technical
    assert not words & {"lazarus", "emotet", "mimikatz", "trickbot", "lockbit", "qakbot"}
