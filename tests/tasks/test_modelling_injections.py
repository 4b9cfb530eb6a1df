"""Articles that give orders, through the whole of it: only the rows of analyses change."""

import pytest

from analysis.test_asked_injections import INJECTIONS, article_of, obedient
from answering import SERVER
from ctiscraper.analyses import Asking, ModelUse, version_of
from ctiscraper.analysis.analysed import TaskName
from ctiscraper.db.model_asking import queue_texts
from ctiscraper.db.session import Database
from ctiscraper.errors import ModelError
from ctiscraper.models.server import Completion, Prompt
from ctiscraper.tasks.modelling import ModelWorker
from scripted import Scripted
from untouched import ANSWER, dump, seed
from web.shelf import Shelf


def obeying(answers: dict[str, Scripted]) -> Scripted:
    """A model that does what each article asks, told apart by its words."""

    def answer(prompt: Prompt) -> str | ModelError | Completion:
        asked = " ".join(one.text for one in prompt.messages)
        return next(one for name, one in answers.items() if name in asked).answering(prompt)

    return Scripted(answer)


async def test_orders_in_articles_change_nothing_beside_their_own_rows(
    database: str,
) -> None:
    assert len(INJECTIONS) >= 50
    shelf = Shelf(database)
    answers: dict[str, Scripted] = {}
    asked: list[tuple[int, TaskName]] = []
    for number, injection in enumerate(INJECTIONS):
        article = article_of(injection)
        name = f"Port{number:03d}"
        text = f"{article.text.replace(chr(0), '')}\n\nSeen at {name} too."
        text = text.encode("utf-8", "replace").decode()
        title = article.title.replace("\0", "").encode("utf-8", "replace").decode()
        stored = shelf.article(f"{name}: {title}", text=text, html="<p>kept</p>", language="en")
        answers[name] = obedient(injection, article)
        asked.append((stored, TaskName(injection.get("task", "summary"))))
    seed(shelf, asked[0][0])
    use = ModelUse(server=SERVER, model="m", version=version_of, slots=4)
    async with Database(database, size=6) as opened:
        async with opened.transaction() as conn:
            for stored, task in asked:
                await queue_texts(conn, [stored], use.wanted([task]))
        own = shelf.run("SELECT array_agg(id) FROM model_analysis WHERE state = 'pending'")[0]
        assert len(own) == len(INJECTIONS)
        before = dump(shelf, own)
        assert {"article", "source", "audit_entry", "mention", "model_analysis"} <= before.keys()
        worker = ModelWorker(Asking(opened, obeying(answers), use), once=True)
        assert await worker.run() == len(INJECTIONS)
    assert dump(shelf, own) == before
    assert shelf.run(
        "SELECT count(*) FROM model_analysis WHERE id = ANY(%s)"
        " AND state NOT IN ('done', 'failed', 'pending')",
        (own,),
    ) == (0,)
    # Whatever was kept of it stands in the article, word for word.
    assert shelf.run(
        """
        SELECT count(*) FROM model_analysis m JOIN article a ON a.id = m.article_id,
            jsonb_array_elements(m.claims) c, jsonb_array_elements(c->'quotes') q
        WHERE m.task <> 'title' AND substr(a.text, (q->>'start')::integer + 1,
            (q->>'end')::integer - (q->>'start')::integer) <> q->>'text'
        """
    ) == (0,)


OTHERS = """
UPDATE article SET title = 'other' WHERE id = 1
UPDATE model_analysis SET claims = '[]' WHERE article_id = 2 AND task = 'summary'
UPDATE model_analysis SET why = '{"empty": 1}' WHERE article_id = 3 AND task = 'sigma_rules'
UPDATE model_analysis SET detail = 'obeyed' WHERE article_id = 3 AND state = 'failed'
DELETE FROM model_analysis WHERE state = 'cancelled'
UPDATE model_analysis SET asked_by = 'obeyed' WHERE article_id = 1
UPDATE model_analysis SET task = 'title' WHERE article_id = 1
UPDATE model_analysis SET article_id = 2 WHERE article_id = 1
INSERT INTO model_analysis (article_id, source_id, revision, text_key, task, prompt_version, model) SELECT article_id, source_id, revision, text_key, 'obeyed', prompt_version, model FROM model_analysis LIMIT 1
UPDATE model_feedback SET good = false
UPDATE model_source SET rest_until = NULL
UPDATE model_spent SET calls = 8 WHERE source_id = 1 AND day < current_date
UPDATE model_spent SET calls = 8 WHERE source_id = 1 AND model = 'another'
UPDATE model_spent SET calls = 8 WHERE source_id = 2
UPDATE model_server SET fault = NULL
""".strip().splitlines()  # noqa: E501 - a change a line


@pytest.mark.parametrize("change", OTHERS, ids=range(len(OTHERS)))
async def test_the_dump_sees_a_change_of_what_is_anothers(database: str, change: str) -> None:
    shelf, own = await _asked(database)
    before = dump(shelf, own)
    shelf.run(change)
    assert dump(shelf, own) != before


async def test_the_dump_leaves_out_what_came_of_the_question_alone(database: str) -> None:
    shelf, own = await _asked(database)
    before = dump(shelf, own)
    columns = ", ".join(f"{name} = o.{name}" for name in ANSWER.split())
    shelf.run(
        f"UPDATE model_analysis m SET {columns} FROM model_analysis o"
        " WHERE m.id = %s AND o.state = 'failed' AND o.article_id = 2",
        (own[0],),
    )
    shelf.run("INSERT INTO model_spent (day, source_id, model) VALUES (current_date, 1, 'm')")
    shelf.run("INSERT INTO model_source (source_id, served_at) VALUES (1, now())")
    shelf.run("INSERT INTO model_server (name) VALUES (%s)", (SERVER,))
    assert dump(shelf, own) == before
    assert dump(shelf) != before


async def _asked(database: str) -> tuple[Shelf, list[int]]:
    shelf = Shelf(database)
    number = shelf.article("one")
    seed(shelf, number)
    use = ModelUse(server=SERVER, model="m", version=version_of)
    async with Database(database, size=1) as opened, opened.transaction() as conn:
        own = await queue_texts(conn, [number], use.wanted([TaskName.SUMMARY]))
    return shelf, own
