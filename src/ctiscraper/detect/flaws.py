"""Why a rule cannot be used, in kinds: the words that a stranger's rule has are in none of them."""

from dataclasses import dataclass
from enum import StrEnum

from ctiscraper.detect.drafted import Checked, Draft
from ctiscraper.errors import InputError


class Flaw(StrEnum):
    """What is wrong with a rule; `fault_words` has what it is called."""

    NO_YAML = "no_yaml"
    NO_RULE = "no_rule"
    NOT_TAKEN = "not_taken"
    UNKNOWN_LOG = "unknown_log"
    UNPROVED = "unproved"
    INVALID = "invalid"
    TOO_GENERAL = "too_general"
    NOT_TRIED = "not_tried"
    ORDINARY = "ordinary"
    NOTHING_SHOWN = "nothing_shown"
    NO_MATCH = "no_match"


class RuleError(InputError):
    """A text that is no rule to work with: the message may repeat it, `flaw` does not."""

    def __init__(self, flaw: Flaw, message: str) -> None:
        """Keep the kind beside the message."""
        super().__init__(message)
        self.flaw = flaw


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRule:
    """A rule of a model that does not hold; `told` is for the model alone, as it may repeat it."""

    flaw: Flaw
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a model's answer gave: drafts, each with what was found out about it, and the rest."""

    drafts: tuple[tuple[Draft, Checked], ...]
    refused: tuple[RefusedRule, ...]


TOO_GENERAL = "it matches nearly every event of its log: {reason}"
_SHOWN = 120


def flaw_of(found: Checked) -> tuple[Flaw, str] | None:
    """Return why a rule is not to be used, in a kind and in the very words; None: it may be."""
    replay = found.replay
    fatal = next((issue.what for issue in found.issues if issue.fatal), None)
    if fatal is not None:
        return _kind(fatal, replay.failure), fatal
    if replay.benign_matched:
        return (
            Flaw.ORDINARY,
            f"it matches ordinary events as well: {replay.false_hits[0][:_SHOWN]}",
        )
    if not replay.positives:
        return Flaw.NOTHING_SHOWN, "there is nothing of the article that it could be tried on"
    if not replay.matched:
        return Flaw.NO_MATCH, "it matches nothing of what the article shows"
    return None


def _kind(fatal: str, failure: str) -> Flaw:
    if failure and fatal == failure:
        return Flaw.NOT_TRIED
    is_general = fatal.startswith(TOO_GENERAL.partition("{")[0])
    return Flaw.TOO_GENERAL if is_general else Flaw.INVALID
