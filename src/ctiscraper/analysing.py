"""Asking a model about one article, and keeping only what the article itself proves."""

import asyncio
import json
import secrets
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from ctiscraper.analysis.analysed import AnalysedText, Analysis, TaskName
from ctiscraper.analysis.answers import Answer
from ctiscraper.analysis.asked import (
    Asked,
    ask,
    fence_for,
    repair_of,
    title_line,
    tokens_of,
    watched_terms,
)
from ctiscraper.analysis.bounds import answer_tokens
from ctiscraper.analysis.parts import Part, cut, estimated_tokens, halves, sentences
from ctiscraper.analysis.plain import storable
from ctiscraper.analysis.proving import Kept, Proofs, proofs
from ctiscraper.analysis.reply import UnusableError, read_reply
from ctiscraper.analysis.shown import Shown, shown
from ctiscraper.analysis.tasks import Task, offering, schema_for, task_of
from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.extract.language import detect_language, is_english_title
from ctiscraper.models.server import Completion, Ending, Message, ModelServer, Prompt, Speaker
from ctiscraper.packs.attack import build_default, living_techniques

_FENCE_BYTES = 12
_MOST_RAW = 20_000
# A part with less than this would be read without what it means.
_LEAST_PART = 100
# A server that was asked in time may say a moment before the end that it has none left.
_CLOSE = 1.0
_ENGLISH = "en"
_WORTH_TELLING = 40
_FUNCTION_WORDS = """
the and of to in that for with was were is are by from on as at this it an a be has
"""
_ENGLISH_WORDS = frozenset(_FUNCTION_WORDS.split())
_ENGLISH_SHARE = 0.15
# Sentences from which quotations may be chosen, and their length. A grammar of more takes long, and
# older versions of Ollama have 32 KiB for a grammar, of which this takes three quarters.
_MOST_OFFERED = 300
_LONGEST_OFFERED = 400
_MOST_OFFERED_BYTES = 24_000
# Faults of one part, which leave the others as they are.
_OF_A_PART = frozenset((ModelFault.BAD_ANSWER, ModelFault.CUT_OFF, ModelFault.WRONG_LANGUAGE))


@dataclass(frozen=True, slots=True)
class Within:
    """What an analysis is held to: the model's context, and the techniques that ATT&CK has.

    Without techniques those of the data that comes along are known.
    """

    context_tokens: int = 8192
    techniques: frozenset[str] | None = field(default=None, repr=False)


_AS_SET = Within()


async def analyse(
    server: ModelServer,
    task: TaskName,
    text: AnalysedText,
    *,
    model: str,
    seconds: float,
    within: Within = _AS_SET,
) -> Analysis:
    """Return what a model finds in an article by one task.

    An article that a model cannot take in at once is read in parts, and what was not read is told.
    Where there is nothing to ask, no model is asked: of an English title, of an empty article, of
    relevance to nothing. Raises ModelError, whose `raw` is the last answer, where none could be
    used.
    """
    known = within.techniques
    if known is None:
        known = await asyncio.to_thread(known_techniques)
    reading = _read(task_of(task), text, known)
    asking = _Asking(server, model, reading, time.monotonic() + seconds, within.context_tokens)
    if _is_worth_asking(task, text, reading):
        await asking.ask_all()
    return asking.result()


@cache
def known_techniques() -> frozenset[str]:
    """Return the ids of the techniques that ATT&CK has, by the data that comes along."""
    _, pack = build_default()
    return living_techniques(pack)


@dataclass(frozen=True, slots=True)
class _Reading:
    """An article made ready for a question: `body` is what is cut into parts."""

    task: Task
    article: Shown
    title: str
    body: str
    watched: tuple[str, ...]
    proofs: Proofs


def _read(task: Task, text: AnalysedText, techniques: frozenset[str]) -> _Reading:
    article, title = shown(text.text), shown(text.title)
    is_title = task.name is TaskName.TITLE
    watched = (
        watched_terms(text.watched, f"{text.title}\n{text.text}")
        if task.name is TaskName.RELEVANCE
        else ()
    )
    found = proofs(
        task.name,
        text.title if is_title else text.text,
        title if is_title else article,
        techniques=techniques,
        watched=watched,
        named=(title.text, article.text),
        is_english=_is_english(text) and not is_title,
    )
    body = "" if is_title else article.text
    return _Reading(task, article, title_line(title.text), body, watched, found)


