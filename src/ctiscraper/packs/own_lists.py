"""Names from lists of our own: vendors and products, sectors, countries, and corrections."""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

import msgspec
import yaml

from ctiscraper.intelligence import Name
from ctiscraper.packs.clusters import cluster
from ctiscraper.packs.records import Entry

OWN = "ctiscraper"
ADJECTIVE = "adjective"
LEGITIMATE = "legitimate"
"""The types of an adjective of a country, and of a program that is not made to harm."""
BESIDE = "beside "
"""Begins an alias of a sector that needs a word such as *sector* or *companies* behind it."""

_SMALL_WORDS = frozenset(("and", "of", "the"))


class Corrections(msgspec.Struct, frozen=True):
    """What the installed lists have wrong for the reading of texts."""

    never: list[str]
    tools: dict[str, list[str]]
    proper: list[str]


class _Meta(msgspec.Struct):
    iso: str = msgspec.field(name="ISO", default="")


class _Place(msgspec.Struct):
    value: str
    uuid: str
    meta: _Meta = msgspec.field(default_factory=_Meta)


class _Places(msgspec.Struct):
    values: list[_Place]


class _Words(msgspec.Struct, frozen=True):
    names: list[str] = []
    adjectives: list[str] = []


class _Variants(msgspec.Struct, frozen=True):
    alone: list[str] = []
    beside: list[str] = []


def corrections() -> Corrections:
    """Return our corrections of the installed lists."""
    return msgspec.convert(_own("corrections.yaml"), Corrections)


def own_entries() -> Iterator[Entry]:
    """Return vendors, products, sectors and countries."""
    yield from _products()
    yield from _sectors()
    yield from _countries()


def _own(name: str) -> Any:  # noqa: ANN401 - a file may hold anything; readers check it
    return yaml.safe_load(files("ctiscraper.packs").joinpath(name).read_text("utf-8"))


def _slug(*names: str) -> str:
    return ":".join(re.sub(r"[^\w+.#]+", "-", name.lower()).strip("-") for name in names)


def _products() -> Iterator[Entry]:
    for vendor, listed in _own("products.yaml").items():
        products: Mapping[str, Sequence[str]] = listed or {}
        also = products.get("also", ())
        if also != "-":
            yield Entry(
                kind=Name.VENDOR, value=_slug(vendor), name=vendor, aliases=tuple(also),
                origins=(OWN,),
            )  # fmt: skip
        for name, aliases in products.items():
            if name != "also":
                yield Entry(
                    kind=Name.PRODUCT, value=_slug(vendor, name), name=name, maker=vendor,
                    aliases=tuple(aliases), origins=(OWN,),
                )  # fmt: skip


def _sectors() -> Iterator[Entry]:
    known = {one.value: one.uuid for one in _places("sector")}
    for name, raw in _own("sectors.yaml").items():
        said = msgspec.convert(raw, _Variants)
        beside = (f"{BESIDE}{word}" for word in said.beside)
        yield Entry(
            kind=Name.SECTOR, value=known.get(name, _slug("sector", name)), name=name,
            aliases=(*said.alone, *beside), origins=("sector", OWN),
        )  # fmt: skip


def _countries() -> Iterator[Entry]:
    words = msgspec.convert(_own("countries.yaml"), dict[str, _Words])
    for place in _places("country"):
        code = place.meta.iso
        said = words.get(code, _Words())
        name = _titled(place.value)
        yield Entry(
            kind=Name.COUNTRY, value=code or place.uuid, name=name, aliases=tuple(said.names),
            origins=("country", OWN), country=code,
        )  # fmt: skip
        if said.adjectives:
            yield Entry(
                kind=Name.COUNTRY, value=f"{code}:{ADJECTIVE}", name=name, country=code,
                aliases=tuple(said.adjectives), origins=(OWN,), type=ADJECTIVE,
            )  # fmt: skip


def _places(name: str) -> list[_Place]:
    return msgspec.json.decode(cluster(name), type=_Places).values


def _titled(name: str) -> str:
    words = name.split()
    return " ".join(
        word if number and word in _SMALL_WORDS else word.upper() if "." in word else
        "-".join(part.capitalize() for part in word.split("-"))
        for number, word in enumerate(words)
    )  # fmt: skip
