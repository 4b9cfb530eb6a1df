"""What is said of a Redis that fails names the setting which is in use."""

from itertools import pairwise
from pathlib import Path

import pytest
import trustme
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError, OutOfMemoryError, ReadOnlyError

from ctiscraper.config import Settings, load_settings
from ctiscraper.tasks.redis_bell import RedisBell
from ctiscraper.tasks.redis_faults import what_is_wrong
from ctiscraper.tasks.valkey import EmbeddedValkey


async def said_of(settings: Settings) -> str:
    """What a look at this Redis ends with."""
    bell = RedisBell(settings)
    try:
        state = await bell.look()
    finally:
        await bell.aclose()
    assert not state.reachable
    return state.detail


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (ConnectionError("Error 111 connecting: refused"), "cannot be reached"),
        (TimeoutError("Timeout connecting to server"), "does not answer in time"),
        (RuntimeError("OOM command not allowed"), "is full"),
        (RuntimeError("LOADING Valkey is loading"), "still loading"),
        (NoPermissionError("User cti has no permissions"), "the user of REDIS_URL"),
        (OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "is full"),
        (RuntimeError(), "no reason given"),
    ],
)
def test_every_cause_is_named(cause: Exception, words: str) -> None:
    said = what_is_wrong(load_settings(redis_url="redis://:s3cret@cache.example:6380/0"), cause)
    assert words in said
    assert "cache.example:6380" in said
    assert "s3cret" not in said


def test_what_errors_repeat_of_one_another_is_said_once() -> None:
    """Celery's beat wraps kombu's error, which wraps that of the client and its own slips."""
    words = "Error 111 connecting to cache.example:6380. Connection refused."
    chain: list[Exception] = [
        RuntimeError(f"Couldn't apply scheduled task basic: {words}"),
        RuntimeError(words),
        IndexError("pop from empty list"),
        RedisConnectionError(words),
        ConnectionRefusedError(111, "Connection refused"),
        RuntimeError("channel disconnected"),
    ]
    for outer, inner in pairwise(chain):
        outer.__cause__ = inner
    told = what_is_wrong(load_settings(redis_url="redis://cache.example:6380/0"), chain[0])
    assert told == f"Redis at cache.example:6380 cannot be reached: {words} (REDIS_URL)"


def test_an_error_of_neither_network_nor_redis_is_told_whole() -> None:
    outer = RuntimeError("Couldn't apply scheduled task basic: no such queue")
    outer.__cause__ = KeyError("basic")
    told = what_is_wrong(load_settings(redis_url="redis://cache.example:6380/0"), outer)
    assert "scheduled task basic: no such queue" in told


@pytest.mark.parametrize("password", ["wr0ng-s3cret", "other"])
async def test_a_wrong_password_of_a_file_is_corrected_in_that_file(
    valkey: EmbeddedValkey, tmp_path: Path, password: str
) -> None:
    file = tmp_path / "redis-password"
    file.write_text(password, "utf-8")
    url = f"redis://127.0.0.1:{valkey.port}/0"
    said = await said_of(load_settings(redis_url=url, redis_password_file=file))
    assert f"correct the password in the file of REDIS_PASSWORD_FILE ({file})" in said
    assert password not in said.replace(str(file), "")


async def test_a_wrong_password_of_the_url_is_corrected_there(valkey: EmbeddedValkey) -> None:
    url = f"redis://:wr0ng-s3cret@127.0.0.1:{valkey.port}/0"
    said = await said_of(load_settings(redis_url=url))
    assert "refuses user or password; correct them in REDIS_URL" in said
    assert "wr0ng-s3cret" not in said


async def test_a_password_that_is_missing_may_be_given_in_two_places(
    valkey: EmbeddedValkey,
) -> None:
    said = await said_of(load_settings(redis_url=f"redis://127.0.0.1:{valkey.port}/0"))
    assert "asks for a password; give it in REDIS_URL, or in a file that REDIS_PASSWORD_F" in said


async def test_a_database_that_the_server_has_not_is_named(valkey: EmbeddedValkey) -> None:
    said = await said_of(load_settings(redis_url=valkey.url.removesuffix("/0") + "/99"))
    assert "has no database of that number: correct it in REDIS_URL" in said


async def test_a_server_without_tls_is_asked_about(valkey: EmbeddedValkey) -> None:
    url = f"rediss://127.0.0.1:{valkey.port}/0"
    said = await said_of(load_settings(redis_url=url))
    assert "does REDIS_URL say rediss:// if it speaks TLS, and only then?" in said


async def test_an_authority_that_is_gone_is_named_though_it_was_there_at_the_start(
    valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    settings = load_settings(redis_url=f"rediss://127.0.0.1:{valkey.port}/0", redis_ca=file)
    file.unlink()
    said = await said_of(settings)
    assert f"mend CTISCRAPER_REDIS_CA ({file} cannot be read: No such file or directory)" in said


async def test_a_replica_is_not_the_primary(valkey: EmbeddedValkey) -> None:
    settings = load_settings(redis_url=valkey.url)
    async with Redis.from_url(valkey.url) as client:
        await client.execute_command("REPLICAOF", "127.0.0.1", "1")  # type: ignore[no-untyped-call]
        with pytest.raises(ReadOnlyError) as refused:
            await client.set("any", "1")
    assert "name the primary in REDIS_URL" in what_is_wrong(settings, refused.value)
