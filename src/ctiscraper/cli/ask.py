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
from ctiscraper.questions import Answer, Listener, mark_of, said_of
from ctiscraper.types import Tier
from ctiscraper.views import ArticleQuery


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
    async with (
        open_database(settings) as database,
        open_meaning(settings, database) as meaning,
        open_questions(settings, meaning) as questions,
    ):
        listener = Listener() if quiet else Listener(sentence=_Printed(questions.model).sentence)
        return await questions.ask(question, query, passages_only=only, listener=listener)


class _Printed:
    """Sentences on a terminal as they come: who makes them first, then each with its proof."""

    def __init__(self, model: str) -> None:
        self._mark = mark_of(model)

    def sentence(self, one: CitedSentence) -> None:
        """Print a sentence, and below it the words that it quotes."""
        if self._mark:
            print_lines([_whole(self._mark), ""])
            self._mark = ""
        print_lines([f"{_whole(one.text)} [{one.passage}]", f'    "{_whole(one.quote)}"'])


def _whole(text: str) -> str:
    """Return a text on one line, all of it: no proof is cut off."""
    return " ".join(text.split())


def _ending(answer: Answer) -> Iterator[str]:
    """What is said of an answer below its sentences."""
    if answer.sentences:
        yield ""
    for said in said_of(answer):
        yield _whole(said)
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
        yield f"    {_whole(one.text)}"
