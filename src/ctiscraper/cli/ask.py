"""`ask`: a question over the collection."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from ctiscraper.bootstrap import open_meaning, open_questions
from ctiscraper.citing import CitedSentence
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.options import Data, Json, Of, Since, Until, utc
from ctiscraper.cli.output import moment, print_json, print_lines
from ctiscraper.cli.texts import on_a_line
from ctiscraper.config import Settings
from ctiscraper.db.retrieving import RetrievedPassage
from ctiscraper.loop import run_async
from ctiscraper.questions import Answer, Listener, said_of
from ctiscraper.types import Tier
from ctiscraper.views import ArticleQuery

_LONGEST = 400


def ask(  # noqa: PLR0913 - one parameter for each option
    *,
    question: Annotated[list[str], typer.Argument(metavar="QUESTION...")],
    passages: Annotated[
        bool, typer.Option("--passages", help="Only the passages; ask no model.")
    ] = False,
    source: Of = None,
    tier: Annotated[Tier | None, typer.Option("--tier", show_default=False)] = None,
    since: Since = None,
    until: Until = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """What the collection says to a question, each sentence with its proof; nothing is kept."""
    query = ArticleQuery(source=source, tier=tier, since=utc(since), until=utc(until))
    asked = " ".join(question)
    answer = run_async(_ask(settings_for(data), asked, query, only=passages, quiet=json))
    if json:
        print_json(answer)
        return
    print_lines(_ending(answer))


async def _ask(
    settings: Settings, question: str, query: ArticleQuery, *, only: bool, quiet: bool
) -> Answer:
    listener = Listener() if quiet else Listener(sentence=_print_sentence)
    async with (
        open_database(settings) as database,
        open_meaning(settings, database) as meaning,
        open_questions(settings, meaning) as questions,
    ):
        return await questions.ask(question, query, passages_only=only, listener=listener)


def _print_sentence(sentence: CitedSentence) -> None:
    print_lines([f"{on_a_line(sentence.text)} [{sentence.passage}]"])


def _ending(answer: Answer) -> Iterator[str]:
    """What is said of an answer below its sentences."""
    for said in said_of(answer):
        yield on_a_line(said)
    cited = {one.passage for one in answer.sentences}
    if answer.passages:
        yield ""
        yield "Cited:" if cited else "The passages that come nearest:"
    yield from _passages(answer.passages, cited)


def _passages(found: Sequence[RetrievedPassage], cited: set[int]) -> Iterator[str]:
    for number, one in enumerate(found, 1):
        if cited and number not in cited:
            continue
        article = one.article
        yield (
            f"[{number}] {moment(article.listed_at)}  {on_a_line(article.source.name)}  "
            f"{on_a_line(article.title)}  (article {article.id}, characters {one.start} to "
            f"{one.end})"
        )
        text = on_a_line(" ".join(one.text.split()))
        yield f"    {text if len(text) <= _LONGEST else text[:_LONGEST] + chr(0x2026)}"
