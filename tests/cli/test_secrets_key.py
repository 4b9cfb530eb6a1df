"""`secrets renew-key` and `seal-anew`: another key, and nobody's app is lost."""

import asyncio
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.terminal import Terminal
from ctiscraper.access.passwords import Passwords
from ctiscraper.access.sealing import Sealer, SealError, read_keys
from ctiscraper.admission import Admission
from ctiscraper.db.second_factors import SecondFactors
from ctiscraper.db.session import Database
from ctiscraper.identity import Role
from people import person


async def test_apps_go_on_under_another_key(
    terminal: Terminal, database: str, tmp_path: Path
) -> None:
    data = ("--data", str(tmp_path))
    [first] = read_keys(tmp_path / "secret.key")
    async with Database(database, size=2) as opened:
        user_id = await person(opened, Role.VIEWER)
        lost_id = await person(opened, Role.ANALYST)
        secret = await admission(opened, Sealer(first)).begin_totp(user_id)

        told = (await asyncio.to_thread(terminal.run, "secrets", "renew-key", *data)).out
        assert "seal-anew" in told
        second, older = read_keys(tmp_path / "secret.key")
        assert older == first
        anew = admission(opened, Sealer(second, first))
        assert anew.opened_totp(user_id, await sealed(opened, user_id)) == secret

        # Whose app another key has sealed keeps the older keys from being forgotten.
        await admission(opened, Sealer.of_this_process()).begin_totp(lost_id)
        ended = (
            await asyncio.to_thread(terminal.run, "secrets", "seal-anew", *data, "--json")
        ).json
        assert ended == {"sealed": 1, "lost": 1, "forgotten": 0}
        assert (
            "opened by no key here"
            in (await asyncio.to_thread(terminal.run, "secrets", "seal-anew", *data)).out
        )
        await SecondFactors(opened).remove_totp(lost_id)
        ended = (
            await asyncio.to_thread(terminal.run, "secrets", "seal-anew", *data, "--json")
        ).json
        assert ended == {"sealed": 1, "lost": 0, "forgotten": 1}

        assert read_keys(tmp_path / "secret.key") == (second,)
        kept = await sealed(opened, user_id)
        assert admission(opened, Sealer(second)).opened_totp(user_id, kept) == secret
        with pytest.raises(SealError):
            Sealer(first).open(f"totp {user_id}", kept)
    for key in (first, second):
        assert key.hex() not in told


async def test_keys_that_are_only_read_here_are_left_to_whoever_gives_them(
    terminal: Terminal, database: str, tmp_path: Path
) -> None:
    """A task of ECS has its key in a folder that is mounted for reading alone."""
    given = tmp_path / "secrets"
    with read_only(given, {"secret.key": b"n" * 32 + b"o" * 32}):
        asking = Terminal(
            {**terminal.environment, "CTISCRAPER_SECRET_KEY_FILE": str(given / "secret.key")}
        )
        async with Database(database, size=2) as opened:
            user_id = await person(opened, Role.VIEWER)
            secret = await admission(opened, Sealer(b"o" * 32)).begin_totp(user_id)
            ended = await asyncio.to_thread(asking.run, "secrets", "seal-anew", "--json")
            assert ended.json == {"sealed": 1, "lost": 0, "forgotten": 0}
            kept = await sealed(opened, user_id)
            assert admission(opened, Sealer(b"n" * 32)).opened_totp(user_id, kept) == secret
        said = (await asyncio.to_thread(asking.run, "secrets", "seal-anew")).out
        assert "is only read here: leave the newest key alone" in said
        assert read_keys(given / "secret.key") == (b"n" * 32, b"o" * 32)


@contextmanager
def read_only(folder: Path, files: Mapping[str, bytes]) -> Iterator[None]:
    """A folder that nobody writes to; root is kept out by the way that it is mounted alone."""
    folder.mkdir()
    mounts = os.geteuid() == 0
    if mounts:
        mount(folder, "mode=0700")
    try:
        for name, content in files.items():
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o600)
        if mounts:
            mount(folder, "remount,ro")
        else:
            folder.chmod(0o500)
        yield
    finally:
        if mounts:
            subprocess.run(["umount", "--lazy", folder], check=True)
        else:
            folder.chmod(0o700)


def mount(folder: Path, options: str) -> None:
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"this system mounts nothing: {done.stderr.strip()}")


async def sealed(opened: Database, user_id: int) -> bytes:
    app = await SecondFactors(opened).totp(user_id)
    assert app is not None
    return app.secret


def admission(opened: Database, sealer: Sealer) -> Admission:
    return Admission(opened, passwords=Passwords(time_cost=1, memory_kib=1024), sealer=sealer)
