"""`secrets make`: passwords that nobody chose, made once, shown never."""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cli.terminal import PROGRAM, Terminal

PASSWORDS = (
    "database-password",
    "database-password-web",
    "database-password-worker",
    "redis-password",
)
NAMES = {*PASSWORDS, "redis.conf"}


@pytest.fixture
def terminal() -> Terminal:
    return Terminal({})


def contents(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text("ascii") for file in folder.iterdir()}


def test_a_first_start_makes_them_and_shows_none(terminal: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "secrets"
    ended = terminal.run("secrets", "make", str(folder), "--json")
    assert ended.json == {"folder": str(folder), "made": sorted(NAMES)}
    made = contents(folder)
    assert set(made) == NAMES
    for name in PASSWORDS:
        assert re.fullmatch(r"[0-9a-f]{64}\n", made[name])
        assert made[name].strip() not in ended.out + ended.err
    assert len({made[name] for name in PASSWORDS}) == len(PASSWORDS)
    assert made["redis.conf"] == f"requirepass {made['redis-password']}"
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_second_start_keeps_them(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("secrets", "make", str(tmp_path))
    made = contents(tmp_path)
    (tmp_path / "redis.conf").unlink()
    ended = terminal.run("secrets", "make", str(tmp_path))
    assert ended.out == f"Made redis.conf in {tmp_path}.\n"
    assert terminal.run("secrets", "make", str(tmp_path)).out == "Nothing to make.\n"
    assert contents(tmp_path) == made


def test_a_group_may_read_them_when_asked(terminal: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    terminal.run("secrets", "make", "--group-readable", str(folder))
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o640}


def test_a_share_follows_what_it_is_of(terminal: Terminal, tmp_path: Path) -> None:
    own, share = tmp_path / "own", tmp_path / "web"
    terminal.run("secrets", "make", "--web", str(share), str(own))
    (own / "database-password-web").write_text("another\n", "ascii")
    terminal.run("secrets", "make", "--web", str(share), str(own))
    assert contents(share) == {
        "database-password": "another\n",
        "redis-password": contents(own)["redis-password"],
    }
    assert {file.stat().st_mode & 0o777 for file in share.iterdir()} == {0o600}
    (share / "database-password").chmod(0o644)
    ended = terminal.run("secrets", "make", "--web", str(share), str(own), code=3)
    assert "chmod 600" in ended.err


def test_starts_at_the_same_time_agree(tmp_path: Path) -> None:
    def start(_: int) -> list[str]:
        done = subprocess.run(
            [*PROGRAM, "secrets", "make", str(tmp_path), "--json"],
            capture_output=True,
            check=True,
            text=True,
        )
        return re.findall(r'"([a-z.-]+)"', done.stdout.partition('"made"')[2])

    with ThreadPoolExecutor(6) as starts:
        made = [name for names in starts.map(start, range(6)) for name in names]
    assert sorted(made) == sorted(NAMES)
    found = contents(tmp_path)
    assert set(found) == NAMES, "no draft is left"
    assert found["redis.conf"] == f"requirepass {found['redis-password']}"


def test_what_is_not_safe_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("secrets", "make", str(tmp_path))
    password = tmp_path / "database-password"
    password.chmod(0o644)
    assert "chmod 600" in terminal.run("secrets", "make", str(tmp_path), code=3).err
    password.chmod(0o600)
    password.write_text("", "ascii")
    assert "is empty" in terminal.run("secrets", "make", str(tmp_path), code=3).err
    tmp_path.chmod(0o777)
    assert "chmod o-w" in terminal.run("secrets", "make", str(tmp_path), code=3).err


def test_a_folder_that_cannot_be_had_is_named(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = terminal.run("secrets", "make", str(tmp_path / "file" / "secrets"), code=3)
    assert "cannot be kept in" in ended.err
