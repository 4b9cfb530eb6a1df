"""Settings become the parts that the doors use, opened and closed together."""

import importlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ctiscraper.collect.fetch import Fetcher
from ctiscraper.collect.find import Finder
from ctiscraper.config import AGENT, Settings
from ctiscraper.db.checks import Checks
from ctiscraper.db.enrichments import Enrichments
from ctiscraper.db.hosts import Hosts
from ctiscraper.db.known_names import KnownNames
from ctiscraper.db.links import Links
from ctiscraper.db.model_spending import Spending
from ctiscraper.db.nearest import Nearest
from ctiscraper.db.packs import Packs
from ctiscraper.db.passages import Passages
from ctiscraper.db.queue import Queue
from ctiscraper.db.raw import FolderStore
from ctiscraper.db.raw_outbox import OutboxStore
from ctiscraper.db.session import Database
from ctiscraper.db.source_past import SourcePast
from ctiscraper.db.sources import Sources
from ctiscraper.db.store import Store
from ctiscraper.db.stories import Stories
from ctiscraper.db.touched import Touched
from ctiscraper.detecting import Detections, open_sandbox
from ctiscraper.embedding import BuiltinEmbedder, Embedding, ServedEmbedder
from ctiscraper.errors import SettingsError
from ctiscraper.http import Client, tls_context
from ctiscraper.meaning import Meaning
from ctiscraper.mending import Mending
from ctiscraper.messages import PARSERS, WARM_UP
from ctiscraper.model_use import limits_of, model_use
from ctiscraper.models.guarded import Guarded
from ctiscraper.models.ollama import Ollama
from ctiscraper.models.openai import OpenAI
from ctiscraper.models.server import ModelServer, leaves
from ctiscraper.packs.shelf import Shelf
from ctiscraper.patience import SECONDS as READER_SECONDS
from ctiscraper.patience import Patience
from ctiscraper.paying import Paid
from ctiscraper.pipeline import Pipeline
from ctiscraper.questions import Questions
from ctiscraper.recognition import Recognition
from ctiscraper.reference import Reference
from ctiscraper.rehearsal import Rehearsals
from ctiscraper.sandbox import Sandbox
from ctiscraper.scoring import Scoring
from ctiscraper.scouting import Scout
from ctiscraper.sourcing import Sourcing
from ctiscraper.tlp import Tlp
from ctiscraper.tracing import check_collector, exporting

if TYPE_CHECKING:
    from ctiscraper.db.raw_s3 import S3Store
    from ctiscraper.embed.embedder import Embedder


