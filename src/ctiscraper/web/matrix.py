"""The ATT&CK matrix as a page shows it: tactics, their techniques, and how often each is named."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Protocol

import msgspec

from ctiscraper.db.techniques import TechniqueCount
from ctiscraper.enrich.navigator import LayerTechnique, navigator_layer
from ctiscraper.errors import NotFoundError
from ctiscraper.packs.attack_matrix import AttackPack, Domain

DOMAINS = {
    "enterprise-attack": "Enterprise",
    "mobile-attack": "Mobile",
    "ics-attack": "ICS",
}
_LAYER_WORDS = "The score of a technique is how many articles name it."
HEATS = 5
"""Into how many steps counts are told apart."""


class KnownTechnique(Protocol):
    """A technique of ATT&CK; one with a `parent` is a sub-technique."""

    @property
    def id(self) -> str: ...  # noqa: D102 - what its name says
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def domains(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def tactics(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def parent(self) -> str: ...  # noqa: D102
    @property
    def revoked(self) -> bool: ...  # noqa: D102
    @property
    def deprecated(self) -> bool: ...  # noqa: D102


class KnownTactic(Protocol):
    """A column of a matrix."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def short_name(self) -> str: ...  # noqa: D102
    @property
    def domain(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A technique of a column; `entity` is the number of its page, None where no article names it.

    `articles` name it, `heat` says how many that are among the others, from 0 to 5. `below` are
    its sub-techniques that articles name.
    """

    id: str
    name: str
    entity: int | None
    articles: int
    heat: int
    below: tuple["Cell", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A tactic with its techniques, those that articles name first; `unnamed` counts the rest."""

    name: str
    cells: tuple[Cell, ...]
    unnamed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """What is known of ATT&CK here; empty where no pack of it is installed."""

    techniques: Sequence[KnownTechnique] = ()
    tactics: Sequence[KnownTactic] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    pack: AttackPack | None = None

    def layer(self, counts: Iterable[TechniqueCount], domain: str, name: str) -> bytes:
        """Return what is counted as a layer of the ATT&CK Navigator. Raises NotFoundError."""
        if self.pack is None:
            raise NotFoundError(
                "no data pack of ATT&CK is installed yet: workers make it when they start"
            )
        techniques = [
            LayerTechnique(technique_id=one.technique.value, score=one.articles) for one in counts
        ]
        return msgspec.json.encode(
            navigator_layer(
                self.pack, techniques, Domain(domain), name=name, description=_LAYER_WORDS
            )
        )

    def columns(self, counts: Iterable[TechniqueCount], domain: str) -> tuple[Column, ...]:
        """Return the columns of one matrix, each technique with how many articles name it."""
        counted = {one.technique.value: one for one in counts}
        most = max((one.articles for one in counted.values()), default=0)
        shown = [one for one in self.techniques if domain in one.domains and not _is_gone(one)]
        below: dict[str, list[Cell]] = {}
        for one in shown:
            if one.parent and one.id in counted:
                below.setdefault(one.parent, []).append(_cell(one, counted, most))
        cells = {
            one.id: _cell(one, counted, most, tuple(sorted(below.get(one.id, ()), key=_rank)))
            for one in shown
            if not one.parent
        }
        return tuple(
            _column(
                tactic.name,
                [
                    cells[one.id]
                    for one in shown
                    if one.id in cells and tactic.short_name in one.tactics
                ],
            )
            for tactic in self.tactics
            if tactic.domain == domain
        )

    def tactics_of(self, technique: str) -> tuple[str, ...]:
        """Return the names of the tactics of a technique, in the order of its matrices."""
        found = next((one for one in self.techniques if one.id == technique), None)
        if found is None:
            return ()
        names = [
            tactic.name
            for tactic in self.tactics
            if tactic.short_name in found.tactics and tactic.domain in found.domains
        ]
        return tuple(dict.fromkeys(names))

    def elsewhere(
        self, counts: Iterable[TechniqueCount], domain: str
    ) -> tuple[TechniqueCount, ...]:
        """Return the techniques that articles name and that this matrix does not have."""
        known = {one.id for one in self.techniques if domain in one.domains and not _is_gone(one)}
        return tuple(one for one in counts if one.technique.value not in known)


def layer_name(articles: int, *, of: str = "") -> str:
    """Return what a layer is called that counts so many articles, `of` what they were sought by."""
    counted = f"{articles} article{'' if articles == 1 else 's'}"
    return f"CTIScraper: techniques in {counted}{f' ({of})' if of else ''}"


def address_of(technique: str) -> str:
    """Return where MITRE describes a technique."""
    return f"https://attack.mitre.org/techniques/{technique.replace('.', '/')}/"


def heat_of(articles: int, most: int) -> int:
    """Return in which step a count is, the greatest in the last; 0 is for none."""
    if not articles or not most:
        return 0
    # By the square root, as few techniques are in most articles and most in few.
    return max(1, min(HEATS, round(sqrt(articles / most) * HEATS)))


def _is_gone(one: KnownTechnique) -> bool:
    return one.revoked or one.deprecated


def _cell(
    one: KnownTechnique,
    counted: Mapping[str, TechniqueCount],
    most: int,
    below: tuple[Cell, ...] = (),
) -> Cell:
    found = counted.get(one.id)
    articles = found.articles if found else 0
    return Cell(
        id=one.id,
        name=one.name,
        entity=found.technique.id if found else None,
        articles=articles,
        heat=heat_of(articles, most),
        below=below,
    )


def _column(name: str, cells: list[Cell]) -> Column:
    named = sorted((cell for cell in cells if cell.articles or cell.below), key=_rank)
    return Column(name=name, cells=tuple(named), unnamed=len(cells) - len(named))


def _rank(cell: Cell) -> tuple[int, str]:
    return -max(cell.articles, *(one.articles for one in cell.below), 0), cell.id
