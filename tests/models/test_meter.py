"""What asking costs is counted at the answers themselves, and estimated where none came."""

import pytest

from answering import ScriptedServer
from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.models.meter import Metered
from ctiscraper.models.server import Message, Prompt, Speaker

ASKED = Prompt(model="m", messages=(Message(Speaker.USER, "x" * 300),), most_tokens=10, seconds=1.0)


async def test_every_answer_is_counted() -> None:
    metered = Metered(ScriptedServer())
    for _ in range(3):
        await metered.chat(ASKED)
    assert (metered.prompt_tokens, metered.answer_tokens, metered.calls) == (300, 60, 3)
    assert (metered.estimated, metered.said) == (0, 6)


@pytest.mark.parametrize(
    ("fault", "estimated"),
    [(ModelFault.TIMEOUT, 100), (ModelFault.AWAY, 0), (ModelFault.MODEL_MISSING, 0)],
)
async def test_what_may_have_been_read_is_estimated(fault: ModelFault, estimated: int) -> None:
    metered = Metered(ScriptedServer(fault=ModelError(fault)))
    with pytest.raises(ModelError):
        await metered.chat(ASKED)
    assert (metered.estimated, metered.prompt_tokens, metered.calls) == (estimated, 0, 1)


async def test_the_rest_is_the_servers_own() -> None:
    server = ScriptedServer(is_remote=True)
    metered = Metered(server)
    assert (metered.name, metered.is_remote) == ("scripted", True)
    assert await metered.version() == "scripted 1"
    assert [one.name for one in await metered.models()] == ["small", "large"]
    assert (await metered.embed("m", ["a", "b"], seconds=1)).tokens == 2
    assert metered.prompt_tokens == 2
    assert [step.state async for step in metered.pull("m")] == ["m is here"]
    await metered.close()
