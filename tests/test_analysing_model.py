"""A real small model asked over the wire: whatever it answers, only what is proved is kept."""

import pytest

from ctiscraper.analysing import Within, analyse
from ctiscraper.analysis.analysed import TaskName
from ctiscraper.analysis.labelled import bundled_set
from ctiscraper.analysis.parts import estimated_tokens
from ctiscraper.errors import ModelError
from ctiscraper.models.ollama import Ollama
from models_at import client_of, said_to
from small_model import CONTEXT, SMALL_MODEL

WIPER = bundled_set().articles[0]


@pytest.mark.timeout(400)
async def test_what_a_real_model_claims_is_kept_so_far_as_it_is_proved(small_model: str) -> None:
    server = Ollama(client_of(small_model), small_model, remote=False)
    article = WIPER.shown()
    try:
        done = await analyse(
            server,
            TaskName.SUMMARY,
            article,
            model=SMALL_MODEL,
            seconds=300,
            within=Within(context_tokens=CONTEXT),
        )
    finally:
        await server.close()
    assert done.model == SMALL_MODEL
    assert done.prompt_tokens > 300
    assert done.answer_tokens > 10
    assert len(done.claims) + done.dropped > 0
    for claim in done.claims:
        assert claim.text
        for quote in claim.quotes:
            assert article.text[quote.start : quote.end] == quote.text


@pytest.mark.timeout(200)
@pytest.mark.parametrize("article", bundled_set().articles[::3], ids=lambda one: one.name)
async def test_a_real_model_reads_no_more_tokens_than_were_reckoned(
    small_model: str, article: object
) -> None:
    text = str(article)
    server = Ollama(client_of(small_model), small_model, remote=False)
    try:
        done = await server.chat(said_to(SMALL_MODEL, text, most_tokens=1))
    except ModelError as error:
        pytest.fail(str(error))
    finally:
        await server.close()
    # Some tokens are of the template.
    assert done.prompt_tokens <= estimated_tokens(text) + 60
