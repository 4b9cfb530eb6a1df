"""Processes that ask models: killed in the middle, stopped in order, two at once, without one."""

import json
import os
import signal
from pathlib import Path

import pytest

from ctiscraper.analysis.analysed import TaskName
from ctiscraper.config import Settings
from ctiscraper.errors import SettingsError
from ctiscraper.model_use import model_use
from ctiscraper.tasks.model_run import ask_models, model_crew
from ctiscraper.tasks.pulse import Pulse
from patience import until
from tasks import model_process
from web.shelf import Shelf

TEXT = "The group Quiet Otter used a wiper against two ports in Norway."
SAID = json.dumps(
    {"claims": [{"quotes": ["used a wiper against two ports"], "text": "A wiper hit two ports."}]}
)


def ask(shelf: Shelf, settings: Settings, *articles: int) -> None:
    use = model_use(settings)
    assert use is not None
    [(_, version)] = use.wanted([TaskName.SUMMARY]).prompts
    shelf.run(
        """
        INSERT INTO model_analysis (article_id, source_id, revision, text_key, task,
            prompt_version, model)
        SELECT id, source_id, revision, sha256(convert_to(title || E'\\n' || text, 'UTF8')),
            'summary', %s, %s
        FROM article WHERE id = ANY(%s)
        """,
        (version, settings.model, list(articles)),
    )


def states(shelf: Shelf) -> dict[str, int]:
    [found] = shelf.run(
        "SELECT coalesce(jsonb_object_agg(state, n), '{}') FROM"
        " (SELECT state, count(*) AS n FROM model_analysis GROUP BY 1) s"
    )
    assert isinstance(found, dict)
    return found


async def test_a_worker_that_is_killed_in_the_middle_loses_and_doubles_nothing(
    database: str, tmp_path: Path
) -> None:
    shelf = Shelf(database)
    with model_process.answering(SAID) as (address, gate):
        settings = model_process.settings_of(database, tmp_path, address, model_slots=2)
        articles = [shelf.article(f"a{n}", text=f"{TEXT} Number {n}.") for n in range(4)]
        ask(shelf, settings, *articles)
        async with model_process.crew_of(settings, database, size=2) as crew:

            async def all_slots_ask() -> bool:
                return gate.asked >= 4

            await until(all_slots_ask)
            for number in crew.pids:
                os.kill(number, signal.SIGKILL)
            gate.opened.set()

            async def all_done() -> bool:
                return states(shelf) == {"done": 4}

            await until(all_done, seconds=100.0)
    assert shelf.run(
        "SELECT min(jsonb_array_length(claims)), max(attempts) FROM model_analysis"
    ) == (1, 2)
    # What the killed ones may have spent counts beside what was answered.
    answered, estimated = shelf.run("SELECT sum(prompt_tokens), sum(estimated) FROM model_spent")
    assert answered == 4 * 70
    assert estimated > 0


async def test_a_process_that_is_told_to_stop_gives_back_what_it_asks(
    database: str, tmp_path: Path
) -> None:
    shelf = Shelf(database)
    with model_process.answering(SAID) as (address, gate):
        settings = model_process.settings_of(database, tmp_path, address, lease_seconds=600.0)
        ask(shelf, settings, shelf.article("one", text=TEXT))
        async with model_crew(settings, database):

            async def it_asks() -> bool:
                return gate.asked == 1

            await until(it_asks)
        assert states(shelf) == {"pending": 1}
        assert shelf.run("SELECT attempts, lease IS NULL FROM model_analysis") == (0, True)


async def test_without_a_model_the_worker_says_what_is_missing(
    database: str, tmp_path: Path
) -> None:
    settings = model_process.settings_of(database, tmp_path, "")
    with pytest.raises(SettingsError, match="CTISCRAPER_MODEL_URL and CTISCRAPER_MODEL"):
        await ask_models(settings, database, once=True)


async def test_a_worker_whose_pulse_cannot_be_written_says_so(
    database: str, tmp_path: Path
) -> None:
    settings = model_process.settings_of(database, tmp_path, "http://127.0.0.1:9")
    pulse = Pulse(tmp_path / "none" / "pulse")
    with pytest.raises(SettingsError, match="CTISCRAPER_PULSE_FILE cannot be written"):
        await ask_models(settings, database, once=True, sign=pulse.beat)


async def test_a_single_round_asks_all_there_is(database: str, tmp_path: Path) -> None:
    shelf = Shelf(database)
    with model_process.answering(SAID) as (address, gate):
        gate.opened.set()
        settings = model_process.settings_of(database, tmp_path, address)
        ask(shelf, settings, shelf.article("one", text=TEXT))
        assert await ask_models(settings, database, once=True) == 1
    assert states(shelf) == {"done": 1}
