"""What a model makes of an article: asked for, watched, cancelled, judged and paid for."""

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from ctiscraper.analysing import Within, analyse, known_techniques
from ctiscraper.analysis.analysed import (
    RULES,
    AnalysedText,
    Analysis,
    TaskName,
    is_proved,
    to_json,
)
from ctiscraper.analysis.marking import marking
from ctiscraper.analysis.tasks import task_of
from ctiscraper.db.analyses import Analyses
from ctiscraper.db.model_asking import Wanted
from ctiscraper.db.model_patience import PatientQueue
from ctiscraper.db.model_queue import Claimed, Kept
from ctiscraper.db.model_report import ModelBoard
from ctiscraper.db.model_servers import ModelServers
from ctiscraper.db.model_spending import Limits
from ctiscraper.db.session import Database
from ctiscraper.db.watchlist import Watchlist
from ctiscraper.detect.prompting import prompt_version
from ctiscraper.detecting import SECONDS as CHECK_SECONDS
from ctiscraper.errors import (
    ConflictError,
    InputError,
    ModelError,
    ModelFault,
    StorageError,
    UnavailableError,
)
from ctiscraper.known_techniques import TechniquesInUse
from ctiscraper.model_views import (
    AnalysisState,
    AnalysisView,
    ArticleAnalyses,
    Compared,
    ComparedTask,
    ModelBudgets,
    ModelReport,
)
from ctiscraper.models.meter import Metered
from ctiscraper.models.probe import among
from ctiscraper.models.server import ModelServer, leaves, says_cloud
from ctiscraper.paying import spent_of
from ctiscraper.types import Tlp

log = structlog.get_logger()

# What is done beside waiting for the model has this long.
GRACE_SECONDS = 5.0
# What a newer version of this program asks is left to it for so long, and looked at so often.
NEWER_SECONDS = 3600.0
NEWER_PAUSE = 60.0
_NUMBERED = re.compile(r"-(\d{1,6})-[0-9a-f]+")

Version = Callable[[str], str]


class Analyse(Protocol):
    """What asks a model about a text."""

    async def __call__(
        self,
        server: ModelServer,
        task: TaskName,
        text: AnalysedText,
        *,
        model: str,
        seconds: float,
        within: Within,
    ) -> Analysis:
        """Return what it finds. Raises ModelError."""


class AskForRules(Protocol):
    """What asks a model for the rules of an article."""

    async def __call__(
        self,
        server: ModelServer,
        article_id: int,
        *,
        text: tuple[str, str],
        model: str,
        seconds: float,
        context_tokens: int,
    ) -> Analysis:
        """Return those that hold of an article with this title and text.

        Raises ModelError, and ConflictError where it has others by now.
        """
        ...


def version_of(task: str) -> str:
    """Return the version of what a model is asked for a task."""
    return prompt_version() if task == RULES else task_of(TaskName(task)).version


