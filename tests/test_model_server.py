"""The server of models that the settings name."""

from pathlib import Path

import pytest

from ctiscraper.bootstrap import model_server
from ctiscraper.config import Settings
from ctiscraper.errors import ModelError, ModelFault, SettingsError
from evil_model import evil_server
from loopback import reply
from small_model import SMALL_MODEL


def test_without_an_address_there_is_none() -> None:
    assert model_server(Settings()) is None


@pytest.mark.parametrize(
    ("url", "kind", "name", "remote"),
    [
        ("http://127.0.0.1:11434", "ollama", "Ollama at http://127.0.0.1:11434", False),
        ("http://ollama:11434/", "ollama", "Ollama at http://ollama:11434", False),
        ("https://api.example.com", "openai", "the server at https://api.example.com", True),
    ],
)
async def test_it_is_what_the_settings_say(url: str, kind: str, name: str, remote: bool) -> None:
    server = model_server(Settings.model_validate({"model_url": url, "model_kind": kind}))
    assert server is not None
    assert (server.name, server.is_remote) == (name, remote)
    await server.close()


async def test_the_key_is_read_from_its_file_and_stays_in_it(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-very-secret\n", "utf-8")
    async with evil_server() as evil:
        evil.answer = reply(b'{"error": "sk-very-secret is wrong"}', status=401)
        server = model_server(Settings(model_url=evil.url, model_key_file=file))
        assert server is not None
        with pytest.raises(ModelError) as caught:
            await server.version()
        await server.close()
    assert evil.asked[0].headers["authorization"] == "Bearer sk-very-secret"
    assert caught.value.fault is ModelFault.REFUSED
    assert "sk-very-secret" not in str(caught.value) + server.name


def test_a_key_is_not_sent_in_the_clear_to_other_networks(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-very-secret", "utf-8")
    with pytest.raises(SettingsError, match="use https") as caught:
        model_server(Settings(model_url="http://api.example.com", model_key_file=file))
    assert "sk-very" not in str(caught.value)
    assert model_server(Settings(model_url="http://ollama:11434", model_key_file=file))


def test_a_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for content in (None, "", "two\nlines"):
        file = tmp_path / "key"
        if content is not None:
            file.write_text(content, "utf-8")
        with pytest.raises(SettingsError, match="CTISCRAPER_MODEL_KEY_FILE"):
            model_server(Settings(model_url="http://ollama:11434", model_key_file=file))


async def test_the_real_one_is_asked_through_it(small_model: str) -> None:
    server = model_server(Settings(model_url=small_model))
    assert server is not None
    assert [model.name for model in await server.models()] == [SMALL_MODEL]
    await server.close()
