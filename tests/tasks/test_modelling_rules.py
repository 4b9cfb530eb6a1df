"""A worker that asks models for Sigma rules: what holds is kept in its row, and nowhere else."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
import pytest_asyncio
import yaml
from psycopg.conninfo import make_conninfo

from analysis.test_asked_injections import INJECTIONS, article_of
from answering import SERVER, ScriptedServer, use
from ctiscraper.analyses import Asking, ModelDesk, ModelUse, version_of
from ctiscraper.analysis.analysed import RULES
from ctiscraper.db.model_spending import Limits
from ctiscraper.db.roles import DatabaseRole, Part, give_roles
from ctiscraper.db.session import Database
from ctiscraper.detecting import Detections, open_sandbox
from ctiscraper.errors import InputError, ModelFault, UnavailableError
from ctiscraper.model_views import AnalysisState, AnalysisView
from ctiscraper.models.guarded import Guarded
from ctiscraper.models.meter import Metered
from ctiscraper.models.ollama import Ollama
from ctiscraper.models.server import ModelServer, Prompt
from ctiscraper.sandbox import Sandbox
from ctiscraper.tasks.modelling import ModelWorker
from ctiscraper.web.model_words import rule_number
from detect.material import COMMAND, TEXT
from detect.test_modelled import GOOD
from evil_model import LONG, MEMORY, Reply, error, evil_server, hang, ollama_says
from models_at import client_of
from small_model import CONTEXT, SMALL_MODEL
from test_detecting import HOSTILE
from untouched import dump, seed
from web import claims
from web.shelf import Shelf

pytestmark = pytest.mark.asyncio(loop_scope="module")
USE = use(version=version_of)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox() as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def opened(database: str) -> AsyncIterator[Database]:
    async with Database(database, size=4) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def shelf(database: str) -> Shelf:
    made = Shelf(database)
    await article(database, made, "one")
    return made


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    given = ScriptedServer(answered=_good)
    yield given
    assert given.running == 0, "no question is left behind"


async def _good(prompt: Prompt) -> str:
    del prompt
    return f"{GOOD}---\ntitle: Invented\n"


async def article(database: str, shelf: Shelf, title: str) -> int:
    number = shelf.article(title, text=TEXT)
    command = claims.at(TEXT, COMMAND, "command_line", verdict=None)
    await claims.name(database, shelf, number, command)
    return number


async def run(
    database: Database, sandbox: Sandbox, server: ModelServer, what: ModelUse = USE
) -> int:
    by_model = Detections(database, sandbox).rules_by_model
    asking = Asking(database, server, what, ask_for_rules=by_model)
    return await ModelWorker(asking, once=True).run()


async def asked(database: Database, what: ModelUse = USE, number: int = 1) -> AnalysisView:
    [found] = (await ModelDesk(database, what).rules_of(number)).analyses
    return found


async def test_a_rule_that_holds_stands_in_its_row_and_nowhere_else(
    opened: Database, shelf: Shelf, sandbox: Sandbox, server: ScriptedServer
) -> None:
    desk = ModelDesk(opened, USE)
    number = await desk.ask_for_rules(1, actor="ann")
    assert await desk.ask_for_rules(1, actor="bob") == number
    seed(shelf, 1)
    before = dump(shelf, [number])
    assert {"detection", "detection_version", "model_analysis"} <= before.keys()
    assert await run(opened, sandbox, server) == 1
    assert dump(shelf, [number]) == before
    found = await asked(opened)
    assert (found.state, found.task, found.asked_by) == (AnalysisState.DONE, RULES, "ann")
    assert (found.prompt_version, found.dropped, found.repaired) == (version_of(RULES), 1, False)
    assert (found.prompt_tokens, found.answer_tokens) == (100, 20)
    [claim] = found.claims
    assert "DefenderUPD" in claim.fields["rule"]
    assert all(TEXT[one.start : one.end] == one.text for one in claim.quotes)


async def test_a_text_that_nobody_looked_at_leaves_with_no_question(
    opened: Database, shelf: Shelf, sandbox: Sandbox
) -> None:
    server = ScriptedServer(answered=_good, is_remote=True)
    await ModelDesk(opened, USE).ask_for_rules(1, actor="ann")
    asking = Asking(opened, server, USE, ask_for_rules=Detections(opened, sandbox).rules_by_model)
    claimed = await asking.queue.claim(uuid4(), server=SERVER, limits=Limits(), seconds=60)
    assert claimed is not None
    shelf.run("UPDATE article SET text = 'TLP:RED ' || text")
    await asking.answer(claimed, Metered(server))
    found = await asked(opened)
    assert (found.state, found.attempts, found.fault) == (AnalysisState.PENDING, 0, None)
    await ModelWorker(asking, once=True).run()
    # As with all else that is asked of a text that is no more.
    assert (await asked(opened)).state is AnalysisState.CANCELLED
    assert server.asked == []


async def test_the_same_words_are_asked_about_once_for_each_article(
    opened: Database, shelf: Shelf, database: str, sandbox: Sandbox, server: ScriptedServer
) -> None:
    desk = ModelDesk(opened, USE)
    await desk.ask_for_rules(1, actor="ann")
    await run(opened, sandbox, server)
    other = await article(database, shelf, "one")
    await desk.ask_for_rules(other, actor="ann")
    await run(opened, sandbox, server)
    copied = await asked(opened, number=other)
    # Its rule names its own article, so that no answer about another will do.
    assert (copied.state, copied.copied_from, len(server.asked)) == (AnalysisState.DONE, None, 2)
    made = await Detections(opened, sandbox).keep_by_model(copied, by="ann")
    [one] = made.detections
    assert one.article.id == other
    whole = await Detections(opened, sandbox).drafts.get(one.id)
    urls = {
        number: shelf.run("SELECT url FROM article WHERE id = %s", (number,))[0]
        for number in (1, other)
    }
    [claim] = copied.claims
    for rule in (whole.yaml, claim.fields["rule"]):
        assert urls[other] in rule
        assert urls[1] not in rule
    assert rule_number(claim) == whole.summary.rule_id
    # Of one article the same words are asked about once, unless that is asked for.
    await desk.ask_for_rules(1, actor="ann")
    await run(opened, sandbox, server)
    assert len(server.asked) == 2
    await desk.ask_for_rules(1, actor="ann", again=True)
    await run(opened, sandbox, server)
    assert len(server.asked) == 3


async def test_budgets_hold_for_rules_too(
    opened: Database, shelf: Shelf, sandbox: Sandbox, server: ScriptedServer
) -> None:
    tight = use(version=version_of, limits=Limits(article=10))
    assert shelf.run("SELECT count(*) FROM article") == (1,)
    await ModelDesk(opened, tight).ask_for_rules(1, actor="ann")
    assert await run(opened, sandbox, server, tight) == 0
    found = await asked(opened, tight)
    assert (found.state, found.fault) == (AnalysisState.FAILED, ModelFault.OVER_BUDGET)
    assert server.asked == []


async def test_a_worker_needs_no_right_on_detections(
    opened: Database, shelf: Shelf, database: str, sandbox: Sandbox, server: ScriptedServer
) -> None:
    role = DatabaseRole(part=Part.WORKER, name="worker_of_rules", password="some quiet words")
    give_roles(database, [role])
    try:
        await ModelDesk(opened, USE).ask_for_rules(1, actor="ann")
        own = make_conninfo(database, user=role.name, password=role.password)
        async with Database(own, size=3) as its:
            assert await run(its, sandbox, server) == 1
        assert (await asked(opened)).state is AnalysisState.DONE
    finally:
        shelf.run("DROP OWNED BY worker_of_rules")
        shelf.run("DROP ROLE worker_of_rules")


async def test_without_a_model_nobody_is_asked_and_it_is_said_why(
    opened: Database, shelf: Shelf
) -> None:
    assert shelf.run("SELECT count(*) FROM article") == (1,)
    with pytest.raises(UnavailableError, match="set CTISCRAPER_MODEL_URL"):
        await ModelDesk(opened, None).ask_for_rules(1, actor="ann")
    with pytest.raises(InputError, match="no model 'other'"):
        await ModelDesk(opened, USE).ask_for_rules(1, model="other", actor="ann")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_rules_end_in_a_row_that_says_so(
    opened: Database, shelf: Shelf, sandbox: Sandbox, text: str
) -> None:
    async def hostile(prompt: Prompt) -> str:
        del prompt
        return text

    number = await ModelDesk(opened, USE).ask_for_rules(1, actor="ann")
    seed(shelf, 1)
    before = dump(shelf, [number])
    await run(opened, sandbox, ScriptedServer(answered=hostile))
    found = await asked(opened)
    assert found.claims == ()
    assert found.state is AnalysisState.FAILED or found.dropped > 0
    assert dump(shelf, [number]) == before


@pytest.mark.parametrize(
    ("answer", "fault", "state"),
    [
        (hang, ModelFault.TIMEOUT, AnalysisState.PENDING),
        (error(500, MEMORY), ModelFault.OUT_OF_MEMORY, AnalysisState.PENDING),
        (error(404, "model 'small' not found"), ModelFault.MODEL_MISSING, AnalysisState.PENDING),
        (error(400, LONG), ModelFault.TOO_LONG, AnalysisState.FAILED),
        (ollama_says(GOOD, reason="length"), ModelFault.CUT_OFF, AnalysisState.FAILED),
        (ollama_says(" \n"), ModelFault.BAD_ANSWER, AnalysisState.FAILED),
        (b"", ModelFault.BROKE_OFF, AnalysisState.PENDING),
    ],
    ids=["hangs", "memory", "missing", "long", "cut", "nothing", "broke"],
)
async def test_a_hostile_server_leaves_a_fault_and_a_way_out(
    opened: Database,
    shelf: Shelf,
    sandbox: Sandbox,
    answer: Reply,
    fault: ModelFault,
    state: AnalysisState,
) -> None:
    number = await ModelDesk(opened, USE).ask_for_rules(1, actor="ann")
    seed(shelf, 1)
    before = dump(shelf, [number])
    async with evil_server() as evil:
        evil.answer = answer
        ollama = Ollama(client_of(evil.url), evil.url, remote=False)
        asking = Guarded(ollama, slots=1)
        try:
            await run(opened, sandbox, asking, use(version=version_of, seconds=0.5))
        finally:
            await asking.close()
    found = await asked(opened)
    assert (found.fault, found.state) == (fault, state)
    assert found.advice
    assert dump(shelf, [number]) == before


@pytest.mark.timeout(400)
async def test_a_real_small_model_leaves_only_rules_that_are_proved(
    opened: Database, shelf: Shelf, sandbox: Sandbox, small_model: str
) -> None:
    what = use(server=SERVER, model=SMALL_MODEL, version=version_of, seconds=300.0, context=CONTEXT)
    await ModelDesk(opened, what).ask_for_rules(1, actor="ann")
    real = Ollama(client_of(small_model), small_model, remote=False)
    try:
        assert await run(opened, sandbox, real, what) == 1
    finally:
        await real.close()
    found = await asked(opened, what)
    assert found.state in {AnalysisState.DONE, AnalysisState.FAILED}
    if found.state is AnalysisState.FAILED:
        assert found.fault in {ModelFault.CUT_OFF, ModelFault.BAD_ANSWER}
    else:
        assert found.dropped + len(found.claims) > 0
    assert found.answer_tokens > 0
    assert all(TEXT[q.start : q.end] == q.text for one in found.claims for q in one.quotes)
    assert shelf.run("SELECT count(*) FROM detection") == (0,)


async def test_orders_in_articles_change_nothing_and_no_rule_says_their_words(
    database: str, opened: Database, sandbox: Sandbox
) -> None:
    shelf = Shelf(database)
    wrote: dict[str, str] = {}
    for number, injection in enumerate(INJECTIONS):
        name = f"Port{number:03d}"
        order = article_of(injection).text.replace("\0", "").encode("utf-8", "replace").decode()
        stored = shelf.article(name, text=f"{TEXT}\n\n{order}")
        at_start = claims.at(TEXT, COMMAND, "command_line", verdict=None)
        await claims.name(database, shelf, stored, at_start)
        said = json.dumps(injection.get("obeys") or injection["raw"])[:150]
        wrote[name] = _obeyed(said, number)

    async def obey(prompt: Prompt) -> str:
        asked_of = " ".join(one.text for one in prompt.messages)
        return next(rule for name, rule in wrote.items() if f"Title: {name}\n" in asked_of)

    desk = ModelDesk(opened, USE)
    own = [
        await desk.ask_for_rules(stored, actor="someone")
        for stored in range(1, len(INJECTIONS) + 1)
    ]
    seed(shelf, 1)
    before = dump(shelf, own)
    assert await run(opened, sandbox, ScriptedServer(answered=obey)) == len(INJECTIONS) >= 50
    assert dump(shelf, own) == before
    assert shelf.run(
        "SELECT count(*) FROM model_analysis WHERE id = ANY(%s) AND state <> 'done'", (own,)
    ) == (0,)
    rules = shelf.run(
        "SELECT array_agg(c->'fields'->>'rule'), count(*) FROM model_analysis m,"
        " jsonb_array_elements(m.claims) c WHERE m.id = ANY(%s)",
        (own,),
    )
    # The rule itself holds, so that each is kept: what was ordered beside it is not in it.
    assert rules[1] == len(INJECTIONS)
    # Nor does the row say it in any other place, such as why the other rules do not hold.
    rows = shelf.run(
        "SELECT array_agg(lower(m::text)) FROM model_analysis m WHERE m.id = ANY(%s)", (own,)
    )[0]
    assert len(rows) == len(INJECTIONS)
    assert not [row for row in rows if "obeyed" in row or "collect" in row]
    assert shelf.run(
        "SELECT min(dropped), max(dropped) FROM model_analysis WHERE id = ANY(%s)", (own,)
    ) == (4, 4)


def _obeyed(said: str, number: int) -> str:
    """A rule that holds, and others: what an article orders is in every place that has words."""
    words = f"Obeyed https://collect.example {said}"
    name = re.sub(r"\W", "_", words, flags=re.ASCII)[:60]
    spoilt = _spoilt(words, name)
    made = [_held(words, name), *(spoilt[(number + n) % len(spoilt)] for n in range(4))]
    return f"# {words}\n" + "\n---\n".join(made)


def _held(words: str, name: str) -> str:
    """The order beside what holds: all that is no value, and a value among others."""
    given = yaml.safe_load(GOOD)
    given |= dict.fromkeys(("title", "description", "author", "license", name), words)
    given |= {"references": [words], "falsepositives": [words], "fields": [words]}
    given |= {"tags": [f"attack.{name.lower()}", f"obeyed.{name.lower()}"]}
    given["logsource"] |= {"definition": words, name: words}
    [part, _] = given["detection"].values()
    line = "CommandLine|contains"
    given["detection"] = {
        name: [{**part, line: [words, "DefenderUPD", f"*{words}?"]}, {line: words}, {name: words}],
        f"filter_{name}": {line: [words, "Sync-Folders"]},
        "timeframe": words,
        "condition": f"1 of {name[:9]}* and not filter_{name}",
    }
    written = yaml.safe_dump(given, allow_unicode=True, sort_keys=False)
    return f"# {words}\n{written}# {words}"


def _spoilt(words: str, name: str) -> list[str]:
    """The order in the places of which a rule is not taken with it."""
    part = {"CommandLine|contains|all": ["DefenderUPD", words]}
    changes: list[dict[str, object]] = [
        {"level": words},
        {"status": words},
        {"id": words},
        {"detection": {name: part, "condition": name}},
        {"detection": {"s": {name: "DefenderUPD"}, "condition": "s"}},
        {"detection": {"s": {"CommandLine|re": words}, "condition": "s"}},
        {"detection": {"s": {"CommandLine": "DefenderUPD"}, "condition": f"s and {name}"}},
        {"logsource": {"category": words, "product": "windows"}},
        {"logsource": {"category": "process_creation", "product": words, "service": words}},
    ]
    return [
        str(yaml.safe_dump({**yaml.safe_load(GOOD), **change}, allow_unicode=True))
        for change in changes
    ]
