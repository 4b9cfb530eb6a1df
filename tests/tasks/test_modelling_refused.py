"""What a server refuses of one model, beside what it refuses altogether."""

from answering import ScriptedServer, nothing_said, use
from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.models.server import Prompt
from db import modelled
from db.conftest import stage as stage  # noqa: PLC0414 - a fixture
from db.stage import Stage
from tasks.test_modelling import queue_all, rows, worker


async def test_what_is_refused_of_another_model_holds_up_nobody(stage: Stage) -> None:
    async def answered(prompt: Prompt) -> str:
        if prompt.model == "large":
            raise ModelError(ModelFault.REFUSED, "passes 'large' on")
        return await nothing_said(prompt)

    articles = [await modelled.article(stage, f"a{n}", f"Word{n} is here.") for n in range(3)]
    await queue_all(stage, articles[0], what=use(model="large"))
    await queue_all(stage, *articles)
    await worker(stage, ScriptedServer(answered=answered)).run()
    assert await rows(stage, "model, state, fault, detail") == [
        ("large", "failed", "refused", "passes 'large' on"),
        *[("small", "done", None, "")] * 3,
    ]
    assert await stage.value("SELECT sum(failures) FROM model_server") == 0


async def test_what_is_refused_of_the_configured_model_waits_for_whoever_mends_it(
    stage: Stage,
) -> None:
    async def answered(prompt: Prompt) -> str:
        del prompt
        raise ModelError(ModelFault.REFUSED, "a key is wanted")

    await queue_all(stage, *[await modelled.article(stage, name, name) for name in ("one", "two")])
    await worker(stage, ScriptedServer(answered=answered)).run()
    assert await rows(stage, "state, attempts") == [("pending", 0), ("pending", 0)]
    assert await stage.rows("SELECT fault, rest_until > now() FROM model_server") == [
        ("refused", True)
    ]
