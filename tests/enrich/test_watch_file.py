"""Watchlist files: texts and tables, in and out."""

import pytest

from ctiscraper.enrich.watch_file import MOST_ROWS, read_watch_file, weight_of, write_watch_file
from ctiscraper.errors import CatalogError


def rows(text: str) -> list[tuple[str, str, str, str]]:
    return [(one.kind, one.term, one.weight, one.note) for one in read_watch_file(text.encode())]


def test_a_text_has_a_term_a_line() -> None:
    text = "# ours\n\nsupply chain\nVendor: Example Corp  # runs the proxy\nnote: no kind\n"
    assert rows(text) == [
        ("keyword", "supply chain", "", ""),
        ("vendor", "Example Corp", "", "runs the proxy"),
        ("keyword", "note: no kind", "", ""),
    ]
    assert [one.row for one in read_watch_file(text.encode())] == [3, 4, 5]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_has_a_head(separator: str) -> None:
    lines = ["Term,Kind,weight,extra", '"Example, Inc",vendor,0.8,x', ",,,", "acme,,,"]
    text = "\n".join(
        line.replace(",", separator)
        if '"' not in line
        else f'"Example, Inc"{separator}vendor{separator}0.8{separator}x'
        for line in lines
    )
    assert rows(text) == [("vendor", "Example, Inc", "0.8", ""), ("keyword", "acme", "", "")]


def test_what_is_written_is_read_again() -> None:
    entries = [("vendor", 'A "b", c', 0.5, "why; and\nhow"), ("keyword", "Ünïcode", 0.05, "")]
    written = write_watch_file(entries)
    assert [(k, t, float(w), n) for k, t, w, n in rows("\ufeff" + written)] == entries


def test_what_is_no_text_is_refused_whole() -> None:
    with pytest.raises(CatalogError, match="UTF-8"):
        read_watch_file(b"\xff\xfe\x00")
    with pytest.raises(CatalogError, match="at most"):
        read_watch_file(b"a word\n" * (MOST_ROWS + 1))
    with pytest.raises(CatalogError, match="line 2"):
        read_watch_file(b"term\n" + b"x" * 200_000)


def test_a_weight_is_a_number_or_the_usual() -> None:
    assert weight_of("") == 0.5
    assert weight_of("0.25") == 0.25
    assert weight_of("much") != weight_of("much")
