"""Everything that is found out about a rule: its form, its tags, and how it does on events."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule
from sigma.validation import SigmaValidator
from sigma.validators.base import SigmaValidationIssueSeverity
from sigma.validators.core import validators

from ctiscraper.detect.converting import convert_all
from ctiscraper.detect.drafted import Checked, Event, Issue, Rule
from ctiscraper.detect.flaws import TOO_GENERAL
from ctiscraper.detect.matching import atoms_of
from ctiscraper.detect.reading import is_technique, read_rule, told_of
from ctiscraper.detect.replay import replay
from ctiscraper.errors import InputError

# They fetch MITRE's data when they are asked; techniques are looked up in the product's own.
_DOWNLOADING = frozenset({"attacktag", "d3fendtag"})
_NEEDED = ("title", "id", "description", "level")
_SHORTEST = 3


def check(
    text: str, positives: Sequence[Event], techniques: Mapping[str, str] | None = None
) -> Checked:
    """Return what is found out about a rule; a text that is none has that as its fault.

    `techniques` has what is known of ATT&CK: of each number or tactic nothing, or what took its
    place. Without it tags are held for good.
    """
    try:
        rule = read_rule(text)
        atoms = atoms_of(rule)
    except (InputError, SigmaError) as error:
        return Checked(rule=Rule(), issues=(Issue(what=str(error)),))
    issues = (*_form(rule), *_tags(rule, techniques), *_generality(rule, atoms))
    tried = replay(rule, positives)
    if tried.failure:
        issues = (*issues, Issue(what=tried.failure))
    return Checked(
        rule=told_of(rule, atoms), issues=issues, replay=tried, queries=convert_all(text)
    )


@cache
def _validators() -> tuple[type, ...]:
    return tuple(
        made
        for name, made in validators.items()
        if name.replace("_", "").lower() not in _DOWNLOADING
    )


def _form(rule: SigmaRule) -> Iterator[Issue]:
    for name in _NEEDED:
        if not getattr(rule, name, None):
            yield Issue(what=f"it has no {name}")
    for error in rule.errors:
        yield Issue(what=str(error))
    for issue in SigmaValidator(list(_validators())).validate_rule(rule):
        more = ", ".join(
            str(value)
            for name, value in vars(issue).items()
            if name not in {"rules", "severity", "description"} and isinstance(value, str)
        )
        yield Issue(
            what=f"{issue.description}{f': {more}' if more else ''}",
            fatal=issue.severity is SigmaValidationIssueSeverity.HIGH,
        )


def _tags(rule: SigmaRule, techniques: Mapping[str, str] | None) -> Iterator[Issue]:
    for tag in rule.tags:
        if techniques is None or tag.namespace != "attack":
            continue
        known = tag.name.upper() if is_technique(tag.name) else tag.name.replace("_", "-")
        if known not in techniques and not _is_group(tag.name):
            yield Issue(what=f"ATT&CK has no {tag.name}")
        elif techniques.get(known):
            yield Issue(what=f"ATT&CK has {techniques[known]} in the place of {known}", fatal=False)


def _is_group(name: str) -> bool:
    """Whether a tag names a group or a piece of software, which are not looked up here."""
    return name[:1].lower() in {"g", "s"} and name[1:].isdigit()


def _generality(rule: SigmaRule, atoms: Sequence[str]) -> Iterator[Issue]:
    """Return why a rule tells nothing apart, if it does not."""
    if not (rule.logsource.category or rule.logsource.service or rule.logsource.product):
        yield Issue(what=TOO_GENERAL.format(reason="it names no log"))
    if atoms and all(len(atom.strip("\\/.*? ")) < _SHORTEST for atom in atoms):
        yield Issue(what=TOO_GENERAL.format(reason="what it looks for is in every line"))
    elif atoms and _is_shell_alone(atoms):
        yield Issue(what=TOO_GENERAL.format(reason=f"it looks for {atoms[0]} alone"))


_EVERYWHERE = frozenset(
    """
    bash cmd conhost curl explorer msiexec net powershell python reg rundll32 sc schtasks sh
    svchost taskhostw wget whoami
    """.split()  # noqa: SIM905 - read as words
)


def _is_shell_alone(atoms: Sequence[str]) -> bool:
    names = {atom.strip("\\/ ").lower().removesuffix(".exe") for atom in atoms}
    return names <= _EVERYWHERE
