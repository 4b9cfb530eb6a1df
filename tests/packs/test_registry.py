"""The packs that this program knows, and what their defaults are made of."""

from dataclasses import replace
from importlib.metadata import version

import pytest

import make_packs as make
from ctiscraper.errors import PackError
from ctiscraper.packs.registry import (
    KNOWN,
    build_default,
    is_newer_build,
    known_pack,
    read_known,
)


@pytest.mark.parametrize("name", KNOWN)
def test_every_default_is_built_and_read_again(name: str) -> None:
    data = build_default(known_pack(name))
    pack, records = read_known(data)
    assert pack.info.name == name
    assert pack.info.version
    assert pack.info.licence
    assert isinstance(records, known_pack(name).type())
    assert build_default(known_pack(name)) == data


def test_a_pack_of_another_program_is_refused() -> None:
    with pytest.raises(PackError, match="no data pack 'zoo' in this version"):
        read_known(make.zoo("1", "a"))
    pack, records = read_known(make.zoo("1", "a"), make.WITH_ZOO)
    assert (pack.info.version, records) == ("1", make.zoo_of("a"))


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ("1.10.0+1", "1.9.9+1"),
        ("1.1.1+2", "1.1.1+1"),
        ("2.0+1", "1.9+7"),
        ("0+2", "0+1"),
        ("1.0+1", "rubbish"),
        ("1.0 2.1+1", "1.0 2.0+1"),
        ("1.0 2.0+1", "1.0+1"),
    ],
)
def test_builds_are_compared_by_package_and_edition(newer: str, older: str) -> None:
    assert is_newer_build(newer, older)
    assert not is_newer_build(older, newer)
    assert not is_newer_build(newer, newer)


def test_a_build_names_package_and_edition() -> None:
    assert KNOWN["cve"].build() == "0+1"
    assert KNOWN["sigma"].build().endswith("+1")
    assert is_newer_build(KNOWN["sigma"].build(), "1.0+1")
    two = replace(KNOWN["sigma"], package="msgspec", also=("numpy",), edition=3)
    assert two.build() == f"{version('msgspec')} {version('numpy')}+3"
