"""What a sentence denies, so that a claim is not kept beside words that say the contrary."""

import re
from collections.abc import Iterable, Iterator

from ctiscraper.analysis.mentions import COMMON, Vocabulary, plainly, vocabulary
from ctiscraper.analysis.proof import telling_words

# They have a word of a denial and deny nothing.
_IDLE = re.compile(
    r"\bnot (?:only|just|merely|least)\b|\bno (?:later|less|fewer|more|sooner) than\b|\bno doubt\b"
    r"|\bwhether or not\b|\bno\. ?(?=\d)",
    re.IGNORECASE,
)
# Of what stands in all of their sentence.
_OF_ALL = re.compile(
    r"""
    \b(?:den(?:y|ies|ied|ying) | disput(?:e[sd]?|ing) | refut(?:e[sd]?|ing)
        | debunk(?:s|ed|ing)? | disprov(?:e[sdn]?|ing) | disproven | falsely | untrue | hoax
        | baseless | unfounded)\b
    | \b(?:not|n't|never|hardly)\s(?:\w+ly\s)?(?:true|correct|the\scase)\b
    | \b(?:is|are|was|were|be|been|being|proved|proven|as)\s(?:\w+ly\s)?(?:false|wrong|incorrect)\b
    | \b(?:false|wrong|incorrect)\sthat\b
    | \bfalse\s(?:claim|report|rumou?r|alleg|accus|statement)\w*
    | \A(?:false|wrong|myth|fake)\s?:
    | \bno\s(?:\w+\s)?(?:evidence|proof|indications?|signs?|reason)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Of what stands in their clause, before them as well.
_OF_A_CLAUSE = re.compile(
    r"""
    \b(?:no|not|never|none|neither|nor|nobody|nothing|nowhere|cannot|hardly|barely)\b | n't\b
    | \b(?:fails?|failed|failing|failure|refus(?:e[sd]?|ing|al)|declin(?:e[sd]?|ing))\sto\b
    | \b(?:unable|incapable|impossible|unsuccessful|unsuccessfully|lack(?:s|ed|ing)?)\b
    | \b(?:is|are|was|were|be|been|being)\s(?:\w+ly\s)?
        (?:averted|blocked|foiled|prevented|stopped|thwarted)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Of what comes behind them, up to a comma.
_OF_THE_REST = re.compile(
    r"\b(?:without|instead of|rather than|except|apart from|other than|prevent(?:s|ed|ing)?)\b",
    re.IGNORECASE,
)
_PARTS = re.compile(r";\s|(?<=:)\s")
_CLAUSES = re.compile(
    r"""
    ,\s(?=(?:as(?!\swell)|because|since|while|whereas|although|though|so|when|where|who|whose|which
        |before|after|until|then|but|yet|and\s(?:then\s)?(?:they|it|he|she|we|you|there))\b)
    | ,\s(?=and\s(?:\w+\s){1,5}
        (?:is|are|was|were|has|have|had|do|does|did|can|could|will|would|may|might|must|should)\b)
    | \s(?=(?:but|because|although|though|whereas|while)\s)
    | \s-\s | [()]
    """,
    re.VERBOSE | re.IGNORECASE,
)
# "They did not pay and restored": what is denied so stands in its first form.
_AFTER = re.compile(
    r"((?:\b(?:do|does|did|can|could|will|would)(?:\snot|n't)|\bcannot"
    r"|\b(?:unable|fail(?:s|ed)|refuse[sd]|decline[sd])\sto)\b[^,;]{1,200}?)\sand\s"
    r"(?=(?:then\s)?[a-z]+ed\b)",
    re.IGNORECASE,
)
# What a clause says of who was named in the one before it.
_GOES_ON = re.compile(
    r"(?:\w+\s){0,2}(?:it|they|he|she|which|who|its|their)\b|(?:but|then)\s\w+ed\b", re.IGNORECASE
)
_LEAST_BEFORE_COLON = 3


def contradicts(claim: str, sentences: Iterable[str]) -> bool:
    """Return whether a claim affirms what sentences deny, or denies what they do not.

    They are the whole ones that its quotations stand in. A word that stands only where they deny
    is denied; of what a claim denies a third at least is from there.
    """
    affirmed, denied = _sides(sentences)
    said, negated = _sides([claim])
    there, here = vocabulary(*denied), vocabulary(*affirmed)
    if any(_has(there, word) and not _has(here, word) for word in _words(said)):
        return True
    words = _words(negated)
    shared = sum(_has(there, word) for word in words)
    other = sum(_has(here, word) and not _has(there, word) for word in words)
    return bool(words) and (shared == 0 or 2 * shared < other)


def _sides(sentences: Iterable[str]) -> tuple[list[str], list[str]]:
    """What is affirmed, and what is denied."""
    sides: tuple[list[str], list[str]] = ([], [])
    for sentence in sentences:
        for clause, is_denied in _clauses(_IDLE.sub(" ", plainly(sentence))):
            sides[is_denied].append(clause)
    return sides


def _clauses(sentence: str) -> Iterator[tuple[str, bool]]:
    for part in _parts(sentence):
        if _OF_ALL.search(part):
            yield part, True
            continue
        subject = ""
        for clause in _CLAUSES.split(_AFTER.sub(r"\1, then ", part)):
            if denial := _OF_A_CLAUSE.search(clause):
                yield clause, True
                subject = clause[: denial.start()]
            else:
                yield from _rests(clause)
                if _GOES_ON.match(clause):
                    yield subject, False


def _parts(sentence: str) -> list[str]:
    """A sentence cut at semicolons, and at colons behind more than a word such as "False:"."""
    parts: list[str] = []
    for part in _PARTS.split(sentence):
        if parts and len(parts[-1].split()) < _LEAST_BEFORE_COLON:
            parts[-1] = f"{parts[-1]} {part}"
        else:
            parts.append(part)
    return parts


def _rests(clause: str) -> Iterator[tuple[str, bool]]:
    """A clause without a denial of all of it: what follows a "without" is denied, to a comma."""
    while found := _OF_THE_REST.search(clause):
        yield clause[: found.start()], False
        denied, _, clause = clause[found.start() :].partition(",")
        yield denied, True
    yield clause, False


def _words(clauses: Iterable[str]) -> list[str]:
    """The telling words of clauses, without those that deny."""
    bare = (
        _OF_THE_REST.sub(" ", _OF_A_CLAUSE.sub(" ", _OF_ALL.sub(" ", clause))) for clause in clauses
    )
    return [word for clause in bare for word in telling_words(clause)]


def _has(known: Vocabulary, word: str) -> bool:
    """Whether a word stands somewhere in a form of it; terms of the trade have to, too."""
    return known.spells(word) if word in COMMON else known.knows(word)
