"""Reading the lists: which names are taken, and how else texts may write them."""

import pytest

from ctiscraper.intelligence import Name
from ctiscraper.packs.clusters import attack_version, read_listed, spellings


@pytest.mark.parametrize(
    ("written", "kind", "names"),
    [
        ("Lazarus Group - G0032", Name.ACTOR, ("Lazarus Group", "Lazarus")),
        ("Winnti (ELF)", Name.MALWARE, ("Winnti",)),
        ("Vortex  Ransomware", Name.RANSOMWARE, ("Vortex Ransomware", "Vortex")),
        ("NetwireRAT", Name.MALWARE, ("NetwireRAT", "Netwire RAT")),
        ("The Gorgon Group", Name.ACTOR, ("The Gorgon Group", "The Gorgon")),
        ("samsam.exe", Name.RANSOMWARE, ()),
        ("G0032", Name.ACTOR, ()),
        ("X", Name.MALWARE, ()),
        ("Unidentified 007", Name.MALWARE, ()),
    ],
)
def test_names_are_cleaned_and_shortened(written: str, kind: Name, names: tuple[str, ...]) -> None:
    assert spellings([written], kind)[: len(names) or 1] == names


def test_of_two_ways_to_write_a_name_the_one_with_capitals_is_kept() -> None:
    assert spellings(["akira", "Akira"], Name.RANSOMWARE) == ("Akira",)


def test_every_list_gives_something() -> None:
    listed = list(read_listed())
    origins = {one.origin for one in listed}
    assert {"attack", "threat-actor", "malpedia", "ransomware", "tool", "rat"} <= origins
    assert all(one.names for one in listed)


def test_the_version_of_attack_is_known() -> None:
    assert [part.isdigit() for part in attack_version().split(".")] == [True, True]
