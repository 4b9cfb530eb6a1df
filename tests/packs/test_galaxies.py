"""The pack of names as the installed packages make it."""

import msgspec
import pytest

from ctiscraper.intelligence import Name
from ctiscraper.packs.records import Entry, NamesPack
from name_packs import built


def entry(value: str, kind: Name | None = None) -> Entry:
    """The one entry of a value, and of a kind where both a vendor and a product have it."""
    (one,) = (it for it in built()[1].entries if it.value == value and kind in (None, it.kind))
    return one


def names_of(one: Entry) -> set[str]:
    return {one.name, *one.aliases}


def test_a_thing_of_several_lists_is_one_entry_with_all_its_names() -> None:
    apt29 = entry("G0016")
    assert (apt29.kind, apt29.name, apt29.country) == (Name.ACTOR, "APT29", "RU")
    assert {"Cozy Bear", "Midnight Blizzard", "NOBELIUM"} <= names_of(apt29)
    assert {"attack", "threat-actor", "microsoft-activity-group"} <= set(apt29.origins)
    emotet = entry("S0367")
    assert (emotet.kind, {"Geodo", "Heodo"} <= names_of(emotet)) == (Name.MALWARE, True)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("S0154", Name.MALWARE),
        ("S0496", Name.RANSOMWARE),
        ("S0002", Name.TOOL),
        ("S0332", Name.MALWARE),
        ("S0029", Name.TOOL),
    ],
)
def test_what_a_thing_is_comes_from_attack_and_the_lists(value: str, kind: Name) -> None:
    assert entry(value).kind is kind


def test_groups_that_attack_tells_apart_stay_apart() -> None:
    assert "Winnti" in names_of(entry("G0044"))
    assert "Winnti Group" not in names_of(entry("G0096"))
    assert len({it.attack for it in built()[1].entries if it.attack}) == sum(
        bool(it.attack) for it in built()[1].entries
    )


def test_a_word_of_everyday_language_joins_nothing() -> None:
    having = [it for it in built()[1].entries if "Snake" in names_of(it)]
    assert {"S0022", "S0605", "G0010"} < {it.value for it in having}


def test_names_that_several_claim_are_reported() -> None:
    contested = {one.alias.lower(): one.values for one in built()[1].conflicts}
    assert {"G0044", "G0096"} <= set(contested["blackfly"])


def test_no_common_word_is_left_as_a_name_of_its_own() -> None:
    never = {"will", "inc", "agent", "malware", "unknown", "the", "apt", "whois", "final"}
    known = {name.lower() for it in built()[1].entries for name in names_of(it)}
    assert "inc ransom" in known
    assert known & never - {"inc"} == set()


def test_ciphers_and_what_packs_programs_are_no_malware() -> None:
    harmful = {Name.MALWARE, Name.RANSOMWARE}
    named = {
        it.lower() for one in built()[1].entries if one.kind in harmful for it in names_of(one)
    }
    assert not {"rijndael", "chacha", "ps2exe", "confuserex", "monero"} & named


def test_values_are_unique_within_a_kind() -> None:
    marks = [(it.kind, it.value) for it in built()[1].entries]
    assert len(set(marks)) == len(marks)


def test_products_have_their_vendor_and_vendors_their_names() -> None:
    assert entry("fortinet:fortios").maker == "Fortinet"
    assert "Pulse Secure" in names_of(entry("ivanti"))
    makers = {it.maker for it in built()[1].entries if it.kind is Name.PRODUCT}
    assert len(makers) > 200


def test_countries_stand_apart_from_their_adjectives() -> None:
    assert entry("RU").name == "Russia"
    russian = entry("RU:adjective")
    assert (russian.type, russian.aliases, russian.name) == ("adjective", ("Russian",), "Russia")


def test_the_pack_says_what_it_is_made_of() -> None:
    info, pack = built()
    assert info.name == "names"
    assert "ATT&CK" in info.version
    assert "MITRE" in info.notice
    assert len(pack.entries) > 7_000


def test_a_pack_survives_being_written_and_read() -> None:
    pack = built()[1]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(pack), type=NamesPack) == pack
