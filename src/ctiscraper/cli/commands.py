"""The commands: where each is, and what it says of itself, so that a list of all imports none."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Command(NamedTuple):
    """One command: module and name below this room, where it stands in the help, its first line."""

    place: str
    panel: str
    says: str


_START = "Start"
_SERVICES = "Services"
_READ = "Read and hunt"
_CURATE = "Sources and the team's own"
_KEEP = "Run and keep"
_PEOPLE = "People and programs"

COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "up": Command(
            "up:up",
            _START,
            "Start everything: database, collection and the pages on this machine. Ctrl-C "
            "stops it.",
        ),
        "demo": Command(
            "up:demo",
            _START,
            "Start everything on a sample site of invented researchers, without any internet.",
        ),
        "collect": Command(
            "collect:collect",
            _START,
            "Collect what is due, showing how it goes. Ctrl-C stops it; nothing is lost.",
        ),
        "stack": Command(
            "stack:stack",
            _START,
            "Run database, Redis, web, workers and beat as production does, on this machine alone.",
        ),
        "web": Command(
            "web:web",
            _SERVICES,
            "Serve the pages and the API until told to stop; workers collect in other processes.",
        ),
        "worker": Command(
            "worker:worker",
            _SERVICES,
            "Run workers until told to stop. With REDIS_URL the bell wakes them, else they look.",
        ),
        "model-worker": Command(
            "model_worker:model_worker",
            _SERVICES,
            "Ask the configured model about articles until told to stop; it never holds up "
            "collection.",
        ),
        "beat": Command(
            "beat:beat",
            _SERVICES,
            "See to upkeep until told to stop and, with Redis, ring the bell; several do no harm.",
        ),
        "articles": Command("articles:app", _READ, "Reading on the terminal."),
        "search": Command(
            "articles:search",
            _READ,
            "Articles that a search finds, with the piece of text that it found.",
        ),
        "ask": Command(
            "ask:ask",
            _READ,
            "What the collection says to a question, each sentence with its proof; nothing is "
            "kept.",
        ),
        "stories": Command("stories:app", _READ, "Articles that tell of one event."),
        "scoreboard": Command(
            "stories:scoreboard",
            _READ,
            "How sources compare, by default over 30 days: who is first, adds what is new, "
            "repeats.",
        ),
        "indicators": Command(
            "entities:indicators",
            _READ,
            "What articles name, the newest known first: indicators, techniques and names.",
        ),
        "indicator": Command(
            "entities:indicator",
            _READ,
            "One thing that articles name: who named it and when, what stands beside it, the "
            "articles.",
        ),
        "techniques": Command(
            "techniques:techniques",
            _READ,
            "The techniques of ATT&CK that articles name, those of the most articles first.",
        ),
        "technique": Command(
            "techniques:technique",
            _READ,
            "One technique of ATT&CK: the articles that name it, and the words that say so.",
        ),
        "lookup": Command(
            "lookup:lookup",
            _READ,
            "Up to 10,000 values at once, defanged or not: known, benign or unknown.",
        ),
        "observables": Command(
            "observables:observables",
            _READ,
            "The indicators, identifiers, commands and rules of a text, defanged or not.",
        ),
        "sigma": Command("sigma:app", _READ, "Sigma rules drafted from articles."),
        "sources": Command("sources:app", _CURATE, "What is collected, and how it stands."),
        "watchlist": Command("watchlist:app", _CURATE, "What the team looks for in every article."),
        "verdict": Command("verdicts:app", _CURATE, "What the team decided of values and domains."),
        "analysis": Command(
            "analyses:app", _CURATE, "What models say of articles, and what it costs."
        ),
        "enrichment": Command(
            "enrichment:app", _CURATE, "Finding what articles name: what failed, and again."
        ),
        "dead": Command("queue:dead", _CURATE, "Items that failed, each with its cause."),
        "quarantine": Command(
            "queue:quarantine", _CURATE, "Articles that a source's gates hold back."
        ),
        "reprocess": Command(
            "queue:reprocess",
            _CURATE,
            "Read articles again from their kept pages, or with --only look through their "
            "texts again.",
        ),
        "status": Command(
            "status:status",
            _KEEP,
            "What waits, who works, how it goes, and what is amiss; ends with 9 when something is.",
        ),
        "doctor": Command(
            "doctor:doctor",
            _KEEP,
            "Look at every part of the installation and say what to do about it.",
        ),
        "health": Command(
            "health:health",
            _KEEP,
            "Say whether web, worker, model-worker or beat on this machine is well: exit code "
            "0, or 1.",
        ),
        "accounting": Command(
            "accounting:accounting",
            _KEEP,
            "Everything announced and where it stands, for each source: nothing is lost.",
        ),
        "embed": Command(
            "embed:embed",
            _KEEP,
            "Make the vectors that searches by meaning need, of the newest texts first.",
        ),
        "model": Command("model:app", _KEEP, "The server of language models, if one is set."),
        "data": Command(
            "reference_data:app",
            _KEEP,
            "Reference data in versions: ATT&CK, names, warning lists, vulnerabilities, Sigma "
            "rules.",
        ),
        "eval": Command(
            "evaluate:app", _KEEP, "How well extractors and language models do on labelled texts."
        ),
        "migrate": Command(
            "schema:migrate",
            _KEEP,
            "Bring the database up to this version of the program; safe when started twice.",
        ),
        "db": Command("schema:app", _KEEP, "The schema of the database."),
        "retention": Command(
            "retention:retention",
            _KEEP,
            "Delete raw pages, earlier texts and records of checks that are past their time.",
        ),
        "backup": Command(
            "backup:backup",
            _KEEP,
            "Make an archive of database and raw pages, all of one moment, while collection "
            "goes on.",
        ),
        "restore": Command(
            "backup:restore",
            _KEEP,
            "Restore an archive into an empty place and compare it with what was dumped.",
        ),
        "import": Command("importing:app", _KEEP, "What other programs collected, into this one."),
        "user": Command("users:app", _PEOPLE, "Who may log in, and what each may do."),
        "token": Command("tokens:app", _PEOPLE, "Tokens of programs."),
        "secrets": Command(
            "secrets:app", _PEOPLE, "The passwords and the key of this installation."
        ),
        "audit": Command("audit:app", _PEOPLE, "Who did what."),
    }
)
