"""Our own lists: complete, and free of what they would be wrong by."""

from ctiscraper.intelligence import Name
from ctiscraper.packs.own_lists import BESIDE, corrections, own_entries


def test_every_sector_is_one_of_the_galaxy() -> None:
    sectors = [one for one in own_entries() if one.kind is Name.SECTOR]
    assert len(sectors) > 50
    assert [one.name for one in sectors if one.value.startswith("sector:")] == []
    assert any(alias.startswith(BESIDE) for alias in sectors[0].aliases)


def test_every_country_of_ours_is_one_of_the_galaxy() -> None:
    countries = {one.value: one for one in own_entries() if one.kind is Name.COUNTRY}
    assert countries["KP"].name == "North Korea"
    assert "DPRK" in countries["KP"].aliases
    assert countries["BA"].name == "Bosnia and Herzegovina"
    assert countries["GW"].name == "Guinea-Bissau"


def test_several_hundred_products_are_known_each_once() -> None:
    products = [one.value for one in own_entries() if one.kind is Name.PRODUCT]
    assert len(products) > 500
    assert len(set(products)) == len(products)


def test_what_is_never_believed_is_no_tool_of_ours() -> None:
    corrected = corrections()
    assert not {name.lower() for name in corrected.tools} & set(corrected.never)
