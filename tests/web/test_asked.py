"""Questions and searches by meaning through the pages and the API."""

import json
from dataclasses import replace
from urllib.parse import urlencode

import httpx2
import pytest
from fastapi import FastAPI

from ctiscraper.db.nearest import Nearest
from ctiscraper.db.passages import Passages
from ctiscraper.embed.embedder import Embedder
from ctiscraper.embedding import Embedding
from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.meaning import Meaning
from ctiscraper.patience import Patience
from ctiscraper.questions import Questions
from ctiscraper.web import asked
from test_meaning import AwayEmbedder
from test_questions import PLUM, QUESTION, QUOTE, Model, sentences
from web.shelf import Shelf
from worded_vectors import WordedEmbedder

FORM = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
UGLY = "<script>alert(1)</script> & \u202ereversed"


@pytest.fixture
async def served(app: FastAPI) -> FastAPI:
    """Pages that search by meaning and have a model."""
    given = app.state.services
    shelf = Shelf(given.database.conninfo)
    shelf.article(f"plum {UGLY}", text=PLUM)
    shelf.article("bread", "bolt", text="Rye bread needs sourdough.")
    embedding = Embedding(Passages(given.database), WordedEmbedder())
    await embedding.embed_all()
    meaning = Meaning(given.database, embedding, Nearest())
    model = Model(sentences(("Plum steals session cookies.", QUOTE, 1), ("Invented.", QUOTE, 1)))
    questions = Questions(meaning=meaning, server=model, model="tiny")  # type: ignore[arg-type]  # what it is asked for here
    app.state.services = replace(given, meaning=meaning, questions=questions)
    return app


@pytest.mark.usefixtures("served")
async def test_the_page_answers_without_scripts(client: httpx2.AsyncClient) -> None:
    empty = (await client.get("/ask")).text
    assert "Ask the collection" in empty
    answer = await client.post(
        "/ask", content=urlencode({"question": QUESTION, "source": "", "tier": ""}), headers=FORM
    )
    assert answer.status_code == 200, answer.text
    assert "Plum steals session cookies." in answer.text
    assert f'<blockquote class="proof" dir="auto">{QUOTE}</blockquote>' in answer.text
    assert answer.text.index("prompt ask/3") < answer.text.index("Plum steals session cookies.")
    assert "Invented." not in answer.text
    assert "One sentence of the model had no proof" in answer.text
    assert "<script>alert" not in answer.text
    nothing = await client.post(
        "/ask", content=urlencode({"question": "Best lasagne recipe?"}), headers=FORM
    )
    assert "Nothing in the collection answers this." in nothing.text


@pytest.mark.usefixtures("served")
async def test_a_model_that_does_not_end_is_let_go_before_who_stands_in_front_gives_up(
    app: FastAPI, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "WHOLE_SECONDS", 0.2)
    given = app.state.services
    hanging = Model(sentences(("Plum steals session cookies.", QUOTE, 1)), hangs=True)
    app.state.services = replace(given, questions=replace(given.questions, server=hanging))
    told = (await client.post("/api/v1/questions", json={"question": QUESTION})).json()
    assert (told["state"], len(told["sentences"])) == ("answered", 1)
    assert told["fault"].startswith("timeout: an answer in one piece may take")
    page = await client.post("/ask", content=urlencode({"question": QUESTION}), headers=FORM)
    assert page.status_code == 200
    assert "Plum steals session cookies." in page.text
    assert "The answer broke off" in page.text


class Nameless(AwayEmbedder):
    """Whose server does not even say what it has."""

    async def identity(self) -> tuple[str, str]:
        raise ModelError(ModelFault.TIMEOUT, "it <hangs>")


def _embed_by(app: FastAPI, embedder: Embedder) -> None:
    given = app.state.services
    embedding = Embedding(Passages(given.database), embedder)
    meaning = Meaning(given.database, embedding, Nearest(), Patience())
    questions = replace(given.questions, meaning=meaning)
    app.state.services = replace(given, meaning=meaning, questions=questions)


async def test_a_server_that_says_nothing_of_itself_takes_no_page_away(
    app: FastAPI, served: FastAPI, client: httpx2.AsyncClient
) -> None:
    assert app is served
    _embed_by(app, Nameless())
    empty = await client.get("/ask")
    assert empty.status_code == 200
    assert (
        'The model of vectors does not answer (<span dir="auto">it &lt;hangs&gt;</span>)'
        in empty.text
    )
    answer = await client.post("/ask", content=urlencode({"question": QUESTION}), headers=FORM)
    assert "Plum steals session cookies." in answer.text
    [article, *_] = (await client.get("/api/v1/articles")).json()["articles"]
    for path in (f"/articles/{article['id']}", f"/api/v1/articles/{article['id']}/similar"):
        assert (await client.get(path)).status_code == 200, path


async def test_a_model_of_vectors_that_is_away_costs_no_answer(
    app: FastAPI, served: FastAPI, client: httpx2.AsyncClient
) -> None:
    assert app is served
    _embed_by(app, AwayEmbedder())
    answer = await client.post("/ask", content=urlencode({"question": QUESTION}), headers=FORM)
    assert answer.status_code == 200
    assert "Plum steals session cookies." in answer.text
    assert "by the words of the question alone" in answer.text
    told = (await client.post("/api/v1/questions", json={"question": QUESTION})).json()
    assert told["state"] == "answered"
    assert told["unmeant"].startswith("away: ")
    both = await client.get("/api/v1/articles", params={"q": "loader", "mode": "both"})
    assert both.status_code == 200
    assert "found by words alone" in both.json()["notes"][-1]["message"]
    page = await client.get("/", params={"q": "loader", "order": "both"})
    assert "steals session cookies" in page.text
    assert "ound by words alone" in page.text
    alone = await client.get("/api/v1/articles", params={"q": "loader", "mode": "meaning"})
    assert alone.status_code == 502


