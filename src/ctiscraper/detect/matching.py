"""Whether a rule matches an event, by what Sigma's specification says of values and conditions.

Regular expressions run on RE2, so that none takes longer than its text is long.
"""

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import re2
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionItem,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.rule import SigmaRule
from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaType,
    SpecialChars,
)

from ctiscraper.errors import InputError

Fields = Mapping[str, str]
Test = Callable[[Fields], bool]
_ValueTest = Callable[[str], bool]

MOST_TESTS = 5_000
"""How many values a rule compares at most, once all that stands for many is written out."""

_MEMORY = 8 << 20
_WILDCARDS = {SpecialChars.WILDCARD_MULTI: ".*", SpecialChars.WILDCARD_SINGLE: "."}
_FLAGS = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}


def matcher_of(rule: SigmaRule) -> Test:
    """Return what says whether a rule matches the fields of an event. Raises InputError."""
    budget = [MOST_TESTS]
    tests = [_test(condition.parsed, budget) for condition in rule.detection.parsed_condition]
    return _any(tests)


def _test(item: Any, budget: list[int]) -> Test:  # noqa: ANN401 - a union that pySigma has no one name for
    match item:
        case ConditionOR():
            return _any([_test(arg, budget) for arg in item.args])
        case ConditionAND():
            return _all([_test(arg, budget) for arg in item.args])
        case ConditionNOT():
            return _not(_test(item.args[0], budget))
        case ConditionFieldEqualsValueExpression():
            return _field(item.field, item.value, budget)
        case ConditionValueExpression():
            return _keyword(item.value, budget)
        case ConditionItem() | None:
            raise InputError("the condition leaves nothing to compare")
        case _:
            raise InputError(
                f"the condition has a part that is not understood: {type(item).__name__}"
            )


def _any(tests: Iterable[Test]) -> Test:
    listed = tuple(tests)
    return lambda fields: any(test(fields) for test in listed)


def _all(tests: Iterable[Test]) -> Test:
    listed = tuple(tests)
    return lambda fields: all(test(fields) for test in listed)


def _not(test: Test) -> Test:
    return lambda fields: not test(fields)


def _field(name: str, value: SigmaType, budget: list[int]) -> Test:
    match value:
        case SigmaExpansion():
            return _any([_field(name, one, budget) for one in value.values])
        case SigmaNull():
            return lambda fields: not fields.get(name)
        case SigmaExists():
            wanted = bool(value.exists)
            return lambda fields: (name in fields) is wanted
        case SigmaFieldReference():
            return _reference(name, value)
        case _:
            test = _value(value, budget)
            return lambda fields: name in fields and test(fields[name])


def _keyword(value: SigmaType, budget: list[int]) -> Test:
    """Return whether a value stands anywhere in an event."""
    if isinstance(value, SigmaExpansion):
        return _any([_keyword(one, budget) for one in value.values])
    if isinstance(value, SigmaString):
        inside = SpecialChars.WILDCARD_MULTI + value + SpecialChars.WILDCARD_MULTI
        test = _value(inside, budget)
    else:
        test = _value(value, budget)
    return lambda fields: any(test(field) for field in fields.values())


def _reference(name: str, value: SigmaFieldReference) -> Test:
    def test(fields: Fields) -> bool:
        if name not in fields or value.field not in fields:
            return False
        one, other = fields[name].lower(), fields[value.field].lower()
        if value.starts_with and value.ends_with:
            return other in one
        if value.starts_with:
            return one.startswith(other)
        return one.endswith(other) if value.ends_with else one == other

    return test


def _value(value: SigmaType, budget: list[int]) -> _ValueTest:
    budget[0] -= 1
    if budget[0] < 0:
        raise InputError(f"the rule compares more than {MOST_TESTS:,} values")
    match value:
        case SigmaString():
            return _string(value)
        case SigmaRegularExpression():
            return _regular(str(value.regexp), value.flags)
        case SigmaCIDRExpression():
            return _network(value)
        case SigmaBool():
            wanted = str(value).lower()
            return lambda field: field.lower() == wanted
        case SigmaNumber():
            return _number(value)
        case SigmaCompareExpression():
            return _comparison(value)
        case _:
            raise InputError(f"values of the kind {type(value).__name__} cannot be tried here")


