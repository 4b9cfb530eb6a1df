"""How well names are found: against texts in which a reader marked who and what they name."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ctiscraper.enrich.evaluate import Evaluation, Tally
from ctiscraper.enrich.labelled import bundled, reports_of
from ctiscraper.enrich.names import Names
from ctiscraper.intelligence import Mention, Name

# What readers of reports call these; to them ransomware is malware.
_TYPES = {"group": Name.ACTOR, "malware": Name.MALWARE, "tool": Name.TOOL}
_KNOWN = frozenset(Name) - {Name.TECHNIQUE}


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing that a reader marked: the first of its names is its chief name."""

    kind: Name
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NamedText:
    """A text and the things that a reader marked in it; only of `kinds` is anything known.

    Where `by_alias`, names are as they stand in the text, else they are those of the pack.
    """

    name: str
    text: str
    things: tuple[Thing, ...]
    kinds: frozenset[Name]
    by_alias: bool = False


def evaluate_names(corpus: Iterable[NamedText], names: Names) -> Evaluation:
    """Return how well the things that labelled texts name are found, each once a text."""
    tally = Tally()
    for one in corpus:
        chief = {
            (thing.kind, name.lower()): thing.names[0] for thing in one.things
            for name in thing.names
        }  # fmt: skip
        found = set()
        for mention in names.find(one.text):
            kind, said = _found(mention, one)
            if kind in one.kinds:
                found.add((kind, chief.get((kind, said.lower()), said)))
        marked = frozenset((thing.kind, thing.names[0]) for thing in one.things)
        tally.add(one.name, frozenset(found), marked)
    return tally.evaluation()


def _found(mention: Mention, text: NamedText) -> tuple[Name, str]:
    kind = Name(mention.kind)
    if kind is Name.RANSOMWARE and kind not in text.kinds:
        kind = Name.MALWARE
    return kind, mention.alias if text.by_alias else mention.name


def bundled_names() -> list[NamedText]:
    """Return the sentences that come with the program, marked for every kind of name."""
    return [
        NamedText(
            name=f"sentence {number}",
            text=one["text"],
            things=tuple(
                Thing(Name(kind), (name,))
                for kind, names in one.get("names", {}).items()
                for name in names
            ),
            kinds=_KNOWN,
        )
        for number, one in enumerate(bundled("names"), 1)
    ]


def names_in(folder: Path) -> list[NamedText]:
    """Return the reports of a folder with `data/attack/docs.jsonl.gz` whose names are marked.

    Each has `id`, `text` and `entities`: `type`, `name` and `mentions`, as they stand in the text.

    Raises SettingsError and CatalogError.
    """
    return reports_of(folder, "attack", _report)


def _report(read: Mapping[str, object]) -> NamedText | None:
    if read.get("set") != "annoctr":
        return None
    entities = read["entities"]
    if not isinstance(entities, list):
        raise TypeError("a list of entities is needed")
    return NamedText(
        name=str(read["id"]),
        text=str(read["text"]),
        things=tuple(
            Thing(_TYPES[one["type"]], (one["name"], *one["mentions"])) for one in entities
        ),
        kinds=frozenset(_TYPES.values()),
        by_alias=True,
    )
