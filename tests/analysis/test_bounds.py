"""What a question costs never passes what was reckoned for it."""

import pytest

from ctiscraper.analysing import Within, analyse
from ctiscraper.analysis.analysed import AnalysedText, TaskName
from ctiscraper.analysis.bounds import answer_tokens, most_tokens
from ctiscraper.analysis.parts import estimated_tokens
from ctiscraper.analysis.tasks import task_of
from ctiscraper.errors import ModelError
from ctiscraper.models.server import Ending, Prompt
from scripted import Scripted, completion

PROSE = "The group sent mails to hospitals in Norway, on 12 March.\n\n"
TEXTS = {
    "short": PROSE,
    "page": PROSE * 100,
    "report": PROSE * 700,
    "book": PROSE * 1_500,
    "lines": "x\n" * 5_000,
    "one word": "a" * 200_000,
    "hashes": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 " * 300,
    "japanese": "医療機関を狙うランサムウェアが確認された。" * 800,
}
WATCHED = tuple(f"a thing that is watched for, number {n}" for n in range(200))


def spent_by(server: Scripted) -> int:
    """What it would cost if every answer were as long as it may be."""
    return sum(
        sum(estimated_tokens(one.text) for one in prompt.messages) + prompt.most_tokens
        for prompt in server.prompts
    )


@pytest.mark.parametrize("context", [2048, 8192])
@pytest.mark.parametrize("words", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("task", list(TaskName))
async def test_the_dearest_run_stays_within(task: TaskName, words: str, context: int) -> None:
    def useless(prompt: Prompt) -> str:
        # As long as it may be, and of no use, so that every part is asked about twice.
        return "a b " * (prompt.most_tokens // 2)

    server = Scripted(useless)
    title = "Ein Angriff auf Kliniken in der Schweiz"
    article = AnalysedText(title=title, text=words, language="de", watched=WATCHED)
    with pytest.raises(ModelError):
        await analyse(
            server, task, article, model="m", seconds=60, within=Within(context, frozenset())
        )
    most = most_tokens(task, title, words, context)
    assert spent_by(server) <= most
    assert len(server.prompts) <= 2 * task_of(task).most_parts


async def test_it_is_no_more_than_twice_what_a_run_without_repair_may_take() -> None:
    server = Scripted(lambda _: completion('{"claims": []}', Ending.WHOLE))
    article = AnalysedText(title="t", text=TEXTS["report"], language="en")
    await analyse(server, TaskName.RELATIONS, article, model="m", seconds=60)
    most = most_tokens(TaskName.RELATIONS, "t", article.text, 8192)
    assert spent_by(server) <= most <= 3 * spent_by(server)


def test_a_title_takes_no_more_than_a_title() -> None:
    most = most_tokens(TaskName.TITLE, "t", TEXTS["book"], 8192)
    assert most == most_tokens(TaskName.TITLE, "t", "", 8192) < 3_000


def test_an_answer_has_a_share_of_the_context() -> None:
    assert (answer_tokens(900, 8192), answer_tokens(900, 2048)) == (900, 512)
