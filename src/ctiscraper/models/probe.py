"""A try of a server of models: what it is, whether it has the model, and one small question."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.models.server import Message, Model, ModelServer, Prompt, Speaker, leaves

SCHEMA = {
    "type": "object",
    "properties": {"hostile": {"type": "boolean"}},
    "required": ["hostile"],
    "additionalProperties": False,
}
QUESTION = "Is a phishing mail hostile? Answer with one JSON object."
MOST_TOKENS = 64


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    hostile: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How a server was found; the cost is that of the question."""

    server: str
    remote: bool
    version: str
    model: str
    context_tokens: int | None
    prompt_tokens: int
    answer_tokens: int
    seconds: float


async def probed(server: ModelServer, model: str, *, seconds: float) -> Probe:
    """Return how a server and a model of it do. Raises ModelError."""
    version = await server.version()
    if not model:
        raise ModelError(
            ModelFault.MODEL_MISSING,
            f"{server.name} answers ({version}), but no model is named: set CTISCRAPER_MODEL",
            transient=False,
        )
    found = among(await server.models(), model)
    if found is None:
        raise ModelError(
            ModelFault.MODEL_MISSING,
            f"{server.name} answers ({version}), but has no model {model!r}: "
            f"`ollama pull {model}` there, or `ctiscraper model pull {model}`",
            transient=False,
        )
    prompt = Prompt(
        model=model,
        messages=(Message(Speaker.USER, QUESTION),),
        most_tokens=MOST_TOKENS,
        seconds=seconds,
        schema=SCHEMA,
    )
    done = await server.chat(prompt)
    _check(done.text, model, server.name)
    return Probe(
        server=server.name,
        remote=leaves(server, model),
        version=version,
        model=model,
        context_tokens=found.context_tokens,
        prompt_tokens=done.prompt_tokens,
        answer_tokens=done.answer_tokens,
        seconds=done.seconds,
    )


def among(models: Sequence[Model], name: str) -> Model | None:
    """Return the model of a name, which may leave out the tag that Ollama calls `latest`."""
    names = {name, f"{name}:latest"}
    return next((model for model in models if model.name in names), None)


def _check(text: str, model: str, server: str) -> None:
    try:
        msgspec.json.decode(text, type=_Answer)
    except msgspec.DecodeError as error:
        raise ModelError(
            ModelFault.BAD_ANSWER,
            f"{model!r} at {server} does not keep to a JSON schema, so that nothing it says can "
            "be used; take another model, or a server that holds it to one",
            transient=False,
            raw=text,
        ) from error
