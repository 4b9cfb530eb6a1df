"""Clients for servers of models that a test names, and questions to ask them."""

from collections.abc import Mapping
from typing import Any

from ctiscraper.http import Client
from ctiscraper.models.reach import reach
from ctiscraper.models.server import Message, Prompt, Speaker
from loopback import USER_AGENT


def client_of(address: str) -> Client:
    """A client that may ask this server, and nothing else."""
    return Client(reach(address, user_agent=USER_AGENT))


def said_to(
    model: str,
    text: str,
    *,
    schema: Mapping[str, Any] | None = None,
    most_tokens: int = 24,
    seconds: float = 60.0,
    context_tokens: int | None = None,
) -> Prompt:
    """A question of one sentence, whose answer is short."""
    return Prompt(
        model=model,
        messages=(Message(Speaker.USER, text),),
        most_tokens=most_tokens,
        seconds=seconds,
        schema=schema,
        context_tokens=context_tokens,
    )
