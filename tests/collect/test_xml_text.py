import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.collect.xml_text import (
    ascii_based,
    decode_text,
    is_plain,
    local_name,
    parse_xml,
    strip_prolog,
)
from ctiscraper.errors import ParseError, Reason


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        ("día".encode("cp1252"), "text/xml; charset=windows-1252", "día"),
        ("день".encode("koi8-r"), "text/xml; charset=koi8-r", "день"),
        ("日本".encode("shift_jis"), "text/xml; charset=shift_jis", "日本"),
        ("日本".encode("shift_jis"), "text/xml; charset=euc-jp", "\u201c\u00fa\u2013{"),
        ("día".encode("cp1252"), "text/xml; charset=latin-99", "día"),
        ("día".encode("cp1252"), "text/xml; charset=utf-8", "día"),
        (b"a\x85b\xc2\xad\xed\xa0\x80", "", "a\u2026bÂ\xadí\xa0€"),
        ("a\x01b\ufffec".encode(), "", "abc"),
    ],
)
def test_the_true_encoding_counts(body: bytes, content_type: str, expected: str) -> None:
    assert decode_text(body, content_type) == expected


def test_a_wide_encoding_is_written_as_utf8_with_its_mark() -> None:
    text = "<a>день 🙂</a>" * 20_000
    for encoding in ("utf-16", "utf-32", "utf-16-le", "utf-32-be"):
        assert ascii_based(text.encode(encoding)) == codecs.BOM_UTF8 + text.encode()
    assert ascii_based(text.encode()) == text.encode()


@given(st.text())
def test_a_plain_text_holds_nothing_odd(text: str) -> None:
    if is_plain(text):
        assert not set(text) & set("\0\x1f\x7f\x80\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800")


@pytest.mark.parametrize("sign", [*"\0\x1f\x7f\x80\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800"])
def test_an_odd_sign_is_found_wherever_it_stands(sign: str) -> None:
    assert not is_plain(f"é{sign}")
    assert not is_plain(f"{'é' * 200_000}{sign}é")
    assert is_plain("é\u20ac\u201c\t\r\n" * 100_000)


def test_what_holds_no_element_is_refused() -> None:
    for recover in (False, True):
        with pytest.raises(ParseError) as caught:
            parse_xml("", recover=recover)
        assert caught.value.reason is Reason.PARSER_ERROR


def test_a_document_without_a_prolog_stays() -> None:
    assert strip_prolog("<rss/>") == "<rss/>"
    assert strip_prolog("\n<?xml?><!DOCTYPE a [ <!-- > --> ]> <rss/>") == "<rss/>"
    assert local_name(parse_xml("<a xmlns='urn:b'/>")) == "a"
