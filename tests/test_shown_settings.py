"""Settings as they are shown: where each comes from, and no secret among them."""

from pathlib import Path

import pytest

from ctiscraper.config import Settings, load_settings
from ctiscraper.shown_settings import ShownSetting, shown_settings


def shown(settings: Settings) -> dict[str, ShownSetting]:
    return {one.name: one for one in shown_settings(settings)}


def test_each_value_says_where_it_comes_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "CTISCRAPER_WORKERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CTISCRAPER_MIN_GAP", "2.5")
    found = shown(load_settings(data_dir=tmp_path))
    assert set(found) == set(Settings.model_fields)
    assert (found["min_gap"].value, found["min_gap"].origin) == ("2.5", "environment")
    assert (found["data_dir"].value, found["data_dir"].origin) == (str(tmp_path), "command line")
    assert found["workers"].origin == "default"
    assert found["enrich"].value == "yes"
    assert found["keep_checks_days"].value == "premium=90, standard=90, basic=30"
    assert found["egress_allow_ports"].value == "443, 80"
    assert (found["database_url"].variable, found["database_url"].value) == (
        "DATABASE_URL",
        "not set",
    )


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("hunter2-from-a-file\n")
    monkeypatch.setenv("DATABASE_URL", "postgresql://me@db.example/x")
    monkeypatch.setenv("DATABASE_PASSWORD_FILE", str(password))
    monkeypatch.setenv("CTISCRAPER_PROXY", "http://me:swordfish@proxy.example:3128")
    monkeypatch.setenv("CTISCRAPER_REDIS_URL", "redis://:open-sesame@redis.example/0")
    found = shown(load_settings())
    words = " ".join(f"{one.value} {one.description}" for one in found.values())
    for secret in ("hunter2", "swordfish", "open-sesame", "db.example"):
        assert secret not in words
    assert found["database_url"].origin == "environment, with the password of a file"
    assert found["database_url"].value.startswith("set, …")
    assert len(found["database_url"].value) == len("set, …abcd")
    assert (found["redis_url"].variable, found["redis_url"].secret) == (
        "CTISCRAPER_REDIS_URL",
        True,
    )
    assert found["database_password_file"].value == str(password)
