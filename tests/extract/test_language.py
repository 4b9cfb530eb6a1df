# ruff: noqa: RUF001 - these tests are about letters of other scripts
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.extract.language import _sample, detect_language, is_english_title

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


PROSE = {
    "en": "The attackers sent a message with an archive, and the archive held a loader that"
    " was written to the disk by the user who had opened it. From there it would start each"
    " time the machine did, and it asked for the next part over an address which we have seen"
    " before. This is the same tool that was used in the attacks of the last year, and there"
    " were more of them than we could count.",
    "de": "Die Angreifer verschickten eine Nachricht mit einem Anhang, der einen Lader enthielt."
    " Die Datei wurde auf dem Rechner abgelegt und bei jedem Start geladen. Es war also das"
    " Programm, das in den Angriffen des letzten Jahres verwendet wurde, und man will hier"
    " zeigen, wie es die Daten der Opfer an den Server der Gruppe sendet und was dabei hilft.",
    "nl": "De aanvallers stuurden een bericht met een bijlage, en in de bijlage zat een lader die"
    " op de schijf werd geschreven. Het programma is van dezelfde groep die we in het vorige"
    " jaar hebben gezien, of van een groep die haar code had gekocht. Men will weten hoe het"
    " werkt, want het is niet meer te vinden op de computer van de klant die het had geopend.",
    "es": "Los atacantes enviaron un mensaje con un archivo que contenia un cargador malicioso."
    " El programa se guarda en el disco y se inicia con el sistema, como ya se ha visto en los"
    " ataques del pasado. Se trata de la misma herramienta que usa el grupo para enviar los"
    " datos de sus victimas a un servidor, y no es la primera vez que la vemos en la region.",
    "id": "Para penyerang mengirim pesan dengan arsip, dan arsip itu berisi pemuat yang ditulis"
    " ke dalam disk oleh pengguna yang membukanya. Program ini adalah alat yang sama dengan"
    " yang dipakai dalam serangan tahun lalu, dan kelompok itu mengirim data korban ke server"
    " mereka sendiri. Kami tidak tahu berapa banyak orang yang telah menjadi korban sampai kini.",
    "it": "Gli aggressori hanno inviato un messaggio con un archivio che conteneva un programma"
    " dannoso. Il programma viene salvato sul disco e parte con il sistema, come si era visto"
    " negli attacchi del passato. Si tratta dello stesso strumento che il gruppo usa per inviare"
    " i dati delle vittime a un server, e non e la prima volta che lo vediamo nella regione.",
}


@pytest.mark.parametrize("code", PROSE)
def test_a_claim_of_english_changes_no_other_language(code: str) -> None:
    assert detect_language(PROSE[code], "en-US") == detect_language(PROSE[code]) == code


def test_plain_english_is_english_whoever_says_so() -> None:
    for claims in ((), ("en",), ("pt-BR",), ("pt-BR", None, "en-GB"), ("sk", "en")):
        assert detect_language(PROSE["en"], *claims) == "en"


@pytest.mark.parametrize("code", sorted(set(PROSE) - {"en"}))
def test_a_little_english_makes_no_english_text(code: str) -> None:
    quoted = "The page of the authors who told us that this was from them and by them: "
    for text in (quoted + PROSE[code], PROSE[code][:300] + quoted):
        assert detect_language(text, "en") == detect_language(text) == code


def test_words_strewn_in_another_language_or_in_code_are_not_taken_for_english() -> None:
    assert detect_language("the of and to " * 3 + PROSE["de"], "en") == "de"
    code = "if (the_value == 0x41) { return of[1]; } // C:\\to\\the\\and "
    assert detect_language(code * 20, "en") == detect_language(code * 20, None, "en")


NOISY = st.text(st.sampled_from([*map(chr, range(128)), *"\xa0\x85\u2019é٣中"]), max_size=90)


@given(st.lists(NOISY, max_size=30).map(" ".join))
def test_noise_is_told_word_by_word_as_in_the_whole_text(text: str) -> None:
    noise = re.compile(r"[!-~]{25,}|[!-~]{0,24}[\d/\\@\[\]{}<>=_][!-~]{0,24}")
    assert _sample(text) == " ".join(noise.sub(" ", text[:1200]).split())[:600]


