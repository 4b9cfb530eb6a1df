"""Names that no list has: vendors' schemes, and what a text itself names."""

import pytest

from ctiscraper.enrich.name_context import Surroundings
from ctiscraper.enrich.name_schemes import find_coined, find_schemes
from ctiscraper.enrich.scan import Scan
from ctiscraper.intelligence import Name
from ctiscraper.packs.spelling import plain


def schemes(text: str) -> list[str]:
    return [one.name for one in find_schemes(Scan(text), Surroundings(text, f" {plain(text)} "))]


def coined(text: str) -> dict[str, Name]:
    around = Surroundings(text, f" {plain(text)} ")
    return {
        one.name: one.kind for one in find_coined(Scan(text), around, lambda name: name != "Known")
    }


@pytest.mark.parametrize(
    "name",
    [
        "APT99",
        "UNC1234",
        "TA999",
        "FIN99",
        "DEV-1234",
        "Storm-1234",
        "TEMP.Foo",
        "CL-STA-0001",
        "UAC-0001",
        "TAG-99",
        "REF1234",
        "UTA0999",
        "APT-C-99",
        "Hive0999",
        "TGR-STA-1030",
        "CL-CRI-1014",
    ],
)  # fmt: skip
def test_numbers_that_vendors_give_are_names(name: str) -> None:
    assert schemes(f"The group ({name}) came back.") == [name]


@pytest.mark.parametrize(
    "text", ["TA0005 and TA0043", "TA1505.003", "AFIN7", "apt1", "APT", "UNC1"]
)
def test_other_numbers_are_not(text: str) -> None:
    assert schemes(text) == []


def test_a_number_is_written_in_one_way() -> None:
    assert schemes("APT 99, APT-99 and UNC 1234") == ["APT99", "APT99", "UNC1234"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("The actor Mauve Typhoon was seen.", ["Mauve Typhoon"]),
        ("Tracked as FUZZY PANDA since May.", ["FUZZY PANDA"]),
        ("Super Typhoon Rai, a threat to ships", []),
        ("The Mauve Typhoon hit the coast.", []),
        ("A Giant Panda slept.", []),
        ("BRONZE SPOON is a threat group", ["BRONZE SPOON"]),
        ("a BRONZE MEDAL for the winner", []),
    ],
)
def test_two_words_are_a_name_only_beside_a_word_for_who_it_is(text: str, names: list[str]) -> None:
    assert schemes(text) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a backdoor we call ShadowLoom", {"ShadowLoom": Name.MALWARE}),
        ("an infostealer dubbed “Grey Otter”.", {"Grey Otter": Name.MALWARE}),
        ("downloaders, dubbed by Acme as ReedGnome", {"ReedGnome": Name.MALWARE}),
        ("a threat actor tracked as Mossy Lantern", {"Mossy Lantern": Name.ACTOR}),
        ("a tool named NetOtter", {"NetOtter": Name.TOOL}),
        ("the QuuxCrypt ransomware", {"QuuxCrypt": Name.RANSOMWARE}),
        ("the Quuxel ransomware", {"Quuxel": Name.RANSOMWARE}),
        ("the Known ransomware, a backdoor named Known", {}),
        ("a technique called Kerberoasting", {}),
        ("the malware calls CreateFileW", {}),
        ("a file named Report", {}),
        ("malware named Report.docx", {}),
        ("the loader named Setup(", {}),
        ("a company known as Northwind", {}),
        ("a Ransom Quuxel ransomware", {}),
        ("the DDOS botnet", {}),
        ("Spy.FooBar backdoor", {}),
    ],
)
def test_what_a_text_plainly_names_is_a_name(text: str, names: dict[str, Name]) -> None:
    assert coined(text) == names


def test_a_name_that_a_text_gives_is_found_wherever_it_stands() -> None:
    text = "QuuxLoom grew. It is a backdoor dubbed QuuxLoom; QuuxLooms do not count."
    around = Surroundings(text, f" {plain(text)} ")
    places = [(one.start, one.end) for one in find_coined(Scan(text), around, lambda _: True)]
    assert [text[start:end] for start, end in places] == ["QuuxLoom", "QuuxLoom"]
