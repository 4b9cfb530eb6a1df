# ruff: noqa: RUF001 - these tests are about letters of other scripts
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.extract.language import detect_language

SAMPLES = {
    "en": "The attackers sent a message with an archive, and the archive held a loader.",
    "de": "Die Angreifer verschickten eine Nachricht mit einem Anhang, der einen Lader enthielt.",
    "fr": "Les attaquants ont envoyé un message avec une archive qui contenait un chargeur.",
    "es": "Los atacantes enviaron un mensaje con un archivo que contenía un cargador malicioso.",
    "pl": "Napastnicy wysłali wiadomość z archiwum, które zawierało złośliwy program ładujący.",
    "uk": "Зловмисники надіслали повідомлення з архівом, у якому був завантажувач програми.",
    "ja": "攻撃者は添付ファイル付きのメールを送信し、端末をマルウェアに感染させます。",
    "zh": "攻击者发送带有附件的邮件, 附件中包含下载程序, 运行之后程序会连接控制服务器。",
}


@pytest.mark.parametrize("code", SAMPLES)
def test_the_text_itself_decides(code: str) -> None:
    assert detect_language(SAMPLES[code], "xx") == code


def test_code_and_indicators_do_not_count() -> None:
    noise = "hxxp://evil[.]com/a C:\\Users\\x 9f3c1d0b7a6e54e2c1f0a9b8d7e6f5a4b3c2d1e0 " * 5
    assert detect_language(noise + SAMPLES["de"]) == "de"


@pytest.mark.parametrize(("declared", "code"), [("pt-BR", "pt"), ("de_AT", "de"), (None, None)])
def test_a_short_text_is_what_the_page_says(declared: str | None, code: str | None) -> None:
    assert detect_language("10.0.0[.]1 ok", declared) == code


@given(st.text(max_size=200))
def test_detection_is_total(text: str) -> None:
    code = detect_language(text)
    assert code is None or code.isascii()


SLOVAK = "Nova vlna utokov na banky. Banky varuju klientov."


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        (("sk",), "sk"),
        ((None, "sk-SK"), "sk"),
        (("en", "sk"), "sk"),
        (("cs",), "cs"),
    ],
)
def test_a_close_relative_is_what_it_is_declared_to_be(
    declared: tuple[str | None, ...], code: str
) -> None:
    for text in (SLOVAK, "Utočníci napadli nemocnice. Systémy nefungují."):
        assert detect_language(text, *declared) == code


def test_a_claim_of_another_family_does_not_count() -> None:
    assert detect_language(SAMPLES["de"], "sk", "ja") == "de"
