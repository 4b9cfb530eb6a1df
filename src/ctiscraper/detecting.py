"""Detections of an article: drafted, checked, changed and held against the known rules."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ctiscraper.analysis.analysed import RULES, Analysis, Claim, Quote
from ctiscraper.analysis.plain import plain_line, storable
from ctiscraper.db.articles import Articles
from ctiscraper.db.detections import DetectionDrafts
from ctiscraper.db.entities import Entities
from ctiscraper.db.packs import Packs
from ctiscraper.db.session import Database
from ctiscraper.detect.drafted import (
    Checked,
    Draft,
    Drafted,
    Material,
    Query,
    Refused,
    Target,
    Trace,
)
from ctiscraper.detect.flaws import Answered, RefusedRule
from ctiscraper.detect.messages import (
    CALLS,
    WARM_UP,
    AnswerMessage,
    CheckMessage,
    ConvertMessage,
    DraftMessage,
    Techniques,
)
from ctiscraper.detect.novelty import Library
from ctiscraper.detect.prompting import RuleAsking, prompt_version
from ctiscraper.detect.stored import Detection, DetectionSummary
from ctiscraper.entity_views import MentionView
from ctiscraper.errors import ConflictError, InputError, ModelError, ModelFault, ParseError
from ctiscraper.fault_words import refused_words
from ctiscraper.intelligence import Name
from ctiscraper.model_views import AnalysisView
from ctiscraper.models.server import ModelServer
from ctiscraper.packs.attack_matrix import AttackPack
from ctiscraper.packs.registry import read_known
from ctiscraper.packs.sigma import SigmaPack
from ctiscraper.sandbox import Sandbox
from ctiscraper.views import ArticleDetail

AUTHOR = "CTIScraper"
SECONDS = 30.0
"""How long one call of the sandbox may take: a long report has dozens of rules to be tried."""

_MEMORY = 768 << 20
_ANSWER = 32 << 20
_PLACES = 3
_MOST_RAW = 20_000
_MOST_TITLE = 300
# Of what an article names, the kinds that a rule can look for.
_KINDS = frozenset(
    (
        *("command_line", "registry_key", "file_path", "md5", "sha1", "sha256"),
        *("domain", "ipv4", "ipv6", "url"),
    )
)
# Rules look for these as the text has them, and not in the form that makes two places equal.
_AS_WRITTEN = frozenset({"command_line", "registry_key", "file_path"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafting:
    """What drafting from an article gave: how many new ones, all of them, and what gave none."""

    added: int
    detections: tuple[DetectionSummary, ...]
    refused: tuple[Refused, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of ATT&CK and of Sigma's rules, by the packs with these checksums."""

    attack: bytes | None = None
    techniques: Techniques | None = None
    sigma: bytes | None = None
    library: Library | None = None


def open_sandbox() -> Sandbox:
    """Return the processes that work on rules; none starts before it is needed."""
    return Sandbox(
        CALLS,
        warm_up=WARM_UP,
        seconds=SECONDS,
        memory_bytes=_MEMORY,
        answer_bytes=_ANSWER,
        recycle_after=50,
    )


