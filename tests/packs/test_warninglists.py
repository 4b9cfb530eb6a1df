"""The pack of warning lists: small, whole, and refused when it is none."""

import json
from ipaddress import IPv4Address

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.errors import CatalogError
from ctiscraper.packs.meanings import Meaning, meaning_of
from ctiscraper.packs.warninglists import NAME, WarningPack, build, build_default, key_of, unpacked


def listed(kind: str, *entries: str) -> bytes:
    return json.dumps(
        {"name": "A list", "description": "What", "version": 3, "type": kind,
         "matching_attributes": ["domain"], "list": entries}
    ).encode()  # fmt: skip


def lists_of(pack: WarningPack, key: int) -> tuple[int, ...]:
    keys, groups = unpacked(pack.values)
    places = np.flatnonzero(keys == key)
    return pack.groups[groups[places[0]]] if len(places) else ()


def test_each_list_says_what_it_is() -> None:
    pack = build([("tranco10k", listed("hostname", "a.com")), ("mine", listed("string", "b.com"))])
    first, second = pack.lists
    assert (first.id, first.name, first.version, first.size) == ("tranco10k", "A list", 3, 1)
    assert (first.meaning, first.rank) == (Meaning.POPULAR, 10_000)
    assert second.meaning is Meaning.LISTED


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("rfc1918", Meaning.RESERVED),
        ("shodan-nt-scanning", Meaning.SCANNER),
        ("onyphe-scanner", Meaning.SCANNER),
        ("url-shortener", Meaning.ABUSED),
        ("public-dns-v4", Meaning.SERVICE),
        ("amazon-aws", Meaning.SHARED),
    ],
)
def test_lists_do_not_all_say_the_same(name: str, meaning: Meaning) -> None:
    assert meaning_of(name) == (meaning, 0)


def test_a_value_of_several_lists_is_kept_once() -> None:
    pack = build([("a", listed("string", "X.com", "y.com")), ("b", listed("string", "x.com"))])
    keys, _ = unpacked(pack.values)
    assert len(keys) == 2
    assert lists_of(pack, key_of("x.com")) == (0, 1)
    assert lists_of(pack, key_of("y.com")) == (0,)
    assert lists_of(pack, key_of("z.com")) == ()


def test_a_name_with_all_below_it_is_kept_with_a_dot() -> None:
    pack = build([("a", listed("hostname", "x.com", ".y.com")), ("rfc6761", listed("string", "z"))])
    assert lists_of(pack, key_of(".x.com")) == lists_of(pack, key_of(".y.com")) == (0,)
    assert lists_of(pack, key_of(".z")) == (1,)
    assert lists_of(pack, key_of("x.com")) == ()


@given(st.sets(st.integers(0, 2**40 - 1).map(str)))
def test_every_value_is_found_again(values: set[str]) -> None:
    pack = build([("a", listed("string", *sorted(values)))])
    keys, groups = unpacked(pack.values)
    assert keys.tolist() == sorted({key_of(value) for value in values})
    assert {pack.groups[group] for group in groups.tolist()} <= {(0,)}


_ADDRESSES = st.integers(0, 2**32 - 1)


@given(st.lists(st.tuples(_ADDRESSES, st.integers(8, 32), st.booleans()), max_size=12), _ADDRESSES)
def test_an_address_is_in_every_network_that_has_it(
    networks: list[tuple[int, int, bool]], address: int
) -> None:
    sides: dict[bool, list[str]] = {False: [], True: []}
    expected = set()
    for start, bits, side in networks:
        sides[side].append(f"{IPv4Address(start)}/{bits}")
        if start >> (32 - bits) == address >> (32 - bits):
            expected.add(int(side))
    pack = build([(str(side), listed("cidr", *entries)) for side, entries in sides.items()])
    starts, groups = unpacked(pack.networks4)
    place = int(np.searchsorted(starts, np.uint64(address), side="right")) - 1
    assert set(pack.groups[groups[place]] if place >= 0 else ()) == expected


def test_networks_of_version_six_end_where_they_end() -> None:
    pack = build([("a", listed("cidr", "2001:db8::/32", "ff00::/8"))])
    starts = [start.hex() for start, _ in pack.networks6]
    assert starts == ["20010db8" + "0" * 24, "20010db9" + "0" * 24, "ff" + "0" * 30]
    assert [pack.groups[group] for _, group in pack.networks6] == [(0,), (), (0,)]


def test_parts_and_expressions_are_kept_as_they_are() -> None:
    pack = build(
        [
            ("a", listed("substring", "one.com", "/some/path")),
            ("b", listed("regex", "/^(noc|soc)\\@/i", "/(?=no)/")),
        ]
    )
    assert lists_of(pack, key_of(".one.com")) == (0,)
    assert pack.substrings == (("/some/path", 0),)
    assert pack.patterns == (("(?i)^(noc|soc)\\@", 1),)


def test_what_the_suffix_list_says_is_left_out() -> None:
    assert build([("tlds", listed("string", "COM"))]).lists == ()


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b'{"name": 1}', listed("cidr", "1.2.3.4/99"), b'{"list": ["a"'],
)  # fmt: skip
def test_what_is_no_list_is_refused_by_its_name(raw: bytes) -> None:
    with pytest.raises(CatalogError, match="warning list broken cannot be read"):
        build([("broken", raw)])


def test_the_installed_lists_make_a_pack() -> None:
    info, pack = build_default()
    assert (info.name, info.licence) == (NAME, "BSD-3-Clause")
    assert info.version
    assert len(pack.lists) > 100
    assert Meaning.LISTED not in {one.meaning for one in pack.lists}
    keys, groups = unpacked(pack.values)
    assert len(keys) == len(groups) > 2_000_000
    assert bool(np.all(keys[1:] > keys[:-1]))
    names = {pack.lists[n].id for n in lists_of(pack, key_of("d41d8cd98f00b204e9800998ecf8427e"))}
    assert "empty-hashes" in names