def is_newer(version: str, ours: str) -> bool:
    """Return whether a version of a prompt has a higher number than the one that we have."""
    found, own = _NUMBERED.search(version), _NUMBERED.search(ours)
    return found is not None and own is not None and int(found[1]) > int(own[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """What an installation has of models, as plain values.

    `server` is its address, `remote` whether that is on another network, `tasks` what is asked of
    each new article, `version` gives the version of a task's prompt. Text more guarded than `tlp`
    is given to no remote server.
    """

    server: str
    model: str
    version: Version
    tasks: tuple[TaskName, ...] = ()
    slots: int = 1
    seconds: float = 120.0
    context: int = 8192
    tlp: Tlp = Tlp.GREEN
    limits: Limits = field(default_factory=Limits)
    remote: bool = False

    def leaving(self, models: Iterable[str]) -> tuple[str, ...]:
        """Return those of some models that are on another network."""
        return tuple(model for model in models if self.remote or says_cloud(model))

    def wanted(self, tasks: Iterable[str] | None = None, model: str = "") -> Wanted:
        """Return what to ask: by itself, the model that is configured and its tasks."""
        asked = self.tasks if tasks is None else tuple(dict.fromkeys(tasks))
        return Wanted(
            model=model or self.model, prompts=tuple((task, self.version(task)) for task in asked)
        )


class ModelDesk:
    """Where people ask models; without `use` there is none, and what was said before is shown."""

    def __init__(self, database: Database, use: ModelUse | None) -> None:
        self.use = use
        limits = use.limits if use else Limits()
        self.analyses = Analyses(database, server=use.server if use else "", limits=limits)
        self.board = ModelBoard(database)

    async def of_article(self, article_id: int, *, actor: str = "") -> ArticleAnalyses:
        """Return what models said of an article, and what may be asked. Raises NotFoundError."""
        found, models = await self.analyses.of_article(article_id, actor=actor), await self.models()
        return ArticleAnalyses(
            configured=self.use is not None,
            model=self.use.model if self.use else "",
            models=models,
            remote=self.use.leaving(models) if self.use else (),
            tasks=tuple(task.value for task in TaskName),
            analyses=found,
        )

    async def models(self) -> tuple[str, ...]:
        """Return the models that may be asked, the one that is configured first."""
        if self.use is None:
            return ()
        server = await self.board.server(self.use.server)
        return tuple(dict.fromkeys((self.use.model, *(server.models if server else ()))))

    async def ask(
        self,
        article_id: int,
        tasks: Sequence[TaskName],
        *,
        model: str = "",
        actor: str,
        again: bool = False,
    ) -> tuple[int, ...]:
        """Have a model asked about an article; return the numbers of the analyses.

        Raises UnavailableError, InputError, NotFoundError and ConflictError.
        """
        self._used()
        if not tasks:
            raise InputError("say what the model is to do: at least one task")
        return await self._ask(article_id, tasks, model, actor=actor, again=again)

    async def ask_for_rules(
        self, article_id: int, *, model: str = "", actor: str, again: bool = False
    ) -> int:
        """Have a model asked for Sigma rules from an article; return the number of that.

        Raises as `ask`.
        """
        [number] = await self._ask(article_id, [RULES], model, actor=actor, again=again)
        return number

    async def rules_of(self, article_id: int, *, actor: str = "") -> ArticleAnalyses:
        """Return what models answered when asked for rules. Raises NotFoundError."""
        found = await self.of_article(article_id, actor=actor)
        of_rules = tuple(one for one in found.analyses if one.task == RULES)
        return replace(found, tasks=(RULES,), analyses=of_rules)

    async def _ask(
        self, article_id: int, tasks: Sequence[str], model: str, *, actor: str, again: bool
    ) -> tuple[int, ...]:
        wanted = self._used().wanted(tasks, model)
        if model and model not in await self.models():
            raise InputError(f"the server of models has no model {model!r}")
        return await self.analyses.ask(article_id, wanted, actor=actor, again=again)

    async def retry(self, analysis_id: int, *, actor: str) -> None:
        """Ask once more. Raises UnavailableError, NotFoundError and ConflictError."""
        self._used()
        await self.analyses.retry(analysis_id, actor=actor)

    async def retry_all(self, fault: ModelFault | None = None) -> int:
        """Ask all once more that failed so; return how many. Raises UnavailableError."""
        self._used()
        return await self.analyses.retry_all(fault)

    async def compare(
        self, article_id: int, left: str = "", right: str = "", *, actor: str = ""
    ) -> Compared:
        """Return two models side by side on the text as it is now. Raises NotFoundError."""
        asked = await self.of_article(article_id, actor=actor)
        current = [one for one in asked.analyses if one.current]
        models = tuple(dict.fromkeys((*(one.model for one in current), *asked.models)))
        left = left or next(iter(models), "")
        right = right or next((one for one in models if one != left), "")
        return Compared(
            article_id=article_id,
            left=left,
            right=right,
            models=models,
            tasks=tuple(
                ComparedTask(
                    task=task,
                    left=_latest(current, task, left),
                    right=_latest(current, task, right),
                )
                for task in asked.tasks
                if any(one.task == task for one in current)
            ),
        )

    async def report(self) -> ModelReport:
        """Return the state of all that has to do with models."""
        use, board = self.use, self.board
        limits = use.limits if use else Limits()
        tokens, cost = await board.today()
        good, bad = await board.thumbs()
        return ModelReport(
            configured=use is not None,
            model=use.model if use else "",
            tasks=tuple(task.value for task in use.tasks) if use else (),
            budgets=ModelBudgets(article=limits.article, source=limits.source, day=limits.day),
            counts=await board.counts(),
            server=await board.server(use.server) if use else None,
            tokens_today=tokens,
            cost_today=cost,
            days=await board.days(),
            sources=await board.sources(limits.source),
            evaluations=await board.evaluations(),
            good=good,
            bad=bad,
        )

    def _used(self) -> ModelUse:
        if self.use is None:
            raise UnavailableError(
                "no model is configured: set CTISCRAPER_MODEL_URL and CTISCRAPER_MODEL; "
                "everything else works without"
            )
        return self.use


def _latest(found: Iterable[AnalysisView], task: str, model: str) -> AnalysisView | None:
    """Return what a model made of a task: what is done before what is not, then the latest."""
    of_it = [one for one in found if one.task == task and one.model == model]
    return max(of_it, key=lambda one: (one.state is AnalysisState.DONE, one.id), default=None)


class Asking:
    """One question at a time to a server of models, each kept whatever becomes of it."""

    def __init__(
        self,
        database: Database,
        server: ModelServer,
        use: ModelUse,
        analyse_text: Analyse = analyse,
        ask_for_rules: AskForRules | None = None,
    ) -> None:
        self.queue = PatientQueue(database)
        self.servers = ModelServers(database)
        self.use = use
        self.server = server
        self.grace_seconds = GRACE_SECONDS
        self._watchlist = Watchlist(database)
        self._techniques = TechniquesInUse(database)
        self._analyse = analyse_text
        self._ask_for_rules = ask_for_rules

    async def make_ready(self) -> None:
        """Load what answers are proved by, so that no question waits for it.

        Raises StorageError.
        """
        if await self._techniques.read() is None:
            await asyncio.to_thread(known_techniques)

    async def note_server(self) -> None:
        """Keep what the server has, for the pages, or why it does not tell.

        Raises ModelError and StorageError.
        """
        try:
            version = await self.server.version()
            models = await self.server.models()
        except ModelError as error:
            await self.servers.note_fault(self.use.server, error)
            raise
        await self.servers.note(
            self.use.server,
            version=version,
            models=[one.name for one in models],
            remote=leaves(self.server, self.use.model),
            missing="" if among(models, self.use.model) else self.use.model,
        )

    async def answer(self, claimed: Claimed, metered: Metered) -> None:
        """Ask about a text and keep what comes of it. Raises StorageError.

        `metered` counts what it costs, and how far it is. This is the boundary of a task: what
        nobody foresaw costs it an attempt, no more.
        """
        if not await self._is_ours(claimed):
            return
        try:
            found = await self._found(claimed, metered)
        except ModelError as error:
            await self._fail(claimed, error, metered)
        except ConflictError:
            # Its text was revised meanwhile, and is looked at anew.
            await self.queue.give_back(claimed)
        except (StorageError, asyncio.CancelledError):
            raise
        except Exception as error:
            log.exception("analysis_broke", analysis=claimed.id, article=claimed.article_id)
            # Its own words may be the model's: they are in the log.
            unforeseen = ModelError(ModelFault.UNFORESEEN, type(error).__name__)
            await self._fail(claimed, unforeseen, metered)
        else:
            await self._keep(claimed, found, metered)

    async def _is_ours(self, claimed: Claimed) -> bool:
        """Return whether this is asked by the prompt that we have; what is not is put right.

        What a newer version of this program asks is left to it while that may be starting; after
        that it was taken back, and what we have is asked instead.
        """
        try:
            version = self.use.version(claimed.task)
        except ValueError:
            log.warning("unknown_task", analysis=claimed.id, task=claimed.task)
            await self.queue.give_back(claimed, pause=NEWER_PAUSE)
            return False
        if version == claimed.prompt_version:
            return True
        if claimed.waited < NEWER_SECONDS and is_newer(claimed.prompt_version, version):
            await self.queue.give_back(claimed, pause=NEWER_PAUSE)
        else:
            await self.queue.renew_prompt(claimed, version)
        return False

    async def pay(self, claimed: Claimed, metered: Metered) -> None:
        """Count what a question cost that was broken off, and put it back."""
        await self.queue.pay(claimed, spent_of(metered), self.use.limits, counted=metered.counted)
        await self.queue.give_back(claimed)

    async def _found(self, claimed: Claimed, metered: Metered) -> Analysis:
        marked = marking(claimed.title, claimed.text, least=claimed.tlp)
        if leaves(self.server, claimed.model) and marked.exceeds(self.use.tlp):
            raise ModelError(
                ModelFault.TLP,
                f"it is marked TLP:{marked.upper()}, and up to TLP:{self.use.tlp.upper()} may "
                "go to a model on another network",
                transient=False,
            )
        if claimed.task == RULES:
            return await self._rules(claimed, metered)
        watched: tuple[str, ...] = ()
        if claimed.task == TaskName.RELEVANCE:
            entries = await self._watchlist.entries()
            heaviest = sorted(entries, key=lambda one: -one.weight)
            watched = tuple(one.term for one in heaviest)
        text = AnalysedText(
            title=claimed.title, text=claimed.text, language=claimed.language, watched=watched
        )
        techniques = await self._techniques.read()
        within = Within(context_tokens=self.use.context, techniques=techniques)
        seconds = self.use.seconds
        try:
            async with asyncio.timeout(seconds + self.grace_seconds):
                return await self._analyse(
                    metered,
                    TaskName(claimed.task),
                    text,
                    model=claimed.model,
                    seconds=seconds,
                    within=within,
                )
        except TimeoutError as error:
            raise ModelError(ModelFault.TIMEOUT, f"no end within {seconds:g} s") from error

    async def _rules(self, claimed: Claimed, metered: Metered) -> Analysis:
        if self._ask_for_rules is None:
            raise ModelError(
                ModelFault.REFUSED, "this worker has no way to prove rules", transient=False
            )
        # Each of its two answers is tried on what the article shows.
        most = self.use.seconds + 2 * CHECK_SECONDS + self.grace_seconds
        try:
            async with asyncio.timeout(most):
                return await self._ask_for_rules(
                    metered,
                    claimed.article_id,
                    text=(claimed.title, claimed.text),
                    model=claimed.model,
                    seconds=self.use.seconds,
                    context_tokens=self.use.context,
                )
        except TimeoutError as error:
            raise ModelError(ModelFault.TIMEOUT, f"no end within {most:g} s") from error

    async def _keep(self, claimed: Claimed, found: Analysis, metered: Metered) -> None:
        # Of a title the words that prove it are those of the title.
        proving = claimed.title if claimed.task == TaskName.TITLE else claimed.text
        proved = [claim for claim in found.claims if is_proved(claim, proving)]
        kept = Kept(
            claims=to_json(proved),
            prompt_version=found.prompt_version,
            dropped=found.dropped + len(found.claims) - len(proved),
            hidden=found.hidden,
            repaired=found.repaired,
            unread=found.unread,
            parts=found.parts,
            why=json.dumps(dict(found.why)),
            failed_parts=json.dumps(dict(found.failed_parts)),
            seconds=found.seconds,
        )
        metered.counted = True
        held = await self.queue.finish(
            claimed, kept, spent_of(metered), server=self.use.server, limits=self.use.limits
        )
        log.info(
            "analysed",
            analysis=claimed.id,
            article=claimed.article_id,
            task=claimed.task,
            claims=len(proved),
            dropped=kept.dropped,
            kept=held,
        )

    async def _fail(self, claimed: Claimed, error: ModelError, metered: Metered) -> None:
        log.warning(
            "analysis_failed",
            analysis=claimed.id,
            article=claimed.article_id,
            task=claimed.task,
            fault=error.fault,
            # What was answered may be of an article that is not for whoever keeps logs.
            detail="" if error.raw else error.detail,
        )
        is_apart = claimed.model != self.use.model
        if error.fault is ModelFault.MODEL_MISSING and is_apart:
            await self.queue.pay(claimed, spent_of(metered), self.use.limits)
            await self.queue.renew_model(claimed, self.use.model)
            return
        metered.counted = True
        await self.queue.fail(
            claimed,
            error.fault,
            error.detail,
            spent_of(metered),
            # What is refused of another model than the configured one says nothing of the others.
            transient=error.transient and not (is_apart and error.fault is ModelFault.REFUSED),
            raw=error.raw,
            server=self.use.server,
            limits=self.use.limits,
        )