def _string(value: SigmaString) -> _ValueTest:
    """Return whether a field is a string, whose wildcards stand for anything."""
    pieces = list(value.s)
    is_cased = isinstance(value, SigmaCasedString)
    if any(not isinstance(piece, str | SpecialChars) for piece in pieces):
        raise InputError("a placeholder has no value here")
    plain = [piece for piece in pieces if isinstance(piece, str)]
    if len(plain) == 1 and SpecialChars.WILDCARD_SINGLE not in pieces:
        return _simple(plain[0], pieces[0] != plain[0], pieces[-1] != plain[0], is_cased=is_cased)
    pattern = "".join(re2.escape(p) if isinstance(p, str) else _WILDCARDS[p] for p in pieces)  # type: ignore[index]  # no placeholder is left
    compiled = _compiled(f"(?s{'' if is_cased else 'i'})^(?:{pattern})$")
    return lambda field: compiled.search(field) is not None


def _simple(text: str, before: bool, after: bool, *, is_cased: bool) -> _ValueTest:
    fold = str if is_cased else str.lower
    wanted = fold(text)
    if before and after:
        return lambda field: wanted in fold(field)
    if before:
        return lambda field: fold(field).endswith(wanted)
    if after:
        return lambda field: fold(field).startswith(wanted)
    return lambda field: fold(field) == wanted


def _regular(pattern: str, flags: Iterable[SigmaRegularExpressionFlag]) -> _ValueTest:
    chosen = "".join(sorted(_FLAGS[flag] for flag in flags))
    compiled = _compiled(f"(?{chosen}){pattern}" if chosen else pattern)
    return lambda field: compiled.search(field) is not None


def _compiled(pattern: str) -> Any:  # noqa: ANN401 - re2 has no types
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise InputError(f"RE2 does not take the expression {pattern[:80]!r}: {error}") from error


def _network(value: SigmaCIDRExpression) -> _ValueTest:
    network = ipaddress.ip_network(str(value.cidr), strict=False)

    def test(field: str) -> bool:
        try:
            return ipaddress.ip_address(field) in network
        except ValueError:
            return False

    return test


def _number(value: SigmaNumber) -> _ValueTest:
    def test(field: str) -> bool:
        try:
            return float(field) == float(value.number)
        except ValueError:
            return False

    return test


def _comparison(value: SigmaCompareExpression) -> _ValueTest:
    bound = float(value.number.number)
    compare: dict[CompareOperators, Callable[[float], bool]] = {
        CompareOperators.LT: lambda given: given < bound,
        CompareOperators.LTE: lambda given: given <= bound,
        CompareOperators.GT: lambda given: given > bound,
        CompareOperators.GTE: lambda given: given >= bound,
    }
    if value.op not in compare:
        raise InputError(f"a comparison by {value.op.name} cannot be tried here")
    chosen = compare[value.op]

    def test(field: str) -> bool:
        try:
            return chosen(float(field))
        except ValueError:
            return False

    return test


def atoms_of(rule: SigmaRule) -> tuple[str, ...]:
    """Return the strings that a rule looks for, each once, without their wildcards."""
    found: dict[str, None] = {}
    for condition in rule.detection.parsed_condition:
        for value in _values(condition.parsed):
            if isinstance(value, SigmaString):
                found.update((piece.strip(), None) for piece in value.s if isinstance(piece, str))
    return tuple(atom for atom in found if atom)


def _values(item: Any) -> Iterator[SigmaType]:  # noqa: ANN401 - as in _test
    if isinstance(item, ConditionNOT):
        return
    if isinstance(item, ConditionFieldEqualsValueExpression | ConditionValueExpression):
        value = item.value
        yield from value.values if isinstance(value, SigmaExpansion) else (value,)
        return
    for arg in getattr(item, "args", ()):
        yield from _values(arg)
