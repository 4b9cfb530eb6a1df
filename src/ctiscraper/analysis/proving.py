"""From an answer to what is kept of it: claims with proofs, and why others were dropped."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ctiscraper.analysis.analysed import Claim, Quote, TaskName
from ctiscraper.analysis.answers import MOST_SAID, Answer, Entity, Saying
from ctiscraper.analysis.denials import contradicts
from ctiscraper.analysis.figures import figures_of, strange_figure
from ctiscraper.analysis.mentions import COMMON, Vocabulary, vocabulary
from ctiscraper.analysis.orders import orders_in, without_orders
from ctiscraper.analysis.plain import first_sentence, plain_line
from ctiscraper.analysis.proof import Evidence, evidence, telling_words
from ctiscraper.analysis.shown import Shown
from ctiscraper.analysis.tasks import task_of
from ctiscraper.analysis.translating import strays


class Dropped(StrEnum):
    """Why a claim was dropped."""

    UNQUOTED = "unquoted"
    UNSUPPORTED = "unsupported"
    INVENTED = "invented"
    UNKNOWN = "unknown"
    ORDERED = "ordered"
    EMPTY = "empty"


_ENDS_WITH_COLON = re.compile(r"[ \t]*:[ \t]*(?:\n|$)")
_WORD = re.compile(r"(?<![^\W_])[^\W\d_]{3,}(?![^\W_])")
_LEAST_WORDS = 2
_SENTENCES = frozenset((TaskName.SUMMARY, TaskName.KEY_POINTS))
# Of these models write everyday words with capitals.
_COMMON_KINDS = frozenset((Entity.TARGET, Entity.SECTOR, Entity.VULNERABILITY))
_UNPROVED = frozenset((Dropped.UNQUOTED, Dropped.UNSUPPORTED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """All that claims about one article are held against.

    `techniques` are the ids that ATT&CK has, `watched` what the reader watches. The words of a
    claim can be compared with those of its quotations where both are in English.
    """

    task: TaskName
    evidence: Evidence
    names: Vocabulary
    figures: frozenset[str] = field(repr=False)
    orders: tuple[tuple[int, int], ...]
    title: str
    techniques: frozenset[str] = field(repr=False)
    watched: tuple[str, ...]
    is_english: bool

    def judged(self, saying: Saying) -> Claim | Dropped:
        """Return a claim as it is kept, or why it is not.

        One that is said in the article's own words is proved by these, whatever it quotes.
        """
        words = plain_line(saying.words(), MOST_SAID)
        is_prose = task_of(self.task).is_prose
        if is_prose:
            words = first_sentence(words)
        judged = self._judged(saying, words, saying.quotes)
        if is_prose and isinstance(judged, Dropped) and judged in _UNPROVED:
            own = self._judged(saying, words, [words])
            return own if isinstance(own, Claim) else judged
        return judged

    def quotable(self, sentences: Iterable[str]) -> tuple[str, ...]:
        """Return those sentences that prove something where they are quoted."""
        return tuple(
            one
            for one in sentences
            if self._says_something(one)
            and not (_is_lead_in(one) or isinstance(self._proved([one]), Dropped))
        )

    def _judged(self, saying: Saying, words: str, quotations: Iterable[str]) -> Claim | Dropped:
        quotes = self._proved(quotations)
        if isinstance(quotes, Dropped):
            return quotes
        fields = {name: plain_line(value, MOST_SAID) for name, value in saying.fields().items()}
        own = self._own(words, quotes)
        if _is_lead_in(words) or (own is not None and self._announces(own)):
            return Dropped.EMPTY
        if own is not None:
            words = plain_line(own.text, MOST_SAID)
        fault = self._fault(saying, words, fields, quotes, is_own=own is not None)
        bearing = self._bearing(_said(words, fields), quotes)
        return fault or Claim(text=words, quotes=bearing, fields=fields)

    def _says_something(self, words: str) -> bool:
        """Whether words have letters, and a sentence in English words: a line of bytes has none.

        Beside a field, one word may say it all.
        """
        if self.is_english and self.task in _SENTENCES:
            return len(_WORD.findall(words)) >= _LEAST_WORDS
        return any(map(str.isalpha, words))

    def _announces(self, quote: Quote) -> bool:
        """Whether the words of a quotation end a line of the article with a colon."""
        return _ENDS_WITH_COLON.match(self.evidence.original, quote.end) is not None

    def _bearing(self, said: str, quotes: tuple[Quote, ...]) -> tuple[Quote, ...]:
        """Those quotations that have a word of what they are said to prove, if any has."""
        bearing = tuple(quote for quote in quotes if _shares_words(said, [quote]))
        return (bearing or quotes) if self.is_english else quotes

    def bears(self, claim: Claim, quote: Quote) -> bool:
        """Whether a quotation has a word of a claim and agrees, where that can be told."""
        said = _said(claim.text, claim.fields)
        return not self.is_english or (
            _shares_words(said, [quote]) and self._agrees(claim.text, [quote])
        )

    def _own(self, words: str, quotes: Iterable[Quote]) -> Quote | None:
        """The quotation in whose letters something is said: the article spells it better."""
        if not task_of(self.task).is_prose:
            return None
        letters = _letters(words)
        return next((quote for quote in quotes if _letters(quote.text) == letters), None)

    def _fault(
        self,
        saying: Saying,
        words: str,
        fields: dict[str, str],
        quotes: tuple[Quote, ...],
        *,
        is_own: bool,
    ) -> Dropped | None:
        """What is wrong with a claim that is quoted."""
        if not (all(fields.values()) and self._says_something(words)):
            return Dropped.EMPTY
        if not self._is_known(fields):
            return Dropped.UNKNOWN
        if not is_own and self._invented(saying, fields, quotes):
            return Dropped.INVENTED
        if self.is_english and not (_shares_words(words, quotes) and self._agrees(words, quotes)):
            return Dropped.UNSUPPORTED
        return None

    def _relates(
        self, fields: dict[str, str], names: tuple[str, ...], quotes: tuple[Quote, ...]
    ) -> bool:
        """Whether both sides stand by the quotations, one of them in these themselves."""
        proved = vocabulary(*(quote.text for quote in quotes))
        near = vocabulary(*map(self.evidence.named, quotes))
        kinds = (fields["subject_kind"], fields["object_kind"])
        strict = [kind not in _COMMON_KINDS for kind in kinds]
        sides = list(zip(names, strict, strict=True))
        return any(proved.has(name, strictly=strictly) for name, strictly in sides) and all(
            known.has(name, strictly=strictly)
            for name, strictly in sides
            for known in (near, self.names)
        )

    def _agrees(self, words: str, quotes: Iterable[Quote]) -> bool:
        """Whether a claim does not say the contrary of the sentences that it quotes."""
        return not contradicts(words, map(self.evidence.sentences, quotes))

    def _proved(self, quotations: Iterable[str]) -> tuple[Quote, ...] | Dropped:
        """Those quotations that stand in the article, each once and in its order."""
        find = self.evidence.find_whole if self.task is TaskName.TITLE else self.evidence.find
        found = {quote for one in quotations if (quote := find(one)) is not None}
        if not found:
            return Dropped.UNQUOTED
        free = [quote for quote in found if not self._is_order(quote)]
        if not free:
            return Dropped.ORDERED
        return tuple(sorted(free, key=lambda quote: (quote.start, quote.end)))

    def _is_order(self, quote: Quote) -> bool:
        return any(start < quote.end and quote.start < end for start, end in self.orders)

    def _is_known(self, fields: dict[str, str]) -> bool:
        technique = fields.get("technique")
        watched = fields.get("watched")
        return (technique is None or technique in self.techniques) and (
            watched is None or watched in self.watched
        )

    def _invented(self, saying: Saying, fields: dict[str, str], quotes: tuple[Quote, ...]) -> bool:
        """Whether a claim names what the article does not."""
        names = saying.names()
        if self.task is TaskName.TITLE:
            return strays(self.title, saying.words(), self.names)
        if names:
            return not self._relates(fields, names, quotes)
        # What is watched is named in its field: its sentence says of it what the article says.
        allowed = [fields["technique"]] if "technique" in fields else []
        said = saying.words()
        return (
            self.names.invented(said, allowed) is not None
            or strange_figure(said, self.figures) is not None
        )


def _said(words: str, fields: Mapping[str, str]) -> str:
    """What a claim says of what it quotes."""
    return " ".join((words, fields.get("watched", "")))


def _is_lead_in(words: str) -> bool:
    """Whether words only announce what comes after them, which a sentence alone leaves out."""
    return words.rstrip(" \"')").endswith(":")


def _shares_words(words: str, quotes: Iterable[Quote]) -> bool:
    """Whether a claim has a word of its quotations that not every text has, in some form."""
    proved = vocabulary(*(quote.text for quote in quotes))
    return any(
        # Terms of the trade are known to every vocabulary: these have to stand there.
        proved.spells(word) if word in COMMON else proved.knows(word)
        for word in telling_words(words)
    )


def proofs(  # noqa: PLR0913 - the text, and what else it is held against
    task: TaskName,
    text: str,
    seen: Shown,
    *,
    named: tuple[str, ...],
    techniques: frozenset[str],
    watched: tuple[str, ...],
    is_english: bool,
) -> Proofs:
    """Return what claims are held against: quotations stand in `text`, names in all of `named`."""
    stated = tuple(map(without_orders, named))
    return Proofs(
        task=task,
        evidence=evidence(text, seen.traced),
        names=vocabulary(*stated),
        figures=figures_of("\n".join(stated)),
        orders=tuple(seen.traced.original(*span) for span in orders_in(seen.text)),
        is_english=is_english,
        title=seen.text,
        techniques=techniques,
        watched=watched,
    )


@dataclass(slots=True)
class Kept:
    """What is kept of the answers about one article, and why the rest was not."""

    claims: list[Claim] = field(default_factory=list)
    dropped: Counter[Dropped] = field(default_factory=Counter)

    def add(self, answer: Answer, proofs: Proofs) -> None:
        """Take in the answer about a part; what an earlier one said is kept once."""
        for saying in answer.claims:
            judged = proofs.judged(saying)
            if isinstance(judged, Dropped):
                self.dropped[judged] += 1
            else:
                self._keep(judged, proofs)

    def _keep(self, claim: Claim, proofs: Proofs) -> None:
        for at, other in enumerate(self.claims):
            if _is_same(claim, other):
                # What proves other words alone would stand beside these.
                bearing = (one for one in claim.quotes if proofs.bears(other, one))
                quotes = {*other.quotes, *bearing}
                ordered = sorted(quotes, key=lambda quote: (quote.start, quote.end))
                self.claims[at] = replace(other, quotes=tuple(ordered[:_MOST_QUOTES]))
                return
        self.claims.append(claim)


_MOST_QUOTES = 6


def _is_same(one: Claim, other: Claim) -> bool:
    """Whether two claims say the same: by their fields where these say it all."""
    if "technique" in one.fields or "verb" in one.fields:
        return {**one.fields} == {**other.fields}
    return _letters(one.text) == _letters(other.text) and {**one.fields} == {**other.fields}


def _letters(text: str) -> str:
    """What of a text makes a difference: a small model sets spaces and marks as they come."""
    return "".join(filter(str.isalnum, text.casefold()))
