"""The rules by which behaviours are recognised as techniques, read from the files beside."""

from collections import Counter
from functools import cache
from importlib.resources import files

import msgspec

from ctiscraper.enrich.phrases import NEAR
from ctiscraper.errors import CatalogError

_FOLDER = "techniques"
_WORDS = "words.yaml"


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one technique is recognised: any phrase of `when`, and no word of `unless` beside it.

    Each of the `examples` has to match and no counterexample may. `near` is how far the words of
    a phrase may stand apart. What it finds counts where so many `sentences` of the text speak of
    the technique, whatever says so.
    """

    id: str
    technique: str
    when: tuple[str, ...]
    unless: str = ""
    near: int = NEAR
    sentences: int = 1
    examples: tuple[str, ...]
    counterexamples: tuple[str, ...]


class Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What rules share.

    `lists` are words that phrases name with `@`. A sentence with a word of `advice` or that begins
    with one of `orders` tells readers what to do; a word of `negation` stands before what did not
    happen. `ambiguous` are names of techniques that are words of every day, and `preferred` the
    techniques that a name means which several have. A short name of everyday words alone is
    believed if one of them is `telling`, and else where its sentence is `naming` techniques.
    """

    lists: dict[str, str]
    advice: tuple[str, ...]
    orders: tuple[str, ...]
    negation: tuple[str, ...]
    ambiguous: tuple[str, ...]
    preferred: tuple[str, ...]
    telling: tuple[str, ...]
    naming: tuple[str, ...]
    context: dict[str, str]


@cache
def load_words() -> Words:
    """Return what rules share."""
    raw = files("ctiscraper.enrich").joinpath(_FOLDER, _WORDS).read_bytes()
    return msgspec.yaml.decode(raw, type=Words)


@cache
def load_rules() -> tuple[Rule, ...]:
    """Return every rule, by the names of the files and in their order.

    Raises CatalogError where two have one id.
    """
    folder = files("ctiscraper.enrich").joinpath(_FOLDER)
    names = sorted(
        one.name for one in folder.iterdir() if one.name.endswith(".yaml") and one.name != _WORDS
    )
    rules = tuple(
        rule
        for name in names
        for rule in msgspec.yaml.decode(folder.joinpath(name).read_bytes(), type=tuple[Rule, ...])
    )
    twice = [name for name, count in Counter(rule.id for rule in rules).items() if count > 1]
    if twice:
        raise CatalogError(
            [f"rule {name} stands twice in the rules of techniques" for name in twice]
        )
    return rules
