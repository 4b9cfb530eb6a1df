"""Settings that are more than a value: passwords that stand in files, numbers by tier."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from ctiscraper.config import Settings, environment_of, load_settings
from ctiscraper.errors import SettingsError
from ctiscraper.setting_texts import with_password
from ctiscraper.types import Tier
from ctiscraper.weighing import DEFAULT_WEIGHTS

HARD = "p@ss:/?#[] %'\\\"é"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine counts."""
    for name in ("DATABASE_URL", "REDIS_URL", "DATABASE_PASSWORD_FILE", "REDIS_PASSWORD_FILE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"CTISCRAPER_{name}", raising=False)


@pytest.mark.parametrize(
    ("url", "rest"),
    [
        ("postgresql://cti@db:5432/articles", {"user": "cti", "host": "db", "port": "5432"}),
        ("postgresql://cti:old@db/articles?sslmode=verify-full", {"sslmode": "verify-full"}),
        ("postgres://cti@[::1]:5433/articles", {"host": "::1", "port": "5433"}),
        ("postgresql://cti@one:1,two:2/articles", {"host": "one,two", "port": "1,2"}),
        ("postgresql://cti@db?dbname=articles", {"host": "db"}),
        ("host=db user=cti dbname=articles", {"host": "db"}),
        ("host=db password=old user=cti dbname=articles", {"host": "db"}),
    ],
)
def test_a_password_is_put_into_every_form_of_connection(url: str, rest: dict[str, str]) -> None:
    found = conninfo_to_dict(with_password(url, HARD))
    assert found["password"] == HARD
    assert found["user"] == "cti"
    assert found["dbname"] == "articles"
    assert rest.items() <= found.items()


def test_passwords_of_files_are_put_into_the_urls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for server in ("database", "redis"):
        (tmp_path / server).write_text(f"{server}-word/1\n", "utf-8")
        monkeypatch.setenv(f"{server.upper()}_PASSWORD_FILE", str(tmp_path / server))
    monkeypatch.setenv("DATABASE_URL", "postgresql://cti@db/articles")
    monkeypatch.setenv("REDIS_URL", "rediss://redis:6379/0")
    settings = load_settings()
    assert settings.database_url == "postgresql://cti:database-word%2F1@db/articles"
    assert settings.redis_url == "rediss://:redis-word%2F1@redis:6379/0"


def test_without_files_urls_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://cti:own@db/articles")
    monkeypatch.setenv("REDIS_URL", " ")
    settings = load_settings()
    assert settings.database_url == "postgresql://cti:own@db/articles"
    assert settings.redis_url is None


@pytest.mark.parametrize("content", ["", "\n", "  \n", "one\ntwo\n", "with\0nul\n"])
def test_a_file_that_holds_no_password_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "password"
    file.write_text(content, "utf-8")
    with pytest.raises(SettingsError, match=r"DATABASE_PASSWORD_FILE.*on one line") as refused:
        load_settings(database_url="postgresql://cti@db/articles", database_password_file=file)
    assert str(file) in str(refused.value)


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(
            database_password_file=tmp_path / "none",
            redis_url="redis://redis:6379/0",
            redis_password_file=tmp_path / "none",
        )
    said = str(refused.value)
    assert "DATABASE_PASSWORD_FILE needs DATABASE_URL beside it" in said
    assert "REDIS_PASSWORD_FILE: [Errno 2] No such file" in said


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://redis:6379", "rediss://"),
        ("unix:///run/redis.sock", "rediss://"),
        ("redis://redis/abc", "the number of a database"),
        ("redis://redis/0/1", "the number of a database"),
        ("redis://redis/-1", "the number of a database"),
        ("redis://redis/²", "the number of a database"),
        ("redis://redis:99999/0", "a port from 1 to 65535"),
        ("redis://redis:port/0", "a port from 1 to 65535"),
        ("redis://:pa?ss@redis/0", "reads %3F"),
        ("redis://:pa#ss@redis/0", "reads %23"),
        ("redis://one/0;redis://two/0", "one server only"),
    ],
)
def test_a_redis_url_that_clients_would_read_differently_is_refused(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings(redis_url=url)


@pytest.mark.parametrize("name", ["REDIS_URL", "CTISCRAPER_REDIS_URL"])
def test_a_fault_is_told_by_the_variable_that_is_set(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http://redis:6379")
    with pytest.raises(SettingsError, match=f"\n  {name}: "):
        load_settings()


@pytest.mark.parametrize(
    "url",
    [
        "redis://redis",
        "redis://redis/",
        "redis://cti:pa%3Fss%23%3B@[::1]:6380/15",
        "rediss://:word@cache.example:6379/0",
    ],
)
def test_a_redis_url_is_kept_as_it_is(url: str) -> None:
    assert load_settings(redis_url=url).redis_url == url


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "holds no certificate in PEM form"),
        ("-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n", "holds no certif"),
        ("folder", "cannot be read: Is a directory"),
    ],
)
def test_an_authority_of_redis_that_cannot_be_used_is_named_at_the_start(
    tmp_path: Path, content: str | None, said: str
) -> None:
    file = tmp_path / "ca.pem"
    if content == "folder":
        file.mkdir()
    elif content is not None:
        file.write_text(content, "utf-8")
    with pytest.raises(SettingsError, match=f"CTISCRAPER_REDIS_CA: .*ca.pem {said}"):
        load_settings(redis_url="rediss://cache.example/0", redis_ca=file)


