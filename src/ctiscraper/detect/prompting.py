"""Asking a language model for a rule: what it is told, and what of an article it is shown."""

from functools import cache
from hashlib import sha256
from importlib.resources import files

from ctiscraper.detect.drafted import Material
from ctiscraper.models.server import Message, ModelServer, Prompt, Speaker

MOST_SHOWN = 12_000
"""How many characters of an article a model is shown."""
MOST_TOKENS = 1_200
"""How long its answer may be."""


@cache
def prompt_text() -> str:
    """Return what a model is told before it is shown an article."""
    return (files("ctiscraper.detect") / "prompt.txt").read_text(encoding="utf-8")


def prompt_version() -> str:
    """Return what names the words that a model was told: a part of their hash."""
    return sha256(prompt_text().encode()).hexdigest()[:12]


async def ask(server: ModelServer, material: Material, *, model: str, seconds: float) -> str:
    """Return what a model answers to an article. Raises ModelError."""
    shown = material.text[:MOST_SHOWN]
    words = f"Report: {material.title}\n<report>\n{shown}\n</report>\nThe rule as YAML:"
    prompt = Prompt(
        model=model,
        messages=(Message(Speaker.SYSTEM, prompt_text()), Message(Speaker.USER, words)),
        most_tokens=MOST_TOKENS,
        seconds=seconds,
    )
    return (await server.chat(prompt)).text
