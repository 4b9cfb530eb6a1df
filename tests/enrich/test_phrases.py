"""Phrases: words near each other in one sentence."""

import pytest

from ctiscraper.enrich.phrases import Phrases, folded, in_characters, word_end


def matched(written: str, text: str, *, near: int = 50) -> list[str]:
    phrases = Phrases({"verbs": "steal* | take | @more", "more": "grab*"})
    phrases.add(7, written, near=near)
    phrases.compile()
    data = folded(text)
    return [
        data[start : word_end(data, end)].decode()
        for sentence in phrases.sentences(data)
        for rule, start, end in phrases.matches(sentence)
        if rule == 7
    ]


@pytest.mark.parametrize(
    ("written", "text", "expected"),
    [
        ("cmd.exe", r"C:\Windows\CMD.EXE /c", ["CMD.EXE"]),
        ("cmd.exe", "It runs cmd.exe.", ["cmd.exe"]),
        ("cmd", "It runs cmd.exe", []),
        (".bat", "run.bat was", [".bat"]),
        (".bat", "a bat flew", []),
        ("dump*", "dumping it", ["dumping"]),
        ("dump", "dumping it", []),
        ("spear-phish*", "spear phishing", ["spear phishing"]),
        ("spear phish*", "Spear\u2011phishing", ["Spear-phishing"]),
        ("a & b", "b then a", ["b then a"]),
        ("a > b", "b then a", []),
        ("a > b", "a then b", ["a then b"]),
        ("a & b", "a. B", []),
        ("a & b", "a\nb", []),
        ("a & b & c", "b a c", ["b a c"]),
        ("a & c & b", "a b c", ["a b c"]),
        ("a & a b", "a b", []),
        ("a | x & b | y", "x y", ["x y"]),
        ("@verbs & coins", "grabbing coins", ["grabbing coins"]),
        ("e.g. x", "see e.g. X", ["e.g. X"]),
    ],
)
def test_a_phrase_is_found(written: str, text: str, expected: list[str]) -> None:
    assert matched(written, text) == expected


def test_words_too_far_apart_are_no_phrase() -> None:
    assert matched("a & b", "a 12345 b", near=7) == ["a 12345 b"]
    assert matched("a & b", "a 123456 b", near=7) == []


def test_a_sentence_without_end_is_cut() -> None:
    text = "word " * 100_000 + "steal coins " + "word " * 100_000
    assert matched("steal & coins", text) == ["steal coins"]


def test_places_in_bytes_become_places_in_characters() -> None:
    data = folded("é\u2019x😀y")
    assert data.decode() == "é'x😀y"
    assert in_characters(data, [0, 2, 3, 8]) == {0: 0, 2: 1, 3: 2, 8: 4}