@dataclass(slots=True)
class Detections:
    """Drafts over the database, and the sandbox in which rules are worked on."""

    database: Database
    sandbox: Sandbox
    author: str = AUTHOR
    _known: _Known = field(default_factory=_Known)

    @property
    def drafts(self) -> DetectionDrafts:
        """The drafts that are kept."""
        return DetectionDrafts(self.database)

    async def draft(self, article_id: int, *, by: str) -> Drafting:
        """Return what templates draft from an article. Raises NotFoundError and ParseError."""
        article, material = await self._material(article_id)
        known = await self._packs()
        message = DraftMessage(material=material, techniques=known.techniques)
        found = await self.sandbox.ask("draft", message, Drafted)
        graded = await asyncio.to_thread(_graded, found, known.library)
        added = await self.drafts.keep(article_id, article.revision, graded, by=by)
        return Drafting(
            added=added,
            detections=await self.drafts.of_article(article_id),
            refused=found.refused,
        )

    async def rules_by_model(
        self,
        server: ModelServer,
        article_id: int,
        *,
        text: tuple[str, str],
        model: str,
        seconds: float,
        context_tokens: int,
    ) -> Analysis:
        """Return a claim for each rule of a model that holds; nothing is kept.

        `text` are the title and the text that were found free to go to the model: ConflictError
        where the article has others by now. Where none holds the model is told why, once. Raises
        NotFoundError, and ModelError also for an answer that cannot be worked on.
        """
        _, material = await self._material(article_id)
        if (material.title, material.text) != text:
            raise ConflictError(f"article {article_id} was revised meanwhile")
        asking = RuleAsking(
            server=server,
            material=material,
            model=model,
            seconds=seconds,
            context_tokens=context_tokens,
        )
        by = (model, prompt_version())
        try:
            answer = await asking.ask()
            found = await self._proved(answer, material, by)
            if not found.drafts:
                reasons = [one.told for one in found.refused]
                answer = await asking.ask_again(answer, reasons)
                found = await self._proved(answer, material, by)
        except ParseError as error:
            raise ModelError(
                ModelFault.BAD_ANSWER,
                f"its rules cannot be worked on here ({error.reason})",
                transient=False,
                raw=storable(answer, _MOST_RAW),
            ) from error
        return _analysis(asking, found)

    async def keep_by_model(self, asked: AnalysisView, *, by: str) -> Drafting:
        """Return what of a model's rules was added to the drafts, proved anew on the text of now.

        Raises ConflictError, NotFoundError and InputError.
        """
        rules = [claim.fields["rule"] for claim in asked.claims if "rule" in claim.fields]
        if asked.task != RULES or not rules:
            raise ConflictError(
                f"analysis {asked.id} has no rules: ask a model for some, and wait for its answer"
            )
        article, material = await self._material(asked.article_id)
        answer = "\n---\n".join(rules)
        try:
            found = await self._proved(answer, material, (asked.model, asked.prompt_version))
        except ParseError as error:
            raise InputError(f"these rules cannot be worked on here ({error.reason})") from error
        known = await self._packs()
        added = 0
        for draft, checked in await asyncio.to_thread(_graded, found, known.library):
            added += await self.drafts.add(article.id, article.revision, draft, checked, by=by)
        return Drafting(
            added=added,
            detections=await self.drafts.of_article(article.id),
            refused=tuple(_as_refused(one) for one in found.refused),
        )

    async def _proved(self, answer: str, material: Material, by: tuple[str, str]) -> Answered:
        known = await self._packs()
        message = AnswerMessage(
            answer=answer,
            material=material,
            model=by[0],
            prompt=by[1],
            techniques=known.techniques,
        )
        return await self.sandbox.ask("answer", message, Answered)

    async def check(self, yaml: str, *, article_id: int | None = None) -> Checked:
        """Return what is found out about a rule, tried on what an article shows, if one is named.

        Raises NotFoundError, and InputError for a rule that cannot be checked in time.
        """
        material = None if article_id is None else (await self._material(article_id))[1]
        known = await self._packs()
        message = CheckMessage(yaml=yaml, material=material, techniques=known.techniques)
        return await self._checked(message, known)

    async def check_for(self, number: int, yaml: str) -> Checked:
        """Return what is found out about another text of a draft. Raises as `check`."""
        known = await self._packs()
        kept = await self.drafts.get(number)
        message = CheckMessage(yaml=yaml, events=kept.events, techniques=known.techniques)
        return await self._checked(message, known)

    async def edit(self, number: int, yaml: str, *, version: int, by: str) -> Detection:
        """Return a draft with another text, if it is still the version that was read.

        Raises NotFoundError, StaleError, and InputError for what is no rule.
        """
        checked = await self.check_for(number, yaml)
        if not checked.rule.title:
            raise InputError(checked.issues[0].what if checked.issues else "it has no title")
        return await self.drafts.edit(number, yaml, checked, version=version, by=by)

    async def convert(self, yaml: str, target: Target) -> Query:
        """Return a rule in a query language, or why it cannot be. Raises InputError."""
        return await converted(self.sandbox, yaml, target)

    async def _checked(self, message: CheckMessage, known: _Known) -> Checked:
        try:
            found = await self.sandbox.ask("check", message, Checked)
        except ParseError as error:
            raise _too_much(error) from error
        if known.library is None or not found.rule.title:
            return found
        novelty = await asyncio.to_thread(known.library.compare, found.rule)
        return replace(found, novelty=novelty)

    async def _material(self, article_id: int) -> tuple[ArticleDetail, Material]:
        article = await Articles(self.database).get(article_id)
        mentions = await Entities(self.database).of_article(article_id)
        return article, material_of(article, mentions, self.author)

    async def _packs(self) -> _Known:
        """Return what is known by the packs in use, read anew when others are."""
        packs = Packs(self.database)
        active = await packs.active()
        attack = active["attack"].sha256 if "attack" in active else None
        sigma = active["sigma"].sha256 if "sigma" in active else None
        if attack != self._known.attack:
            body = await packs.body("attack") if attack else None
            techniques = await asyncio.to_thread(_techniques, body) if body else None
            self._known = replace(self._known, attack=attack, techniques=techniques)
        if sigma != self._known.sigma:
            body = await packs.body("sigma") if sigma else None
            library = await asyncio.to_thread(_library, body) if body else None
            self._known = replace(self._known, sigma=sigma, library=library)
        return self._known


