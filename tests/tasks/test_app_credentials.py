"""What Redis is shown when its password is in a file."""

from pathlib import Path

from ctiscraper.config import load_settings
from ctiscraper.tasks.app import credentials_of, make_app, without_login

URL = "redis://ann@cache.example:6380/0"


def test_each_connection_shows_what_the_file_holds_then(tmp_path: Path) -> None:
    file = tmp_path / "redis-password"
    file.write_text("fir:st", "utf-8")
    settings = load_settings(redis_url=URL, redis_password_file=file)
    shown = credentials_of(settings)
    assert shown is not None
    assert shown.get_credentials() == ("ann", "fir:st")
    file.write_text("second\n", "utf-8")
    assert shown.get_credentials() == ("ann", "second")
    told = make_app(settings).connection_for_write().credential_provider
    assert told is not None
    assert told.get_credentials() == ("ann", "second")


def test_while_the_file_is_away_the_password_of_the_start_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "redis-password"
    file.write_text("first", "utf-8")
    shown = credentials_of(
        load_settings(redis_url="redis://cache.example/0", redis_password_file=file)
    )
    assert shown is not None
    for content in (None, "", "two\nlines\n"):
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_text(content, "utf-8")
        assert shown.get_credentials() == ("first",)


def test_without_a_file_the_url_says_all() -> None:
    assert credentials_of(load_settings(redis_url=URL)) is None
    assert without_login(URL) == "redis://cache.example:6380/0"
