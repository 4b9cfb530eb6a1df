"""Drafts by a language model: taken only as far as the article and the same proof bear them out."""

import re
from collections.abc import Mapping
from dataclasses import replace

import yaml
from sigma.exceptions import SigmaError

from ctiscraper.analysis.mentions import Vocabulary, vocabulary
from ctiscraper.analysis.orders import orders_in
from ctiscraper.analysis.plain import first_sentence, plain_line
from ctiscraper.analysis.shown import shown
from ctiscraper.detect.checking import check
from ctiscraper.detect.drafted import Checked, Draft, Material, Origin
from ctiscraper.detect.drafting import events_of, tags_of
from ctiscraper.detect.flaws import Answered, Flaw, RefusedRule, RuleError, flaw_of
from ctiscraper.detect.naming import renamed
from ctiscraper.detect.proved import TELLING, Proof
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
_LEFT_OUT = "; alternatives that the report does not show were left out"
_UNTITLED = "Rule of a Model for {}"
_WORDS_OF_ANY_RULE = """
a access activity an and arguments as at attempt attempts beacon behavior behaviour binary by child
command commands communication connection connections create created creates creation credential
delete deleted deletes deletion detect detected detection detects discovery dns domain download
downloaded downloads dump dumping enumeration evasion event events executable executed executes
executing execution exfiltration file files folder for from host image in into key lateral launch
launched launches line load loaded loading loads made movement name network of on or outbound over
parameters parent path persistence pipe possible potential process processes query registry remote
rule run running runs scheduled script server service set staging started starts suspicious task the
to tool traffic upload uploaded uploads url usage use used user uses using value via with within
"""
_OF_ANY_RULE = frozenset(_WORDS_OF_ANY_RULE.split())


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
    """Return a rule with what we know better than its model. Raises RuleError."""
    rule = read_rule(text)
    given = yaml.safe_load(text)
    proof = Proof(material=material, events=events_of(material))
    logsource = proof.log(given["logsource"])
    named = renamed(given["detection"])
    condition = named.pop("condition")
    detection = {name: proof.kept(part) for name, part in named.items()} | {"condition": condition}
    evidence = proof.evidence
    if not evidence:
        raise RuleError(Flaw.UNPROVED, "it looks for nothing that the article has")
    level = str(rule.level or "").lower()
    parts = Parts(
        title=_title(str(rule.title or ""), proof, material.title),
        description=f"{_DESCRIPTION}{_LEFT_OUT if proof.left_out else ''}",
        logsource=logsource,
        detection=detection,
        tags=tags_of([(one.start, one.end) for one in evidence], material),
        level=level if level in _LEVELS else "low",
        falsepositives=("Not known: a model wrote this rule",),
    )
    number = rule_id(material.url, logsource, detection)
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
        events=proof.events,
        origin=Origin.MODEL,
        model=by[0],
        prompt=by[1],
    )


def _title(given: str, proof: Proof, title_of_article: str) -> str:
    """Return a model's title where it is plain and tells of what was quoted, else one of ours.

    One with other words than the article's and those of any rule says what nothing proves.
    """
    evidence = proof.evidence
    title = first_sentence(plain_line(given, _LONGEST_TITLE))
    quoted = {word for one in evidence for word in _words(one.quote)}
    if title and not orders_in(given) and quoted & _words(title):
        article = vocabulary(shown(title_of_article).text, proof.seen)
        if _says_nothing_else(title.casefold(), article):
            return title
    return _UNTITLED.format(plain_line(evidence[0].quote, _LONGEST_TITLE))


def _says_nothing_else(title: str, article: Vocabulary) -> bool:
    words = re.findall(r"[^\W_]+", title)
    known = all(word in _OF_ANY_RULE or article.knows(word) for word in words)
    return known and article.invented(title) is None


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.lower()) if len(word) >= TELLING}
