"""Reading a rule that anybody may have written: bounded before anything is made of it."""

import re
from collections.abc import Iterator

import yaml
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from ctiscraper.detect.drafted import Rule
from ctiscraper.detect.flaws import Flaw, RuleError

MOST_BYTES = 64 << 10
"""How long a rule may be."""
MOST_NODES = 4_000
DEEPEST = 16
MOST_VALUES = 2_000
MOST_DASHES = 5
"""How many dashes a value with `windash` may have: it becomes a value for every spelling of all."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LONGEST_SAID = 300
_DASH = re.compile(r"\B[-/]\b")
_FIELDS = ("correlation", "filter", "action")


def read_rule(text: str) -> SigmaRule:
    """Return the rule of a text that has one and no more. Raises RuleError."""
    _bound(text)
    try:
        given = yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RuleError(Flaw.NO_YAML, f"this is no YAML: {_short(error)}") from error
    if not isinstance(given, dict):
        raise RuleError(Flaw.NO_RULE, "a rule has fields with values: title, logsource, detection")
    for name in _FIELDS:
        if name in given:
            raise RuleError(
                Flaw.NOT_TAKEN,
                f"a rule with {name!r} is not taken: give one rule that stands alone",
            )
    for value in _dashed(given.get("detection")):
        if len(_DASH.findall(value)) > MOST_DASHES:
            raise RuleError(
                Flaw.NOT_TAKEN,
                f"a value with 'windash' has at most {MOST_DASHES} dashes: split it",
            )
    try:
        return SigmaRule.from_dict(given)
    except (SigmaError, TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        raise RuleError(Flaw.NO_RULE, f"this is no rule: {_short(error)}") from error


def told_of(rule: SigmaRule, atoms: tuple[str, ...]) -> Rule:
    """Return what a rule says of itself."""
    tags = tuple(f"{tag.namespace}.{tag.name}" for tag in rule.tags)
    return Rule(
        id=str(rule.id or ""),
        title=rule.title or "",
        level=str(rule.level or "").lower(),
        status=str(rule.status or "").lower(),
        category=rule.logsource.category or "",
        product=rule.logsource.product or "",
        service=rule.logsource.service or "",
        techniques=tuple(
            tag.name.upper()
            for tag in rule.tags
            if tag.namespace == "attack" and is_technique(tag.name)
        ),
        tags=tags,
        atoms=atoms,
    )


def is_technique(name: str) -> bool:
    """Whether the name of a tag of ATT&CK is the number of a technique."""
    return name[:1].lower() == "t" and name[1:2].isdigit()


def _dashed(part: object, *, is_dashed: bool = False) -> Iterator[str]:
    """Yield the values of a detection whose dashes are spelt in every way."""
    if isinstance(part, dict):
        for key, value in part.items():
            yield from _dashed(value, is_dashed="windash" in str(key).split("|"))
    elif isinstance(part, list):
        for one in part:
            yield from _dashed(one, is_dashed=is_dashed)
    elif is_dashed:
        yield str(part)


def _bound(text: str) -> None:
    """Raise RuleError for a text that could be long work: what it says is not looked at yet."""
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise RuleError(Flaw.NOT_TAKEN, f"a rule has at most {MOST_BYTES >> 10} KiB")
    depth = nodes = documents = 0
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise RuleError(
                    Flaw.NOT_TAKEN,
                    "a rule has no anchors and no aliases (& and *): write values out",
                )
            documents += isinstance(event, yaml.DocumentStartEvent)
            nodes += isinstance(event, yaml.NodeEvent)
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if documents > 1 or nodes > MOST_NODES or depth > DEEPEST:
                raise RuleError(
                    Flaw.NOT_TAKEN,
                    f"give one rule with at most {MOST_NODES:,} values, {DEEPEST} levels deep",
                )
    except (yaml.YAMLError, ValueError) as error:
        raise RuleError(Flaw.NO_YAML, f"this is no YAML: {_short(error)}") from error


def _short(error: Exception) -> str:
    said = " ".join(str(error).split())
    return said[:_LONGEST_SAID] or type(error).__name__
