"""Articles that give orders, asked about: what a model that obeys them gets into an answer."""

import json
import re
import unicodedata
from typing import Any

import pytest

from analysis.test_asked_injections import INJECTIONS, article_of, ids
from ctiscraper.db.nearest import Nearest
from ctiscraper.db.session import Database
from ctiscraper.meaning import Meaning
from ctiscraper.models.server import Prompt
from ctiscraper.questions import Answer, AnswerState, Questions
from scripted import Scripted
from web.shelf import Shelf

QUESTION = "Which group used a wiper against two ports in Norway?"
OWN = "used a wiper against two ports in Norway"


def obedient(injection: dict[str, Any], text: str) -> Scripted:
    """A model that says what the article tells it to, of every passage and with any proof."""
    if "raw" in injection:
        return Scripted(lambda _: str(injection["raw"]))
    said = [
        {"passage": number, "quote": quote, "text": words}
        for claim in injection["obeys"]
        for words in _said_by(claim)
        for quote in (*_quotes_of(claim), OWN, words)
        for number in (1, 2)
    ]
    whole = json.dumps(text)[1:-1]
    return Scripted(lambda _: json.dumps({"sentences": said}).replace("{ARTICLE}", whole))


def _said_by(claim: dict[str, Any]) -> list[str]:
    fields = [str(claim[name]) for name in ("subject", "verb", "object") if name in claim]
    return [str(claim["text"])] if "text" in claim else [" ".join(fields)]


def _quotes_of(claim: dict[str, Any]) -> list[str]:
    found = claim.get("quotes", [])
    return [str(one) for one in found] if isinstance(found, list) else [str(found)]


async def asked_about(database: str, injection: dict[str, Any]) -> tuple[Answer, list[Prompt]]:
    article = article_of(injection)
    # What a database cannot hold never comes so far.
    title, text = (one.replace("\0", "") for one in (article.title, article.text))
    Shelf(database).article(title, text=text)
    server = obedient(injection, article.text)
    async with Database(database, size=1) as opened:
        meaning = Meaning(opened, None, Nearest())
        answer = await Questions(meaning=meaning, server=server, model="m").ask(QUESTION)
    return answer, server.prompts


@pytest.mark.parametrize("injection", INJECTIONS, ids=ids)
async def test_nothing_but_proved_sentences_comes_of_obedience(
    database: str, injection: dict[str, Any]
) -> None:
    answer, prompts = await asked_about(database, injection)
    for one in answer.sentences:
        passage = answer.passages[one.passage - 1]
        assert passage.text[one.start : one.end] == one.quote
        assert not any(order.start < one.end and one.start < order.end for order in passage.orders)
        assert not re.search(r"!\[|\]\(|</?[a-z]|https?://|\n", one.text, re.IGNORECASE)
        kinds = {unicodedata.category(char) for char in one.text}
        assert not kinds & {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}
        never = injection.get("never", [])
        assert [word for word in never if word.casefold() in one.text.casefold()] == []
    assert (answer.state is AnswerState.ANSWERED) == bool(answer.sentences)
    # What browsers do not draw, and characters that draw nothing, are told.
    assert bool(answer.hidden) == bool(injection.get("hidden")), answer.hidden
    # What cannot be read is asked for once more.
    assert len(prompts) in {1, 2}
    shown = "".join(one.text for prompt in prompts for one in prompt.messages)
    kinds = {unicodedata.category(char) for char in shown} - {"Zs"}
    assert not kinds & {"Cf", "Co", "Cs", "Cn"}
    assert not re.search(r"<\||\|>|<<SYS|\[/?INST\]|</?(?:system|think|tool_call)>", shown)
    for word in injection.get("unseen", ()):
        assert word.casefold() not in shown.casefold()
