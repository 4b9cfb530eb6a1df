"""What an operator may set of language models, and what is refused by its name."""

import pytest

from ctiscraper.config import load_settings
from ctiscraper.errors import SettingsError


def test_no_model_is_used_until_an_address_is_given() -> None:
    assert load_settings().model_url == ""


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:11434", "https://models.example/v1", "http://[::1]:11434"]
)
def test_an_address_of_a_server_is_taken_without_its_last_slash(address: str) -> None:
    assert load_settings(model_url=f"{address}/").model_url == address


@pytest.mark.parametrize("address", ["11434", "ftp://a.example", "http://a b", "http://u:p@a/"])
def test_what_is_no_address_is_refused_by_its_variable(address: str) -> None:
    with pytest.raises(SettingsError, match="CTISCRAPER_MODEL_URL"):
        load_settings(model_url=address)
