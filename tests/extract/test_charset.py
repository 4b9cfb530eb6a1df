# ruff: noqa: RUF001 - these tests are about letters of other scripts
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.extract.charset import decode_page

LATIN = "Die Schadsoftware läuft über Umwege, „stört“ niemanden und kostet 30 € im Café."
CYRILLIC = (
    "Злоумышленники рассылают письма с архивом, внутри которого лежит загрузчик. После запуска"
    " он связывается с сервером управления и получает следующую ступень вредоносной программы."
)
JAPANESE = (
    "攻撃者は添付ファイル付きのメールを送信し、端末にマルウェアを感染させます。感染した端末は"
    "外部のサーバーと通信を行い、次の命令を待ちます。管理者はログを確認してください。"
)
CHINESE = "攻击者发送带有附件的邮件，附件中包含下载程序。运行之后，程序会连接控制服务器并等待命令。"
KOREAN = "공격자는 첨부 파일이 포함된 메일을 보내고 사용자가 파일을 열면 악성 코드가 실행됩니다."


def page(text: str, meta: str = "") -> str:
    head = f'<meta charset="{meta}">' if meta else ""
    return f"<html><head>{head}<title>t</title></head><body><p>{text}</p></body></html>"


@pytest.mark.parametrize(
    ("text", "sent", "header", "meta"),
    [
        (LATIN, "utf-8", "utf-8", ""),
        (LATIN, "utf-8", "", "utf-8"),
        (LATIN, "utf-8", "", ""),
        (LATIN, "cp1252", "windows-1252", ""),
        (LATIN, "cp1252", "iso-8859-1", ""),
        (LATIN, "cp1252", "", "latin1"),
        (LATIN, "cp1252", "us-ascii", ""),
        (LATIN, "utf-16", "", ""),
        (LATIN, "utf-8-sig", "iso-8859-1", "windows-1251"),
        (LATIN, "utf-8", "", "utf-16"),
        (CYRILLIC, "cp1251", "windows-1251", ""),
        (CYRILLIC, "cp1251", "", "cp1251"),
        (CYRILLIC, "koi8-r", "koi8-r", ""),
        (CYRILLIC, "iso8859-5", "iso-8859-5", ""),
        (CYRILLIC, "utf-8", "windows-1251", ""),
        (JAPANESE, "shift_jis", "shift_jis", ""),
        (JAPANESE, "euc-jp", "", "euc-jp"),
        (JAPANESE, "iso2022-jp", "iso-2022-jp", ""),
        (CHINESE, "gb18030", "gb2312", ""),
        (CHINESE, "gb18030", "", "gbk"),
        (KOREAN, "cp949", "euc-kr", ""),
        (KOREAN, "cp949", "", "ks_c_5601-1987"),
        ("Łódź żółć gęś", "cp1250", "windows-1250", ""),
        ("Ελληνικά κείμενα", "cp1253", "windows-1253", ""),
        ("İstanbul'da ışık", "cp1254", "iso-8859-9", ""),
    ],
)
def test_a_right_label_is_obeyed_in_its_rank(text: str, sent: str, header: str, meta: str) -> None:
    content_type = f"text/html; charset={header}" if header else "text/html"
    decoded, _ = decode_page(page(text, meta).encode(sent), content_type)
    assert text in decoded


@pytest.mark.parametrize(
    ("text", "sent", "header", "meta"),
    [
        (LATIN, "cp1252", "utf-8", "utf-8"),
        (LATIN, "cp1252", "utf-8", ""),
        (LATIN, "utf-8", "iso-8859-1", ""),
        (LATIN, "utf-8", "", "windows-1252"),
        (CYRILLIC * 3, "cp1251", "utf-8", "utf-8"),
        (CYRILLIC * 3, "cp1251", "", ""),
        (JAPANESE * 3, "shift_jis", "utf-8", ""),
        (JAPANESE * 3, "euc-jp", "", ""),
    ],
)
def test_a_wrong_or_missing_label_gives_readable_text(
    text: str, sent: str, header: str, meta: str
) -> None:
    content_type = f"text/html; charset={header}" if header else ""
    decoded, _ = decode_page(page(text, meta).encode(sent), content_type)
    assert text in decoded


def test_stray_bytes_in_utf8_cost_no_other_character() -> None:
    body = page(LATIN).encode().replace(b"Umwege", b"Umwege \x93quoted\x94")
    decoded, notes = decode_page(body, "text/html; charset=utf-8")
    assert "läuft über Umwege \u201cquoted\u201d" in decoded
    assert notes == ["charset label says utf-8, the bytes do not"]


@pytest.mark.parametrize("label", ["x-unknown-9", "utf-7", "rot13", "idna", "zlib", "\u00e9", "0"])
def test_an_unknown_or_unsafe_label_is_noted_and_passed_over(label: str) -> None:
    decoded, notes = decode_page(page("plain caf\u00e9").encode(), f"text/html; charset={label}")
    assert "plain caf\u00e9" in decoded
    assert notes == [f"unknown charset label: {label}"]


@given(st.binary(max_size=400), st.text(max_size=60))
def test_any_bytes_and_header_decode(body: bytes, header: str) -> None:
    text, _ = decode_page(body, f"text/html; charset={header}")
    assert isinstance(text, str)