# Some hours of collecting; what does not fit is refunded and tried again.
OUTBOX_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one process."""

    settings: Settings
    database: Database
    client: Client
    hosts: Hosts
    sources: Sources
    queue: Queue
    checks: Checks
    pipeline: Pipeline
    sourcing: Sourcing
    rehearsals: Rehearsals
    mending: Mending
    recognition: Recognition
    scoring: Scoring
    detections: Detections


@asynccontextmanager
async def open_services(
    settings: Settings,
    conninfo: str,
    *,
    connections: int = 4,
    warm: bool = True,
    service: str = "ctiscraper",
) -> AsyncIterator[Services]:
    """Yield the parts of a process that collects; unless `warm` parsers start when first needed.

    Its traces, if any are kept, go under the name `service`.
    Raises StorageError and SettingsError.
    """
    async with AsyncExitStack() as stack:
        # First in, last out: what the others do at their end is still sent.
        await stack.enter_async_context(exporting(settings.collector(service)))
        raw = stack.enter_context(open_raw_store(settings))
        if isinstance(raw, OutboxStore):
            stack.enter_context(raw.flushing())
        database = await stack.enter_async_context(
            Database(conninfo, size=connections, password_file=settings.database_password_file)
        )
        client = Client(settings.egress_policy(), clock=database.clock)
        stack.push_async_callback(client.aclose)
        sandbox = Sandbox(PARSERS, warm_up=WARM_UP)
        stack.push_async_callback(sandbox.aclose)
        if warm:
            await sandbox.start()
        workshop = open_sandbox()
        stack.push_async_callback(workshop.aclose)
        hosts, sources = Hosts(database), Sources(database)
        queue, checks = Queue(database), Checks(database)
        use = model_use(settings)
        wanted = use.wanted() if use and use.tasks else None
        enrichments, scoring = Enrichments(database), Scoring(database, settings.score_weights)
        fetcher = Fetcher(
            client,
            hosts,
            agent_token=AGENT,
            default_gap=settings.min_gap,
            clock=database.clock,
        )
        finder = Finder(fetcher, sandbox)
        pipeline = Pipeline(
            fetcher=fetcher,
            finder=finder,
            sandbox=sandbox,
            sources=sources,
            checks=checks,
            queue=queue,
            store=Store(database),
            links=Links(database, wanted),
            enrichments=enrichments,
            scoring=scoring,
            stories=Stories(database),
            raw=raw,
            clock=database.clock,
        )
        past = SourcePast(database)
        scout = Scout(
            finder=finder, fetcher=fetcher, sandbox=sandbox, past=past, clock=database.clock
        )
        recognition = Recognition(
            Reference(Packs(database)),
            Shelf(settings.packs_dir),
            sandbox,
            Touched(database),
            KnownNames(database),
        )
        yield Services(
            settings=settings,
            database=database,
            client=client,
            hosts=hosts,
            sources=sources,
            queue=queue,
            checks=checks,
            pipeline=pipeline,
            sourcing=Sourcing(scout=scout, sources=sources),
            rehearsals=Rehearsals(past, raw, sandbox, database.clock),
            mending=Mending(finder, past),
            recognition=recognition,
            scoring=scoring,
            detections=Detections(database, workshop),
        )


def check_worker_settings(settings: Settings) -> None:
    """Open and let go of what a worker opens by its settings alone. Raises SettingsError.

    For parents of workers: a worker that cannot open them would be started again for ever.
    """
    check_collector(settings.collector("ctiscraper"))
    tls_context(settings.egress_policy())
    model_use(settings)
    with open_raw_store(settings):
        pass


def model_server(settings: Settings, *, breaks: bool = True) -> ModelServer | None:
    """Return the server of language models, None where there is none; it need not answer yet.

    With `breaks` false it has no breaker of this process. Whoever asks for it closes it.
    Raises SettingsError.
    """
    if not settings.model_url:
        return None
    only = settings.model_policy().only
    assert only is not None, "a policy for one server"
    key = settings.model_key()
    remote = not only.private
    if key and remote and only.scheme == "http":
        raise SettingsError(
            "CTISCRAPER_MODEL_URL: over http anybody on the way reads the key that "
            "CTISCRAPER_MODEL_KEY_FILE holds; use https"
        )
    kind = OpenAI if settings.model_kind == "openai" else Ollama
    server = kind(Client(settings.model_policy()), settings.model_url, remote=remote, key=key)
    return Guarded(server, slots=settings.model_slots, breaks=breaks)


@contextmanager
def open_raw_store(settings: Settings) -> Iterator[FolderStore | OutboxStore]:
    """Yield where raw bytes are kept; a bucket need not answer yet. Raises SettingsError."""
    bucket = settings.bucket
    if bucket is None:
        yield FolderStore(settings.raw_dir)
        return
    with closing(_s3_store(settings, *bucket)) as remote:
        yield OutboxStore(remote, settings.outbox_dir, limit=OUTBOX_BYTES)


def _s3_store(settings: Settings, bucket: str, prefix: str) -> "S3Store":
    """Return the store in a bucket: the SDK is slow to import, so only here and only then."""
    try:
        module = importlib.import_module("ctiscraper.db.raw_s3")
    except ModuleNotFoundError as error:
        package = (error.name or "boto3").partition(".")[0]
        raise SettingsError(
            f"CTISCRAPER_RAW_STORE is in S3, but the package {package} is missing: "
            "install ctiscraper[aws], or unset it to keep raw bytes in the data folder"
        ) from error
    store: S3Store = module.S3Store(
        bucket,
        prefix,
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        kms_key=settings.s3_kms_key,
    )
    return store


@asynccontextmanager
async def open_meaning(
    settings: Settings,
    database: Database,
    *,
    threads: int = 1,
    reader_seconds: float = READER_SECONDS,
) -> AsyncIterator[Meaning]:
    """Yield what searches by meaning, or by words alone where no model of vectors is set.

    Who reads waits for a server of vectors for `reader_seconds`, and goes by words after that.
    Nothing of a model is loaded before it is needed. Raises SettingsError.
    """
    folder = settings.models_dir
    if settings.embedding == "none":
        yield Meaning(database, None, Nearest())
        return
    if settings.embedding == "builtin":
        embedder: Embedder = BuiltinEmbedder(folder, threads=threads)
        yield Meaning(database, Embedding(Passages(database), embedder), Nearest())
        return
    server = model_server(settings)
    if server is None:
        raise SettingsError(
            f"CTISCRAPER_EMBEDDING names the model {settings.embedding}, and no server has it: "
            "set CTISCRAPER_MODEL_URL too, or leave it at builtin"
        )
    async with _closing(server):
        seeker, embedder = (
            ServedEmbedder(
                Paid(server, Spending(database), limits_of(settings), leaves_half=leaves_half),
                settings.embedding,
            )
            for leaves_half in (False, True)
        )
        is_far = leaves(server, settings.embedding)
        ceiling = Tlp(settings.model_tlp) if is_far else Tlp.RED
        embedding = Embedding(Passages(database, ceiling), embedder, seeker)
        patience = Patience(seconds=reader_seconds)
        try:
            yield Meaning(database, embedding, Nearest(), patience)
        finally:
            await patience.close()


@asynccontextmanager
async def open_questions(settings: Settings, meaning: Meaning) -> AsyncIterator[Questions]:
    """Yield what answers questions, by passages alone where no model is set.

    Raises SettingsError.
    """
    server = model_server(settings) if settings.model else None
    if server is None:
        yield Questions(meaning=meaning)
        return
    async with _closing(server):
        yield Questions(
            meaning=meaning,
            server=Paid(server, Spending(meaning.database), limits_of(settings)),
            model=settings.model,
            seconds=settings.model_seconds,
            context_tokens=settings.model_context,
            ceiling=Tlp(settings.model_tlp),
        )


@asynccontextmanager
async def _closing(server: ModelServer) -> AsyncIterator[None]:
    """Close a server's connections in the end."""
    try:
        yield
    finally:
        await server.close()