@pytest.mark.usefixtures("served")
async def test_the_answer_streams(client: httpx2.AsyncClient) -> None:
    for address, form in (
        ("/ask/stream", {"content": urlencode({"question": QUESTION}), "headers": FORM}),
        ("/api/v1/questions/stream", {"json": {"question": QUESTION}}),
    ):
        answer = await client.post(address, **form)
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [one.split("\n", 1) for one in answer.text.split("\n\n") if one]
        assert [name for name, _ in events] == [
            "event: passages",
            "event: sentence",
            "event: answer",
        ]
        end = json.loads(events[-1][1].removeprefix("data: "))
        assert (end["state"], end["dropped"]) == ("answered", 1)
        assert (end["model"], end["prompt"], end["fault"]) == ("tiny", "ask/3", "")


@pytest.mark.usefixtures("served")
async def test_the_api_answers_with_citations(client: httpx2.AsyncClient) -> None:
    answer = (await client.post("/api/v1/questions", json={"question": QUESTION})).json()
    assert answer["state"] == "answered"
    [sentence] = answer["sentences"]
    cited = answer["passages"][sentence["passage"] - 1]
    assert cited["text"][sentence["start"] : sentence["end"]] == sentence["quote"]
    only = {"question": QUESTION, "passages_only": True}
    assert (await client.post("/api/v1/questions", json=only)).json()["state"] == "passages"


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    "body", [{}, {"question": ""}, {"question": "x" * 501}, {"question": "x", "other": 1}]
)
async def test_what_is_no_question_is_refused(
    client: httpx2.AsyncClient, body: dict[str, object]
) -> None:
    assert (await client.post("/api/v1/questions", json=body)).status_code == 422


@pytest.mark.usefixtures("served")
async def test_who_asks_too_often_waits(client: httpx2.AsyncClient) -> None:
    asked = {"question": "x y z", "passages_only": True}
    codes = [(await client.post("/api/v1/questions", json=asked)).status_code for _ in range(13)]
    assert codes[-1] == 429
    assert set(codes[:-1]) == {200}


@pytest.mark.usefixtures("served")
async def test_a_list_goes_by_meaning(client: httpx2.AsyncClient) -> None:
    asked = {"q": "which loader takes cookies", "mode": "meaning"}
    found = (await client.get("/api/v1/articles", params=asked)).json()
    assert [one["snippet"]["text"] for one in found["articles"]] == [PLUM]
    as_csv = await client.get("/api/v1/articles", params={**asked, "format": "csv"})
    assert len(as_csv.text.splitlines()) == 2
    page = await client.get("/", params={"q": "which loader takes cookies", "order": "meaning"})
    assert PLUM in page.text
    assert "The nearest in meaning" in page.text
    both = await client.get("/", params={"q": "loader", "order": "both"})
    assert PLUM[:20] in both.text


async def test_without_a_model_of_vectors_a_search_by_meaning_says_so(
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.get("/api/v1/articles", params={"q": "x", "mode": "meaning"})
    assert answer.status_code == 503
    assert "CTISCRAPER_EMBEDDING" in answer.text
    page = await client.get("/ask")
    assert "No language model is set here" in page.text


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("order", ["meaning", "both"])
async def test_a_search_by_meaning_that_is_off_leads_to_one_by_words(
    client: httpx2.AsyncClient, order: str
) -> None:
    page = await client.get(f"/?q=plum&order={order}")
    assert page.status_code == 200
    assert "CTISCRAPER_EMBEDDING is none; set it to builtin, or search by words." in page.text
    assert "<h2>Not searched by meaning</h2>" in page.text
    assert 'href="/?q=plum">by words</a>' in page.text
    answer = await client.get("/api/v1/articles?q=plum&mode=meaning")
    assert answer.status_code == 503
    assert "set it to builtin" in answer.json()["detail"]


async def test_a_search_by_meaning_before_there_are_vectors_says_so(
    app: FastAPI, client: httpx2.AsyncClient
) -> None:
    given = app.state.services
    Shelf(given.database.conninfo).article(f"plum {UGLY}", text=PLUM)
    embedding = Embedding(Passages(given.database), WordedEmbedder())
    app.state.services = replace(given, meaning=Meaning(given.database, embedding, Nearest()))
    page = await client.get("/?q=loader&order=meaning")
    assert "No article has vectors yet" in page.text
    assert "Nothing that can be found by meaning is near" not in page.text
    answer = (await client.get("/api/v1/articles?q=loader&mode=meaning")).json()
    assert (answer["articles"], answer["found"]) == ([], None)
    assert "no article has vectors yet" in answer["notes"][0]["message"]
    await embedding.embed_all()
    assert "No article has vectors yet" not in (await client.get("/?q=loader&order=meaning")).text
    nothing = await client.get("/?q=zebra&order=meaning")
    assert "Nothing that can be found by meaning is near" in nothing.text