def _is_worth_asking(task: TaskName, text: AnalysedText, reading: _Reading) -> bool:
    if task is TaskName.TITLE:
        return bool(reading.title) and not is_english_title(
            reading.title, beside_english=_is_english(text)
        )
    if task is TaskName.RELEVANCE and not reading.watched:
        return False
    return bool(reading.body.strip())


def _is_english(text: AnalysedText) -> bool:
    language = text.language or detect_language(text.text or text.title) or ""
    return language.lower().startswith(_ENGLISH)


class _Asking:
    """The exchanges about one article, and what came of them."""

    def __init__(
        self, server: ModelServer, model: str, reading: _Reading, deadline: float, context: int
    ) -> None:
        self._server = server
        self._model = model
        self._reading = reading
        self._deadline = deadline
        self._context = context
        self._answer_tokens = answer_tokens(reading.task.most_tokens, context)
        self._fence = fence_for(
            (reading.title, reading.body), lambda: secrets.token_hex(_FENCE_BYTES)
        )
        self._kept = Kept()
        self._repaired = False
        self._costs: list[Completion] = []
        self._parts = 0
        self._unread = 0
        self._failed: Counter[ModelFault] = Counter()

    def result(self) -> Analysis:
        """Return what is proved of what was answered."""
        reading, kept = self._reading, self._kept
        return Analysis(
            task=reading.task.name,
            prompt_version=reading.task.version,
            model=self._costs[-1].model if self._costs else self._model,
            claims=tuple(kept.claims),
            dropped=kept.dropped.total(),
            hidden=reading.article.hidden,
            repaired=self._repaired,
            prompt_tokens=sum(one.prompt_tokens for one in self._costs),
            answer_tokens=sum(one.answer_tokens for one in self._costs),
            seconds=sum(one.seconds for one in self._costs),
            unread=self._unread,
            parts=self._parts,
            why={why.value: number for why, number in kept.dropped.items()},
            failed_parts={fault.value: number for fault, number in self._failed.items()},
        )

    async def ask_all(self) -> None:
        """Ask about each part. Raises ModelError where none was answered, or the server is away."""
        body = self._reading.body
        waiting = deque(self._cut())
        self._unread = len(body) - (waiting[-1].end if waiting else 0)
        failed: ModelError | None = None
        while waiting:
            part = waiting.popleft()
            try:
                await self._ask(part)
            except ModelError as error:
                if error.fault is ModelFault.TOO_LONG and self._is_divisible(part):
                    waiting.extendleft(reversed(halves(body, part)))
                    continue
                if error.fault not in _OF_A_PART and not self._is_late(error):
                    raise
                failed = error
                self._failed[error.fault] += 1
            else:
                self._parts += 1
        if failed is not None and not self._parts:
            raise failed

    def _cut(self) -> list[Part]:
        """The parts of an article, as many of them as are asked about."""
        reading = self._reading
        asked = self._asked("")
        room = self._context - tokens_of(asked) - self._answer_tokens
        if not reading.body:
            if room < 0:
                raise self._too_long()
            return [Part(0, 0)]
        if room < min(_LEAST_PART, estimated_tokens(reading.body)):
            raise self._too_long()
        parts: list[Part] = []
        at = 0
        while at < len(reading.body) and len(parts) < reading.task.most_parts:
            part = cut(reading.body, room, at)
            parts.append(part)
            at = part.end
        return parts

    def _too_long(self) -> ModelError:
        detail = f"{self._context} tokens are too few for the question alone"
        return ModelError(ModelFault.TOO_LONG, detail, transient=False)

    def _is_divisible(self, part: Part) -> bool:
        return estimated_tokens(self._reading.body[part.start : part.end]) >= 2 * _LEAST_PART

    def _is_late(self, error: ModelError) -> bool:
        """Whether the time ran out after some parts were read: they are worth keeping."""
        out = error.fault is ModelFault.TIMEOUT and time.monotonic() >= self._deadline - _CLOSE
        return out and self._parts > 0

    def _asked(self, text: str) -> Asked:
        reading = self._reading
        return ask(reading.task, reading.title, text, self._fence, reading.watched)

    async def _ask(self, part: Part) -> None:
        """Ask about a part, and once more where the answer cannot be used."""
        text = self._reading.body[part.start : part.end]
        asked, narrow = self._asked(text), self._narrow(text)
        messages = (Message(Speaker.SYSTEM, asked.rules), Message(Speaker.USER, asked.question))
        first = await self._completion(messages, narrow)
        try:
            answer = self._usable(first)
        except ModelError as error:
            self._repaired = True
            second = await self._completion(self._repair(messages, first, error), narrow)
            answer = self._usable(second)
        self._kept.add(answer, self._reading.proofs)

    def _repair(
        self, messages: tuple[Message, ...], first: Completion, error: ModelError
    ) -> tuple[Message, ...]:
        """What is said the second time: the answer that was wrong too, where there is room."""
        told = repair_of([error.detail])
        said = sum(estimated_tokens(one.text) for one in messages) + estimated_tokens(told)
        room = self._context - said - self._answer_tokens
        if error.fault is ModelFault.CUT_OFF or estimated_tokens(first.text) > room:
            return (*messages[:-1], Message(Speaker.USER, f"{messages[-1].text}\n\n{told}"))
        wrong = Message(Speaker.ASSISTANT, first.text)
        return (*messages, wrong, Message(Speaker.USER, told))

    def _schema(self) -> Mapping[str, Any]:
        return schema_for(self._reading.task, self._reading.watched)

    def _narrow(self, text: str) -> Mapping[str, Any] | None:
        """The schema by which quotations are chosen from a part, None where they are written."""
        reading = self._reading
        if not reading.task.offers_quotes:
            return None
        told = sentences(text, _LONGEST_OFFERED) if reading.body else (reading.title,)
        if len(told) > _MOST_OFFERED:
            return None
        offered = reading.proofs.quotable(told)
        narrow = offering(self._schema(), offered)
        fits = len(json.dumps(narrow, ensure_ascii=False).encode()) <= _MOST_OFFERED_BYTES
        return narrow if offered and fits else None

    async def _completion(
        self, messages: tuple[Message, ...], narrow: Mapping[str, Any] | None
    ) -> Completion:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise ModelError(ModelFault.TIMEOUT, "the time for the whole article is over")
        done = await self._server.chat(
            Prompt(
                model=self._model,
                messages=messages,
                most_tokens=self._answer_tokens,
                seconds=left,
                schema=self._schema(),
                narrow=narrow,
                context_tokens=self._context,
            )
        )
        self._costs.append(done)
        return done

    def _usable(self, done: Completion) -> Answer:
        """Return an answer that has the form and the language it should. Raises ModelError."""
        raw = storable(done.text, _MOST_RAW)
        if done.ending is Ending.CUT_OFF:
            detail = f"the answer is longer than {self._answer_tokens} tokens: make fewer claims"
            raise ModelError(ModelFault.CUT_OFF, detail, transient=False, raw=raw)
        try:
            answer = cast("Answer", read_reply(done.text, self._reading.task.answer))
        except UnusableError as error:
            raise ModelError(ModelFault.BAD_ANSWER, str(error), transient=False, raw=raw) from None
        language = self._foreign(answer)
        if language:
            detail = f"the claims are in the language {language!r}, and should be in English"
            raise ModelError(ModelFault.WRONG_LANGUAGE, detail, transient=False, raw=raw)
        return answer

    def _foreign(self, answer: Answer) -> str | None:
        """The language of an answer that should be English and is not."""
        task = self._reading.task
        if not (task.is_prose or task.name is TaskName.TITLE):
            return None
        said = " ".join(claim.words() for claim in answer.claims)
        if sum(map(str.isalpha, said)) < _WORTH_TELLING:
            return None
        words = said.lower().split()
        plain = sum(word.strip(".,;:") in _ENGLISH_WORDS for word in words)
        if plain >= _ENGLISH_SHARE * len(words):
            return None
        language = detect_language(said)
        return None if language in {None, _ENGLISH} else language
