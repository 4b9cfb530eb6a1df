"""What the faults of language models are called, what can be done, and why claims are dropped."""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from ctiscraper.errors import ModelFault

FAULTS: Mapping[ModelFault, tuple[str, str]] = MappingProxyType(
    {
        ModelFault.OFF: (
            "No model is configured",
            "set CTISCRAPER_MODEL_URL and CTISCRAPER_MODEL, and run a model worker",
        ),
        ModelFault.AWAY: (
            "The server of models does not answer",
            "start it, or mend CTISCRAPER_MODEL_URL; it is asked again by itself, nothing is lost",
        ),
        ModelFault.BROKE_OFF: (
            "The server of models failed over this text",
            "see its log; use a smaller model or CTISCRAPER_MODEL_CONTEXT, then ask again",
        ),
        ModelFault.BUSY: (
            "The server of models has too much to do",
            "wait: it is asked again by itself; lower CTISCRAPER_MODEL_SLOTS if that happens often",
        ),
        ModelFault.TIMEOUT: (
            "The answer did not come in time",
            "allow more with CTISCRAPER_MODEL_SECONDS, or use a smaller model, then ask again",
        ),
        ModelFault.REFUSED: (
            "The server of models refuses",
            "see what it says; for a key look at CTISCRAPER_MODEL_KEY_FILE, then ask again",
        ),
        ModelFault.MODEL_MISSING: (
            "The server does not have this model",
            "pull it there, or name another in CTISCRAPER_MODEL, then ask again",
        ),
        ModelFault.OUT_OF_MEMORY: (
            "The server has too little memory for this model, or for this text with it",
            "give it more, use a smaller model or CTISCRAPER_MODEL_CONTEXT, then ask again",
        ),
        ModelFault.TOO_LONG: (
            "The text is longer than the model can take in",
            "raise CTISCRAPER_MODEL_CONTEXT if the model can take in more, then ask again",
        ),
        ModelFault.CUT_OFF: (
            "The answer was cut off before its end",
            "ask again, or use a model that says less",
        ),
        ModelFault.BAD_ANSWER: (
            "The answer is not of the form that was asked for",
            "ask again, or use a larger model: what it answered is kept with this analysis",
        ),
        ModelFault.WRONG_LANGUAGE: (
            "The answer is in another language than was asked for",
            "ask again, or use a model that knows the language of this article",
        ),
        ModelFault.OVER_BUDGET: (
            "The budget of tokens is spent",
            "raise the budget that is named, or wait for tomorrow if it is a day's, then ask again",
        ),
        ModelFault.TLP: (
            "The text is too guarded to leave this network",
            "use a model on your own network, or raise CTISCRAPER_MODEL_TLP if you may",
        ),
        ModelFault.LOST: (
            "The worker ended before the answer came",
            "it is asked again by itself, five times at most; look into the log of the worker",
        ),
        ModelFault.UNFORESEEN: (
            "This program failed over the text or its answer",
            "see the log of the worker, which has all of it, and report it, then ask again",
        ),
    }
)


DROPPED: Mapping[str, str] = MappingProxyType(
    {
        "unquoted": "quoted words that the article does not have, or too few",
        "unsupported": "had no word in common with the quotation, or said its contrary",
        "invented": "named what the article does not name",
        "unknown": "gave an id that ATT&CK does not have, or a thing that is not watched",
        "ordered": "rested on words that give orders to a model",
        "empty": "said nothing",
    }
)

REFUSED_RULES: Mapping[str, str] = MappingProxyType(
    {
        "no_yaml": "could not be read as YAML",
        "no_rule": "lacked what a Sigma rule needs, or had it in a wrong form",
        "not_taken": "was larger, or had more in one, than is taken",
        "unknown_log": "named a log or a field that no event here has",
        "unproved": "looked for what the article does not have",
        "invalid": "failed a check of Sigma rules",
        "too_general": "would match nearly every event of its log",
        "not_tried": "had a value that cannot be tried on events",
        "ordinary": "matched ordinary events as well",
        "nothing_shown": "had nothing of the article to be tried on",
        "no_match": "matched nothing of what the article shows",
    }
)
"""Why a model's rules do not hold, none with a word of the rule."""

_OTHER = "did not hold for another reason"
_THEN = ", then ask again"


def said_of(fault: ModelFault | None) -> str:
    """Return what a fault is called, nothing for none."""
    return FAULTS[fault][0] if fault is not None else ""


def advice_on(fault: ModelFault | None, *, waits: bool = False) -> str:
    """Return what to do about a fault, nothing for none; what `waits` need not be asked again."""
    if fault is None:
        return ""
    words = FAULTS[fault][1]
    return words.replace(_THEN, "; it is asked again by itself") if waits else words


def dropped_words(why: Mapping[str, int]) -> tuple[str, ...]:
    """Return why claims or rules were dropped, each with how many, the most frequent first.

    A reason that has no words here is not repeated: a model may have made it.
    """
    told: Counter[str] = Counter()
    for reason, number in why.items():
        told[DROPPED.get(reason) or refused_words(reason)] += number
    ordered = sorted(told.items(), key=lambda one: (-one[1], one[0]))
    return tuple(f"{number:,} {words}" for words, number in ordered)


def failed_parts_words(failed: Mapping[str, int], read: int) -> str:
    """Return which parts of an article got no usable answer, nothing for none; `read` others did.

    A fault that has no words here is not repeated: a newer version of this program may know it.
    """
    if not failed:
        return ""
    known = {fault.value: words[0] for fault, words in FAULTS.items()}
    number = sum(failed.values())
    told = [
        known[fault] for fault in sorted(failed, key=lambda one: -failed[one]) if fault in known
    ]
    why = "; ".join(words[0].lower() + words[1:] for words in told)
    part = "One part" if number == 1 else f"{number:,} parts"
    return f"{part} of {number + read:,} got no usable answer{f' ({why})' if why else ''}"


def refused_words(flaw: str) -> str:
    """Return why a rule of a model does not hold."""
    return REFUSED_RULES.get(flaw, _OTHER)
