"""Which programs dump and restore, and that they are told no secret that others can see."""

import tempfile
from pathlib import Path

import psycopg
import pytest

from ctiscraper.db.binaries import PgBinaries
from ctiscraper.db.dump import DumpPrograms, find_programs
from ctiscraper.errors import SettingsError
from servers import own_server, reachable_folder


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


SAYS_ITS_PASSFILE = """#!/bin/sh
for word in "$@"; do
    case "$word" in
        --file=*) file=${word#--file=} ;;
        --dbname=*) place=${word#--dbname=} ;;
    esac
done
passfile=${place##*passfile=}
echo "$place" > "$file"
stat -L -c %a "$passfile" >> "$file"
cat "$passfile" >> "$file"
"""


async def test_a_password_is_in_no_command_line_and_in_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    folder = programs(tmp_path / "bin", "16.4")
    (folder / "pg_dump").write_text(f'{SAYS_ITS_PASSFILE}ls {tmp_path}/temporary >> "$file"\n')
    dumping, said = DumpPrograms(folder, 16), tmp_path / "said"

    await dumping.dump(r"host=h user=me password=se:cr\\et dbname=d", "snapshot", said)
    place, mode, *passwords = said.read_text().splitlines()
    assert "se" not in place.replace("user", "").replace("passfile", "")
    assert mode == "600"
    assert passwords == ["*:*:*:*:se\\:cr\\\\et"]
    assert list((tmp_path / "temporary").iterdir()) == []


RULES = """
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""


async def test_a_server_that_asks_for_a_password_is_dumped(
    tmp_path: Path, binaries: PgBinaries
) -> None:
    with reachable_folder() as folder:
        async with own_server(folder / "pg", binaries) as server:
            rules = server.cluster.folder / "pg_hba.conf"
            rules.write_text(RULES, "ascii")
            server.give(rules)
            server.run("SELECT pg_reload_conf()", "CREATE ROLE me LOGIN PASSWORD 'ri:g\\ht'")
            owned = server.conninfo("postgres", host="127.0.0.1", user="me", password="ri:g\\ht")
            async with await psycopg.AsyncConnection.connect(owned) as connection:
                [snapshot] = await (
                    await connection.execute("SELECT pg_export_snapshot()")
                ).fetchone() or [""]
                await find_programs(binaries.major).dump(owned, snapshot, tmp_path / "dump")
    assert (tmp_path / "dump").read_bytes().startswith(b"PGDMP")
