"""What an installation has of models, by its settings."""

import pytest

from ctiscraper.analysis.analysed import TaskName
from ctiscraper.config import Settings
from ctiscraper.errors import ModelFault, SettingsError
from ctiscraper.fault_words import FAULTS, advice_on, said_of
from ctiscraper.model_use import model_use, tasks_of


def test_without_address_or_model_there_is_none() -> None:
    assert model_use(Settings()) is None
    assert model_use(Settings(model_url="http://127.0.0.1:1")) is None
    assert model_use(Settings(model="m")) is None


def test_settings_become_plain_values() -> None:
    use = model_use(
        Settings(
            model_url="http://127.0.0.1:1",
            model="m",
            model_tasks="summary, title,summary",
            model_day_tokens=7,
            model_tlp="amber",
        )
    )
    assert use is not None
    assert (use.model, use.tlp, use.limits.day) == ("m", "amber", 7)
    assert [task for task, _ in use.wanted().prompts] == [TaskName.SUMMARY, TaskName.TITLE]
    assert all(version.startswith(f"{task}-") for task, version in use.wanted().prompts)


@pytest.mark.parametrize(
    ("url", "leaving"),
    [
        ("http://ollama:11434", ("kimi:cloud",)),
        ("https://models.example.org", ("small", "kimi:cloud")),
    ],
)
def test_models_on_another_network_are_known(url: str, leaving: tuple[str, ...]) -> None:
    use = model_use(Settings(model_url=url, model="small"))
    assert use is not None
    assert use.leaving(("small", "kimi:cloud")) == leaving


@pytest.mark.parametrize("words", ["", "none", " None "])
def test_a_model_may_be_for_people_alone(words: str) -> None:
    assert tasks_of(words) == ()


def test_an_unknown_task_is_named() -> None:
    with pytest.raises(SettingsError, match="'dance' is no task"):
        tasks_of("summary,dance")


def test_every_fault_has_words_and_a_way_out() -> None:
    assert set(FAULTS) == set(ModelFault)
    assert (said_of(None), advice_on(None)) == ("", "")
