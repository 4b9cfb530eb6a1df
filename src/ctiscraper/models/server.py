"""What a server of language models can be asked, whoever it is."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

# How the names end of models that Ollama passes on.
_IN_A_CLOUD = ("-cloud", ":cloud")


class Speaker(StrEnum):
    """Whose words a message holds."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of what a model is given."""

    speaker: Speaker
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a model is asked, and what its answer may cost.

    `schema` is a JSON schema that the answer must follow, None for free text; `narrow` is one that
    allows less, for servers that hold a model to it and do not show it to the model. `most_tokens`
    bounds the answer, `seconds` the whole exchange.
    """

    model: str
    messages: tuple[Message, ...]
    most_tokens: int
    seconds: float
    schema: Mapping[str, Any] | None = None
    narrow: Mapping[str, Any] | None = None
    context_tokens: int | None = None
    temperature: float = 0.0
    seed: int = 0


class Ending(StrEnum):
    """Why a model stopped."""

    WHOLE = "whole"
    CUT_OFF = "cut_off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a model answered, and what that cost."""

    text: str
    ending: Ending
    model: str
    prompt_tokens: int
    answer_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that a server has. Bytes and digest are empty where the server does not tell."""

    name: str
    digest: str = ""
    size: int = 0
    context_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """How far the fetching of a model is: bytes, of how many; `total` is 0 until it is known."""

    state: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """A vector for each text, all of one length."""

    model: str
    vectors: tuple[tuple[float, ...], ...] = field(repr=False)
    tokens: int = 0


class ModelServer(Protocol):
    """A server of language models. Every call raises ModelError, and nothing else of its own."""

    @property
    def name(self) -> str:
        """What people read of it: kind and address, without a secret."""
        ...

    @property
    def is_remote(self) -> bool:
        """Whether what it is told leaves this machine and its private network."""
        ...

    async def version(self) -> str:
        """Return what the server says it is."""
        ...

    async def models(self) -> tuple[Model, ...]:
        """Return the models that it has."""
        ...

    def pull(self, model: str) -> AsyncIterator[Pulled]:
        """Yield how far the fetching of a model is. Raises ModelError where it cannot fetch."""
        ...

    async def chat(self, prompt: Prompt, said: Callable[[str], None] | None = None) -> Completion:
        """Return the answer; `said` is told each piece of it as it comes."""
        ...

    async def embed(self, model: str, texts: Sequence[str], *, seconds: float) -> Embedded:
        """Return the vectors of some texts."""
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...


def leaves(server: ModelServer, model: str) -> bool:
    """Whether what a model is told leaves this machine and its private network.

    A server nearby may pass it on: Ollama does to its cloud (https://docs.ollama.com/cloud).
    """
    return server.is_remote or says_cloud(model)


def says_cloud(model: str) -> bool:
    """Whether the name of a model says that Ollama passes it on."""
    return model.casefold().removesuffix(":latest").endswith(_IN_A_CLOUD)
