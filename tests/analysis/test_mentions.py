"""What is named, and whether a text names it too."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.analysis.mentions import hard_names, vocabulary

TEXT = """Russian intruders of Velvet Harrier (also VH-7) used LockBit against twelve French firms
and CVE-2025-11111 against 1,200 servers on 3 March 2025. See evil-site[.]example, 10.0.0.12 and
C:\\Windows\\Temp\\a.dll. The tool
wrote HKLM\\Software\\Run and ran from /usr/lib/x.so."""
NAMED = vocabulary(TEXT)


@pytest.mark.parametrize(
    "claim",
    [
        "Velvet Harrier's operators used LockBit.",
        "LockBit's affiliates hit French companies from Russia.",
        "They exploited CVE-2025-11111 on 1200 servers.",
        "12 firms were hit on 2025-03-03.",
        "VH-7 contacted evil-site.example and 10.0.0.12.",
        r"It drops c:\windows\temp\a.dll and HKLM\Software\Run.",
        "Attackers use RDP and SMB.",
        "Monitoring helps. However, attackers return.",
        "",
    ],
)
def test_what_the_text_names_is_not_invented(claim: str) -> None:
    assert NAMED.invented(claim) is None


@pytest.mark.parametrize(
    ("claim", "invented"),
    [
        ("They exploited CVE-2025-1111.", "cve-2025-1111"),
        ("They exploited CVE-2025-111119.", "cve-2025-111119"),
        ("It contacts 10.0.0.1.", "10.0.0.1"),
        ("It contacts site.example.", "site.example"),
        ("It contacts evil-site.example.net.", "evil-site.example.net"),
        ("It uses T1059.", "t1059"),
        (r"It drops C:\Windows\Temp\b.dll.", r"c:\windows\temp\b.dll"),
        ("It hit 13 firms.", "13"),
        ("It hit 12,000 servers.", "12000"),
        ("The group Fancy Bear did it.", "Fancy"),
        ("Emotet was used.", "Emotet"),
        ("Then Emotet was used.", "Emotet"),
        ("LockBeat was used.", "LockBeat"),
        ("VH-8 was used.", "VH-8"),
        ("Chinese intruders did it.", "Chinese"),
        ("See http://evil-site.example/more.", "http://evil-site.example/more"),
    ],
)
def test_what_the_text_does_not_name_is(claim: str, invented: str) -> None:
    assert NAMED.invented(claim) == invented


@pytest.mark.parametrize("number", [34, 56, 99, 28, 32])
def test_digits_of_addresses_hashes_and_names_are_no_numbers(number: int) -> None:
    named = vocabulary("10.34.56.78, deadbeef99, APT28, CVE-2026-3232, v12 and 17 of 300GB.")
    assert named.invented(f"They robbed {number} banks.") == str(number)
    assert named.invented("They robbed 12 banks and 17 of 300.") is None


def test_what_is_allowed_may_be_named() -> None:
    assert NAMED.invented("T1059 was used against Contoso.", ["T1059", "Contoso"]) is None


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("Velvet Harrier", True),
        ("velvet  harrier", True),
        ("Harrier Velvet", False),
        ("LockBit", True),
        ("Lock", False),
        ("Russia", True),
        ("evil-site.example", True),
        ("evil-site[.]example", True),
        ("Velvet Bear", False),
        ("", False),
    ],
)
def test_whether_a_name_stands_in_a_text(name: str, there: bool) -> None:
    assert NAMED.has(name) == there


def test_what_is_the_same_in_every_language() -> None:
    assert hard_names("300 Kliniken über CVE-2025-11111") == {"300", "cve-2025-11111"}
    assert hard_names("Neue Lücke bei Clairmont") == frozenset()


SAID = """Contact us if you see it. The hive of activity had a role to play in the royal affair.
Nigerian and Indian banks, Dominican friars and Austrian firms were seen by rclone and lsass.exe.
American and North Korean sites; Jack Daw of the NSA. LOUD Words are dutch."""


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("US", True),
        ("United States", True),
        ("UK", False),
        ("IF", False),
        ("Hive", False),
        ("HIVE", False),
        ("Play", False),
        ("Royal", False),
        ("Niger", False),
        ("Nigeria", True),
        ("Nigerians", True),
        ("India", True),
        ("Indiana", False),
        ("Dominica", False),
        ("Dominican Republic", True),
        ("Austria", True),
        ("Austrians", True),
        ("North Korea", True),
        ("South Korea", False),
        ("Netherlands", False),
        ("Jack", True),
        ("Loud", True),
        ("Rclone", True),
        ("LSASS", True),
        ("NSA", True),
        ("nsa", True),
    ],
)
def test_a_name_stands_with_its_capitals_where_it_is_another_word_without(
    name: str, *, there: bool
) -> None:
    known = vocabulary(SAID)
    assert known.has(name) == there
    if name != "nsa":
        assert (known.invented(f"At noon {name} came.") is None) == there


def test_the_pronoun_us_is_no_country() -> None:
    known = vocabulary("They were tracked by us.")
    assert known.invented("They were tracked by the US.") == "US"
    assert not known.has("US")
    assert known.has("us")


def test_common_words_may_have_capitals_where_that_is_asked_for() -> None:
    known = vocabulary("The law firms and hospitals of a town.")
    assert known.has("Law Firms", strictly=False)
    assert not known.has("Law", strictly=True)
    assert known.invented("Hospitals were hit.") is None
    assert known.invented("The Law was hit.") == "Law"


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_breaks_it(text: str, claim: str) -> None:
    named = vocabulary(text)
    named.invented(claim)
    named.has(claim)
    hard_names(claim)


@given(st.lists(st.sampled_from(TEXT.split()), max_size=20))
def test_words_of_a_text_in_any_order_are_not_invented(words: list[str]) -> None:
    assert NAMED.invented(" and ".join(words)) is None


def test_long_texts_take_no_long_time() -> None:
    for piece in ("1.1.", "a.", "1,", "\\\\a", "a@", "::1", "/a/", "A ", "CVE-"):
        vocabulary(piece * 3_000).invented(piece * 500)
