"""A source's settings as plain mappings: problems carry their place."""

from ctiscraper.collect.source_fields import label, read_settings
from ctiscraper.types import Selectors


def test_a_problem_knows_its_place() -> None:
    settings, problems = read_settings(
        {
            "key": "a",
            "name": "A",
            "url": "https://a.example/",
            "selectors": {"remove": ["p", "a >"]},
        }
    )

    assert settings is None
    assert [problem.place for problem in problems] == [("selectors", "remove", 1)]


def test_good_settings_have_no_problem() -> None:
    settings, problems = read_settings(
        {"key": "a", "name": "A", "url": "https://a.example/", "selectors": {"title": "h1"}}
    )

    assert settings is not None
    assert settings.selectors == Selectors(title="h1")
    assert problems == []


def test_a_source_is_named_by_its_key() -> None:
    assert label({"key": "ada"}) == "source 'ada'"
    assert label({"key": 7}) == "source without key"
