"""Drafts by a language model: taken only as far as the article and the same proof bear them out."""

import re
from collections.abc import Mapping
from dataclasses import replace

import yaml
from sigma.exceptions import SigmaError

from ctiscraper.analysis.orders import orders_in
from ctiscraper.analysis.plain import first_sentence, plain_line
from ctiscraper.defang import refanged
from ctiscraper.detect.checking import check
from ctiscraper.detect.drafted import Checked, Draft, Material, Origin, Quotation
from ctiscraper.detect.drafting import events_of, tags_of
from ctiscraper.detect.flaws import Answered, Flaw, RefusedRule, RuleError, flaw_of
from ctiscraper.detect.matching import atoms_of
from ctiscraper.detect.reading import read_rule
from ctiscraper.detect.writing import Parts, rule_id, write_rule

MOST_RULES = 5
"""How many rules of one answer are looked at."""

By = tuple[str, str]

_FENCE = re.compile(r"```(?:ya?ml)?\s*\n(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
_LEVELS = frozenset({"informational", "low", "medium", "high", "critical"})
_LONGEST_TITLE = 120
# What a model says of its own rule cannot be proved: it is not handed on.
_DESCRIPTION = "Detects what the referenced report shows, as a language model put it into a rule"
_LOGGED = ("category", "product", "service")
_NAME = re.compile(r"\w{1,40}", re.ASCII)
_UNTITLED = "Rule of a Model for {}"
_TELLING = 4
# Of what a rule looks for at least so much stands in the article word for word.
_PROVED = 0.5


def assess_answer(
    answer: str, material: Material, *, by: By, techniques: Mapping[str, str] | None = None
) -> Answered:
    """Return the drafts of an answer that hold, and why the others do not.

    `by` are the model that answered and the version of what it was told.
    """
    held: list[tuple[Draft, Checked]] = []
    refused: list[RefusedRule] = []
    for text in rules_of(answer):
        found = _proved(text, material, by, techniques)
        if isinstance(found, RefusedRule):
            refused.append(found)
        else:
            held.append(found)
    return Answered(drafts=tuple(held), refused=tuple(refused))


def rules_of(answer: str) -> list[str]:
    """Return the texts of an answer that may be rules."""
    blocks = _FENCE.findall(answer) or [answer]
    pieces = [piece.strip() for block in blocks for piece in re.split(r"(?m)^---\s*$", block)]
    return [piece for piece in pieces if piece][:MOST_RULES]


def _proved(
    text: str, material: Material, by: By, techniques: Mapping[str, str] | None
) -> tuple[Draft, Checked] | RefusedRule:
    try:
        draft = _draft(text, material, by)
    except RuleError as error:
        return RefusedRule(flaw=error.flaw, told=str(error))
    except SigmaError as error:
        return RefusedRule(flaw=Flaw.NO_RULE, told=str(error))
    found = check(draft.yaml, draft.events, techniques)
    flaw = flaw_of(found)
    if flaw:
        return RefusedRule(flaw=flaw[0], told=flaw[1])
    # What it was tried on and does not match is another rule's.
    matched = tuple(
        event
        for event, hit in zip(draft.events, found.replay.positives, strict=True)
        if hit.matched
    )
    draft = replace(draft, events=matched)
    return draft, check(draft.yaml, matched, techniques)


def _draft(text: str, material: Material, by: By) -> Draft:
    """Return a rule with what we know better than its model. Raises RuleError and SigmaError."""
    rule = read_rule(text)
    atoms = atoms_of(rule)
    evidence = quotations(atoms, material.text)
    telling = [atom for atom in atoms if len(atom) >= _TELLING]
    if not evidence or len({one.item for one in evidence}) < _PROVED * len(telling):
        raise RuleError(Flaw.UNPROVED, "less than half of what it looks for stands in the article")
    given = yaml.safe_load(text)
    logsource = {
        name: str(given["logsource"][name]) for name in _LOGGED if given["logsource"].get(name)
    }
    for name in given["detection"]:
        if not _NAME.fullmatch(str(name)):
            raise RuleError(
                Flaw.NAMED, "a part of its detection has a name that says more than a name"
            )
    places = tuple((one.start, one.end) for one in evidence)
    parts = Parts(
        title=_title(str(rule.title or ""), evidence),
        description=_DESCRIPTION,
        logsource=logsource,
        detection=given["detection"],
        tags=tags_of(places, material),
        level=str(rule.level or "").lower() if str(rule.level or "").lower() in _LEVELS else "low",
        falsepositives=("Not known: a model wrote this rule",),
    )
    number = rule_id(material.url, logsource, given["detection"])
    written = write_rule(
        parts,
        id=number,
        url=material.url,
        author=f"{material.author}, by {by[0]}",
        day=material.day,
    )
    return Draft(
        rule_id=number,
        title=parts.title,
        yaml=written,
        evidence=evidence,
        events=events_of(material),
        origin=Origin.MODEL,
        model=by[0],
        prompt=by[1],
    )


def _title(given: str, evidence: tuple[Quotation, ...]) -> str:
    """Return a model's title where it is plain and tells of what was quoted, else one of ours."""
    title = first_sentence(plain_line(given, _LONGEST_TITLE))
    quoted = {word for one in evidence for word in _words(one.quote)}
    if title and not orders_in(given) and quoted & _words(title):
        return title
    return _UNTITLED.format(plain_line(evidence[0].quote, _LONGEST_TITLE))


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.lower()) if len(word) >= _TELLING}


def quotations(atoms: tuple[str, ...], text: str) -> tuple[Quotation, ...]:
    """Return where the article has what a rule looks for, in the very words.

    What it says to a model proves nothing.
    """
    lowered = text.lower()
    if len(lowered) != len(text):
        return ()
    orders = orders_in(text)
    found = []
    for atom in atoms:
        wanted = refanged(atom).strip(" \\/").lower()
        if len(wanted) < _TELLING:
            continue
        at = _outside(wanted, lowered, orders)
        if at >= 0:
            end = at + len(wanted)
            found.append(Quotation(item=atom, quote=text[at:end], start=at, end=end))
    return tuple(found)


def _outside(wanted: str, text: str, spans: tuple[tuple[int, int], ...]) -> int:
    """Return where a text has words first, outside of some places; -1 where it has not."""
    at = text.find(wanted)
    while at >= 0:
        beyond = [end for start, end in spans if start < at + len(wanted) and at < end]
        if not beyond:
            return at
        at = text.find(wanted, max(beyond))
    return -1
