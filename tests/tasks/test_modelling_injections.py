"""Articles that give orders, through the whole of it: only the rows of analyses change."""

import hashlib

from analysis.test_asked_injections import INJECTIONS, article_of, obedient
from answering import SERVER
from ctiscraper.analyses import Asking, ModelUse, version_of
from ctiscraper.analysis.analysed import TaskName
from ctiscraper.db.model_queue import queue_texts
from ctiscraper.db.session import Database
from ctiscraper.errors import ModelError
from ctiscraper.models.server import Completion, Prompt
from ctiscraper.tasks.modelling import ModelWorker
from scripted import Scripted
from web.shelf import Shelf

# What asking a model may change: its own rows, its queue and its meters.
OWN = frozenset({"model_analysis", "model_source", "model_spent", "model_server"})
TABLES = """
SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') ORDER BY 1
"""


def obeying(answers: dict[str, Scripted]) -> Scripted:
    """A model that does what each article asks, told apart by its words."""

    def answer(prompt: Prompt) -> str | ModelError | Completion:
        asked = " ".join(one.text for one in prompt.messages)
        return next(one for name, one in answers.items() if name in asked).answering(prompt)

    return Scripted(answer)


def dump(shelf: Shelf) -> dict[str, str]:
    """Every table that asking has no business with, as one number each."""
    names = shelf.run(f"SELECT array_agg(relname::text) FROM ({TABLES}) t")[0]
    found = {}
    for name in names:
        if name in OWN:
            continue
        [rows] = shelf.run(
            f"SELECT coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '') FROM {name} t"
        )
        found[name] = hashlib.sha256(rows.encode()).hexdigest()
    return found


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
    before = dump(shelf)
    assert {"article", "source", "audit_entry", "app_user", "mention"} <= before.keys()
    use = ModelUse(server=SERVER, model="m", version=version_of, slots=4)
    async with Database(database, size=6) as opened:
        async with opened.transaction() as conn:
            for stored, task in asked:
                await queue_texts(conn, [stored], use.wanted([task]))
        worker = ModelWorker(Asking(opened, obeying(answers), use), once=True)
        assert await worker.run() == len(INJECTIONS)
    assert dump(shelf) == before
    assert shelf.run(
        "SELECT count(*) FROM model_analysis WHERE state NOT IN ('done', 'failed', 'pending')"
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


async def test_the_dump_sees_a_change(database: str) -> None:
    shelf = Shelf(database)
    number = shelf.article("one")
    before = dump(shelf)
    shelf.run("UPDATE article SET title = 'other' WHERE id = %s", (number,))
    assert dump(shelf) != before
