"""The parts of a detection under names of ours: a name may say more than a name."""

import re
from collections import Counter
from collections.abc import Mapping
from fnmatch import fnmatchcase

from ctiscraper.detect.flaws import Flaw, RuleError

MOST_PARTS = 20
MOST_WORDS = 100
"""How long a condition may be, in words and brackets."""

_TOKEN = re.compile(r"\s*([()]|[\w*-]+)", re.ASCII)
_LINKS = frozenset({"and", "or", "not", "(", ")"})
_JOINED = {"1": " or ", "any": " or ", "all": " and "}
# What stands beside the parts that are looked for.
_BESIDE = frozenset({"condition", "timeframe"})


def renamed(detection: Mapping[object, object]) -> dict[str, object]:
    """Return a detection with plain names, and the same condition over these. Raises RuleError."""
    parts = {str(name): part for name, part in detection.items() if name not in _BESIDE}
    if len(parts) > MOST_PARTS:
        raise RuleError(Flaw.NOT_TAKEN, f"a rule has at most {MOST_PARTS} parts")
    names = _names(list(parts))
    given = detection.get("condition")
    listed = given if isinstance(given, list) else [given]
    said = [_condition(str(one), names) for one in listed]
    whole = said[0] if len(said) == 1 else " or ".join(f"({one})" for one in said)
    return {**{names[name]: part for name, part in parts.items()}, "condition": whole}


def _names(given: list[str]) -> dict[str, str]:
    """Return for each name one that says what kind of part it is."""
    kinds = {name: "filter" if name.lower().startswith("filter") else "selection" for name in given}
    many = Counter(kinds.values())
    seen: Counter[str] = Counter()
    names: dict[str, str] = {}
    for name, kind in kinds.items():
        seen[kind] += 1
        names[name] = f"{kind}_{seen[kind]}" if many[kind] > 1 else kind
    return names


def _condition(words: str, names: Mapping[str, str]) -> str:
    tokens = _tokens(words)
    said: list[str] = []
    at = 0
    while at < len(tokens):
        word = tokens[at]
        if word in names:
            said.append(names[word])
        elif tokens[at + 1 : at + 2] == ["of"] and word in _JOINED and at + 2 < len(tokens):
            said.append(_several(word, tokens[at + 2], names))
            at += 2
        elif word.lower() in _LINKS:
            said.append(word.lower())
        else:
            raise RuleError(Flaw.NO_RULE, f"the condition has {word!r}, which is no part of it")
        at += 1
    return " ".join(said).replace("( ", "(").replace(" )", ")")


def _tokens(words: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    words = words.strip()
    while at < len(words):
        found = _TOKEN.match(words, at)
        if found is None:
            raise RuleError(Flaw.NO_RULE, "the condition has signs that none has")
        tokens.append(found[1])
        at = found.end()
        if len(tokens) > MOST_WORDS:
            raise RuleError(Flaw.NOT_TAKEN, f"a condition has at most {MOST_WORDS} words")
    return tokens


def _several(quantifier: str, pattern: str, names: Mapping[str, str]) -> str:
    """Return the parts that a pattern is of, written out."""
    wanted = "*" if pattern == "them" else pattern
    found = [
        name
        for given, name in names.items()
        if fnmatchcase(given, wanted) and (wanted[:1] == "_" or given[:1] != "_")
    ]
    if not found:
        raise RuleError(Flaw.NO_RULE, f"the condition has {pattern!r}, which is no part of it")
    joined = _JOINED[quantifier].join(found)
    return joined if len(found) == 1 else f"({joined})"