def test_tiers_that_are_not_named_keep_their_default(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = load_settings().keep()
    monkeypatch.setenv("CTISCRAPER_KEEP_RAW_DAYS", " premium=0, basic=7 ")
    kept = load_settings().keep()
    assert kept.raw == {**defaults.raw, Tier.PREMIUM: 0, Tier.BASIC: 7}
    assert (kept.revisions, kept.checks) == (defaults.revisions, defaults.checks)


def test_a_worker_gets_them_as_its_parent_had_them() -> None:
    settings = load_settings(keep_checks_days="standard=3")
    again = Settings.model_validate(settings.model_dump(mode="json"))
    assert again.keep() == settings.keep()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("gold=3", "'gold' is no tier: premium, standard, basic"),
        ("basic", "'basic' should read tier=days, such as premium=365"),
        ("basic=-1", "'-1' is no number of days"),
        ("basic=x", "'x' is no number of days"),
        ("basic=99999", "'99999' is no number of days"),
        ("basic=1,basic=2", "'basic' is given twice"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, given: str, said: str
) -> None:
    monkeypatch.setenv("CTISCRAPER_KEEP_REVISIONS_DAYS", given)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert f"CTISCRAPER_KEEP_REVISIONS_DAYS: Value error, {said}" in str(raised.value)


def test_weights_of_scores_are_given_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().score_weights == DEFAULT_WEIGHTS
    monkeypatch.setenv("CTISCRAPER_SCORE_WEIGHTS", "urgency=2, keywords = 0.5")
    settings = load_settings()
    assert settings.score_weights == {**DEFAULT_WEIGHTS, "urgency": 2.0, "keywords": 0.5}
    again = Settings.model_validate(settings.model_dump(mode="json"))
    assert again.score_weights == settings.score_weights
    assert environment_of(settings)["CTISCRAPER_SCORE_WEIGHTS"].startswith("huntability=0.4,")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("speed=1", "'speed' is no part of a score: huntability, urgency"),
        ("urgency", "'urgency' should read part=weight, such as urgency=0.5"),
        ("urgency=much", "'much' is no weight: 0 to 100"),
        ("urgency=-1", "'-1' is no weight"),
        ("urgency=nan", "'nan' is no weight"),
        ("urgency=1,urgency=2", "'urgency' is given twice"),
        ("huntability=0,urgency=0,novelty=0", "a part beside relevance needs a weight"),
    ],
)
def test_a_wrong_weight_is_named(given: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTISCRAPER_SCORE_WEIGHTS", given)
    with pytest.raises(SettingsError, match=said):
        load_settings()
