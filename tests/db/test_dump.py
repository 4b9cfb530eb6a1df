"""Which programs dump and restore, and that they are told no secret that others can see."""

from pathlib import Path

import pytest

from ctiscraper.db.dump import DumpPrograms, _without_password, find_programs
from ctiscraper.errors import SettingsError


def programs(folder: Path, version: str) -> Path:
    """A folder whose programs say that they are of a version."""
    folder.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


def test_a_version_is_never_dumped_by_an_older_one(tmp_path: Path) -> None:
    folder = programs(tmp_path / "bin", "16.4 (Debian 16.4-1)")
    assert find_programs(15, folder) == DumpPrograms(folder, 16)
    assert find_programs(16, folder).major == 16
    with pytest.raises(SettingsError) as raised:
        find_programs(17, folder)
    assert f"CTISCRAPER_PG_BIN ({folder}) has 16 in {folder}" in str(raised.value)
    assert "postgresql-client-17 on Debian" in str(raised.value)


def test_the_nearest_version_above_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(programs(tmp_path / "bin", "97.1")))
    assert find_programs(97).major == 97
    assert 15 <= find_programs(15).major < 97
    with pytest.raises(SettingsError, match=r"97 in .*/bin"):
        find_programs(98)


def test_a_folder_with_half_of_the_programs_is_not_used(tmp_path: Path) -> None:
    folder = programs(tmp_path / "bin", "16.4")
    (folder / "pg_restore").unlink()
    with pytest.raises(SettingsError, match="has none"):
        find_programs(15, folder)


@pytest.mark.parametrize(
    ("major", "server", "fit"), [(15, 15, True), (18, 15, False), (18, 18, True), (16, 18, True)]
)
def test_later_programs_do_not_write_to_servers_before_17(
    major: int, server: int, fit: bool
) -> None:
    assert DumpPrograms(Path(), major).restores_into(server) is fit


def test_a_password_is_in_no_command_line() -> None:
    with _without_password(r"host=h user=me password=se:cr\\et dbname=d") as place:
        assert "se" not in place.replace("user", "").replace("passfile", "")
        [passfile] = [part[9:] for part in place.split() if part.startswith("passfile=")]
        file = Path(passfile)
        assert file.read_text() == "*:*:*:*:se\\:cr\\\\et\n"
        assert file.stat().st_mode & 0o077 == 0
    assert not file.exists()
    with _without_password("host=h dbname=d") as place:
        assert sorted(place.split()) == ["dbname=d", "host=h"]
