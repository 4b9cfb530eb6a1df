"""A title in English has the names, ids and numbers of the original, and no other."""

import pytest

from ctiscraper.analysis.mentions import vocabulary
from ctiscraper.analysis.translating import strays

LAZARUS = "Lazarus greift Banken in Polen an"
LOCKBIT = "LockBit-Ransomware legt 2,5 Millionen iPhone-Nutzer bei Contoso lahm"
TEXT = "Die Gruppe Lazarus nutzt im Mai die Schadsoftware DTrack, wie Microsoft mitteilt."


@pytest.mark.parametrize(
    ("original", "translation"),
    [
        (LAZARUS, "Lazarus attacks banks in Poland"),
        (LAZARUS, "Lazarus attacks Polish banks"),
        (LAZARUS, "Banks in Poland attacked by Lazarus"),
        (LAZARUS, "Lazarus attacks banks in Poland with DTrack, says Microsoft"),
        (LOCKBIT, "LockBit ransomware paralyses 2.5 million iPhone users at Contoso"),
        ("Drei Lücken in F5-Geräten", "Flaws in F5 devices"),
        ("Zwei Lücken", "Two flaws"),
        ("Im Mai 2025 griff KI die USA an", "AI attacked the United States in May 2025"),
        ("Angreifer verteilen Nebelkrug", "Attackers distribute Nebelkrug"),
        ("攻击者利用 Ivanti 漏洞", "Attackers exploit flaws in Ivanti"),
    ],
)
def test_a_translation_that_keeps_what_no_language_changes(original: str, translation: str) -> None:
    assert not strays(original, translation, vocabulary(original, TEXT))


@pytest.mark.parametrize(
    ("original", "translation"),
    [
        (LAZARUS, "APT29 stole the source code of Microsoft and of the SolarWinds company"),
        (LAZARUS, "APT29 attacks banks in Poland"),
        (LAZARUS, "Lazarus attacks banks in Poland with LockBit"),
        (LAZARUS, "Turla attacks banks in Poland"),
        (LAZARUS, "The group Turla attacks banks in Poland"),
        (LAZARUS, "Lazarus attacks 3 banks in Poland"),
        (LAZARUS, "Lazarus attacks seven banks in Poland"),
        (LAZARUS, "Lazarus takes millions from banks in Poland"),
        (LAZARUS, "Lazarus Attacks Banks In Poland"),
        (LOCKBIT, "Ransomware paralyses 2.5 million iPhone users at Contoso"),
        (LOCKBIT, "LockBit ransomware paralyses 2.5 billion iPhone users at Contoso"),
        (LOCKBIT, "LockBit ransomware paralyses iPhone users at Contoso"),
        ("Lücke in Version 7.4.2", "Flaw in version 7.0.1"),
        ("Lücke CVE-2025-11111", "Flaw CVE-2025-22222"),
    ],
)
def test_a_translation_with_another_name_or_number(original: str, translation: str) -> None:
    assert strays(original, translation, vocabulary(original, TEXT))