FOREIGN_TITLES = """
Angriff per Mail
Neue Malware im Umlauf
Angriff auf Kliniken
Ransomware bei Hersteller
Schadsoftware in Apps
Patchday: Microsoft Windows
Kritische Sicherheitslücke in Citrix NetScaler
Ransomware-Angriff legt Klinik lahm
Cisco: Update jetzt installieren
Emotet ist zurück
Cyberangriff auf Stadtwerke
Attaque par rançongiciel contre un hôpital
Nouvelle campagne de phishing
Ransomware: la France en alerte
Alerte de sécurité: Fortinet
Vulnérabilité dans Ivanti Connect Secure
Ciberataque contra hospitales
Nueva campaña de malware bancario
Vulnerabilidad en Windows Server
Ransomware en hospitales
Attacco ransomware a ospedale
Nuovo malware Android
Nieuwe malware treft banken
Kwetsbaarheid in Citrix NetScaler
Cyberataque a hospital
Nova campanha de malware
Atak ransomware na szpital
Nowa kampania phishingowa
Ny skadlig kod
Новая кампания вредоносного ПО
医療機関を狙うランサムウェア
攻击者利用 Ivanti 漏洞
Yeni zararlı yazılım
Malware Emotet kehrt nach Monaten mit neuen Tricks zurück
Dridex-Trojaner: Banken im Visier
Microsoft schließt 80 Lücken
LockBit-Ransomware: Festnahmen in Polen
Microsoft Exchange Zero-Day ausgenutzt
VMware ESXi: Hypervisor-Ausbruch
""".strip().splitlines()
ENGLISH_TITLES = """
Velvet Harrier hits hospitals
QakBot returns
Emotet is back
Inside LockBit 4.0
APT29 targets diplomats
Ransomware gang leaks data
Microsoft Patch Tuesday
CVE-2025-11111 exploited in the wild
Hackers abuse Zoom to steal crypto
New Android malware steals PINs
Chinese hackers breach US telecoms
Ivanti patches zero-day
Analysis of DarkGate
Threat Spotlight: Amadey
Cisco IOS XE zero-day
Water utility hit by ransomware
Operation Endgame
Fortinet warns of critical FortiOS flaw
SocGholish infrastructure
Unmasking Lazarus
Dissecting the XZ backdoor
ToolShell: SharePoint under attack
Weekly threat roundup
Salt Typhoon
PlugX worm
BlackBasta chat leak
Hunting for Cobalt Strike beacons
FIN7
A deep dive into Latrodectus
Phishing kits abuse Cloudflare Workers
Ghostwriter
Scattered Spider: TTPs
Raspberry Robin
Kimsuky APT deploys BabyShark
Gootloader malware returns
Threat actors weaponize OAuth
""".strip().splitlines()


def test_titles_in_other_languages_are_asked_about() -> None:
    assert [one for one in FOREIGN_TITLES if is_english_title(one, beside_english=False)] == []
    # Words that both languages have, beside a text in English.
    assert [one for one in FOREIGN_TITLES if is_english_title(one, beside_english=True)] == [
        "Schadsoftware in Apps",
        "Patchday: Microsoft Windows",
        "Attacco ransomware a ospedale",
        "VMware ESXi: Hypervisor-Ausbruch",
    ]


def test_most_english_titles_are_not() -> None:
    asked = [one for one in ENGLISH_TITLES if not is_english_title(one, beside_english=True)]
    assert len(asked) <= len(ENGLISH_TITLES) // 4
    plain = "What the attackers did after they had been in the network for a year"
    assert is_english_title(plain, beside_english=False)


@pytest.mark.parametrize("title", ["", " \n", "2026", "\u2026", "\u202e\0"])
def test_what_has_no_words_is_no_fault(title: str) -> None:
    assert is_english_title(title, beside_english=False) is False


@given(st.text(max_size=80), st.booleans())
def test_any_title_is_judged(title: str, beside_english: bool) -> None:
    assert is_english_title(title, beside_english=beside_english) in {True, False}
