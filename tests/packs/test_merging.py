"""Merging: what makes two listed things one, and what does not."""

from ctiscraper.intelligence import Name
from ctiscraper.packs.clusters import Listed
from ctiscraper.packs.merging import conflicts, merge

ORDINARY = frozenset({"hive"})


def listed(
    origin: str, *names: str, kind: Name = Name.MALWARE, attack: str = "", related: str = ""
) -> Listed:
    return Listed(
        kind=kind,
        uuid=f"{origin}-{names[0]}",
        names=names,
        origin=origin,
        attack=attack,
        related=(related,) if related else (),
    )


def test_one_id_is_one_thing() -> None:
    (one,) = merge(
        [listed("malpedia", "Foo", attack="S0001"), listed("attack", "Bar", attack="S0001")],
        ORDINARY,
    )
    assert (one.value, one.name, one.aliases, one.attack) == ("S0001", "Bar", ("Foo",), "S0001")


def test_one_chief_name_is_one_thing_however_it_is_parted() -> None:
    (one,) = merge([listed("malpedia", "Foo Bar"), listed("rat", "FooBar RAT")], ORDINARY)
    assert one.origins == ("malpedia", "rat")


def test_an_everyday_word_makes_no_two_things_one_unless_both_are_ransomware() -> None:
    assert len(merge([listed("malpedia", "Hive"), listed("rat", "Hive")], ORDINARY)) == 2
    both = [listed(origin, "Hive", kind=Name.RANSOMWARE) for origin in ("malpedia", "ransomware")]
    assert len(merge(both, ORDINARY)) == 1


def test_being_called_similar_needs_a_common_name() -> None:
    first = listed("tool", "Foo", "Baz", related="malpedia-Bar")
    assert len(merge([first, listed("malpedia", "Bar")], ORDINARY)) == 2
    assert len(merge([first, listed("malpedia", "Bar", "Baz")], ORDINARY)) == 1


def test_a_name_that_two_others_have_joins_neither() -> None:
    things = [
        listed("attack", "Aaaa", "Cccc", attack="S0001"),
        listed("attack", "Bbbb", "Cccc", attack="S0002"),
        listed("malpedia", "Cccc"),
    ]
    made = merge(things, ORDINARY)
    assert len(made) == 3
    (contested,) = conflicts(made)
    assert (contested.alias, len(contested.values)) == ("Cccc", 3)


def test_an_actor_is_never_its_malware() -> None:
    things = [listed("malpedia", "Turla"), listed("threat-actor", "Turla", kind=Name.ACTOR)]
    assert {one.kind for one in merge(things, ORDINARY)} == {Name.MALWARE, Name.ACTOR}


def test_a_tool_that_others_call_a_remote_access_trojan_is_malware() -> None:
    tool = listed("attack", "Foorat", kind=Name.TOOL, attack="S0001")
    assert merge([tool], ORDINARY)[0].kind is Name.TOOL
    assert merge([tool, listed("rat", "Foorat")], ORDINARY)[0].kind is Name.MALWARE
