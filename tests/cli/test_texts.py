"""Files that commands read and write."""

from pathlib import Path

import pytest

from ctiscraper.cli.texts import LARGEST, hand_over, on_a_line, read_file, read_text
from ctiscraper.errors import CTIScraperError, SettingsError


def test_a_text_is_read_whatever_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(b"\xef\xbb\xbfevil.example\r\n\xff")
    assert read_text(file) == "evil.example\r\n\ufffd"
    assert read_file(file) == b"\xef\xbb\xbfevil.example\r\n\xff"


def test_what_cannot_be_read_or_is_too_much_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.txt cannot be read: No such file"):
        read_file(tmp_path / "none.txt")
    file = tmp_path / "large"
    with file.open("wb") as stream:
        stream.truncate(LARGEST)
    assert len(read_file(file)) == LARGEST
    with file.open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(SettingsError, match="has more than 20 MB: give it in parts"):
        read_file(file)


def test_an_export_goes_where_it_is_asked_for(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    hand_over("kind,term\r\nvendor,Zürich\r\n", None, json=False)
    assert capfdbinary.readouterr().out == "kind,term\r\nvendor,Zürich\r\n".encode()
    file = tmp_path / "out.csv"
    hand_over("a\r\n", file, json=False)
    assert (file.read_bytes(), capfdbinary.readouterr().out) == (b"a\r\n", b"")
    with pytest.raises(CTIScraperError, match="cannot be written: Is a directory"):
        hand_over("a", tmp_path, json=False)


def test_a_long_value_is_cut_to_a_line() -> None:
    assert on_a_line("a\n b\tc") == "a b c"
    assert on_a_line("abcdef", widest=4) == "abc…"