async def converted(sandbox: Sandbox, yaml: str, target: Target) -> Query:
    """Return a rule in a query language, or why it cannot be. Raises InputError."""
    try:
        return await sandbox.ask("convert", ConvertMessage(yaml=yaml, target=target), Query)
    except ParseError as error:
        raise _too_much(error) from error


def material_of(article: ArticleDetail, mentions: Sequence[MentionView], author: str) -> Material:
    """Return what rules are drafted from: the traces and techniques of an article, by place."""
    traces: list[Trace] = []
    techniques: list[tuple[str, int, int]] = []
    for mention in mentions:
        kind, value = mention.entity.kind, mention.entity.value
        places = zip(mention.starts, mention.ends, strict=True)
        if kind == Name.TECHNIQUE:
            techniques.extend((value, start, end) for start, end in places)
        elif kind in _KINDS:
            traces.extend(
                Trace(
                    kind=kind,
                    value=article.text[start:end] if kind in _AS_WRITTEN else value,
                    start=start,
                    end=end,
                    verdict=mention.verdict or "",
                )
                for start, end in list(places)[:_PLACES]
            )
    return Material(
        text=article.text,
        title=article.title,
        url=article.url,
        day=f"{article.published_at or article.collected_at:%Y-%m-%d}",
        author=author,
        traces=tuple(sorted(traces, key=lambda trace: (trace.start, trace.end))),
        techniques=tuple(techniques),
        tlp=article.tlp,
    )


def _analysis(asking: RuleAsking, found: Answered) -> Analysis:
    """Return what a model answered as it is kept: each rule with the words that it rests on."""
    why = Counter(one.flaw.value for one in found.refused)
    return Analysis(
        task=RULES,
        prompt_version=prompt_version(),
        model=asking.model,
        claims=tuple(
            Claim(
                text=plain_line(draft.title, _MOST_TITLE) or "A rule without a title",
                quotes=_quotes(draft),
                fields={"level": checked.rule.level, "rule": draft.yaml},
            )
            for draft, checked in found.drafts
        ),
        dropped=len(found.refused),
        hidden=asking.hidden,
        repaired=asking.repaired,
        prompt_tokens=sum(one.prompt_tokens for one in asking.costs),
        answer_tokens=sum(one.answer_tokens for one in asking.costs),
        seconds=sum(one.seconds for one in asking.costs),
        unread=asking.unread,
        why=dict(why),
    )


def _quotes(draft: Draft) -> tuple[Quote, ...]:
    places = {(one.start, one.end): one.quote for one in draft.evidence}
    return tuple(Quote(words, start, end) for (start, end), words in sorted(places.items()))


def _as_refused(one: RefusedRule) -> Refused:
    """Return why a rule was not added, without a word of it: a model wrote it."""
    reason = f"a rule of the model {refused_words(one.flaw)}"
    return Refused(quote="", start=0, end=0, reason=reason)


def _graded(found: Drafted | Answered, library: Library | None) -> list[tuple[Draft, Checked]]:
    if library is None:
        return list(found.drafts)
    return [
        (draft, replace(checked, novelty=library.compare(checked.rule)))
        for draft, checked in found.drafts
    ]


def _techniques(body: bytes) -> Techniques:
    """Return every technique and tactic of a pack, with what took its place."""
    _, records = read_known(body)
    assert isinstance(records, AttackPack), "the pack of ATT&CK"
    known = {one.id: one.replaced_by if one.revoked else "" for one in records.techniques}
    return known | {one.short_name: "" for one in records.tactics}


def _library(body: bytes) -> Library:
    pack, records = read_known(body)
    assert isinstance(records, SigmaPack), "the pack of Sigma rules"
    return Library(records, name=pack.info.version, notice=pack.info.notice)


def _too_much(error: ParseError) -> InputError:
    return InputError(f"this rule cannot be worked on here: {error}")
