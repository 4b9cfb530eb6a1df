"""`data`: list, info, update, use and export, as an operator meets them."""

import asyncio
import hashlib
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest

import make_packs as make
from cli.terminal import Terminal, environment
from ctiscraper.db.packs import Packs
from ctiscraper.db.session import Database
from ctiscraper.packs.registry import KNOWN, build_default
from lock_waits import until_waiting

Defaults = list[tuple[bytes, str]]

RULE = b"title: A Shell\nid: 1-2\nauthor: Jane Doe\nlevel: high\ndate: 2026-10-03\n"


@pytest.fixture(scope="module")
def defaults() -> Defaults:
    """The defaults of all packs, which take seconds to build."""
    return [(build_default(known), known.build()) for known in KNOWN.values()]


@pytest.fixture
def database(database: str, defaults: Defaults) -> str:
    """A database of an installation that has started before."""

    async def install() -> None:
        async with Database(database, size=1) as opened:
            for data, build in defaults:
                await Packs(opened).install(data, build=build)

    asyncio.run(install())
    return database


def test_defaults_are_there_at_once_and_say_what_they_are(terminal: Terminal) -> None:
    packs = {pack["name"]: pack for pack in terminal.run("data", "list", "--json").json["packs"]}
    assert packs["sigma"]["records"] > 3000
    assert packs["sigma"]["default"]
    assert packs["cve"]["version"] == "empty"
    said = terminal.run("data", "list").out
    assert "There is no data in cve yet: run 'ctiscraper data update cve'." in said
    assert packs["sigma"]["sha256"][:12] in said
    said = terminal.run("data", "info", "sigma").out
    assert "DRL-1.1" in said
    assert "names its author" in said
    assert terminal.run("data", "info", "cve", "--json").json["title"].startswith("CVSS, EPSS")


def test_an_unknown_pack_is_named(terminal: Terminal) -> None:
    for command in (("info", "zoo"), ("update", "zoo"), ("use", "zoo", "1")):
        said = terminal.run("data", *command, code=7).err
        assert "there is no data pack 'zoo'" in said
        assert "cve, sigma" in said


def test_public_files_update_what_they_are_for(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "k.json").write_bytes(make.kev("CVE-2026-0001"))
    (tmp_path / "e.gz").write_bytes(make.gzipped(make.epss({"CVE-2026-0002": (0.1, 0.2)})))
    files = ("--file", str(tmp_path / "k.json"), "--file", str(tmp_path / "e.gz"))
    said = terminal.run("data", "update", *files).out
    assert "cve: kev 2026.11.25, epss v2025.03.14 of 2026-11-25 with 2 records in place" in said
    assert "No article has to be read again." in said
    (again,) = terminal.run("data", "update", *files, "--json").json["updates"]
    assert (again["changed"], again["articles"]) == (False, 0)
    assert terminal.noted() == ["pack.update"]
    assert "nothing new" in terminal.run("data", "update", "cve", *files).out


def test_what_is_damaged_is_refused_and_the_old_one_stays(
    terminal: Terminal, tmp_path: Path
) -> None:
    before = terminal.run("data", "list", "--json").json
    (tmp_path / "k.json").write_bytes(make.kev("CVE-2026-0001")[:-9])
    said = terminal.run("data", "update", "--file", str(tmp_path / "k.json"), code=7).err
    assert "the KEV catalogue cannot be read" in said
    assert "what is in use stays" in said
    assert terminal.run("data", "list", "--json").json == before


def test_a_pack_goes_to_a_machine_without_network(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "rules.zip").write_bytes(make.archive({"rules/a.yml": RULE}))
    terminal.run("data", "update", "--file", str(tmp_path / "rules.zip"))
    target = tmp_path / "sigma.ctipack"
    said = terminal.run("data", "export", "sigma", str(target)).out
    assert hashlib.sha256(target.read_bytes()).hexdigest() in said
    assert "Wrote sigma SigmaHQ 2026-10-03" in said
    assert "in place of SigmaHQ" in terminal.run("data", "use", "sigma", "default").out
    said = terminal.run("data", "update", "--file", str(target)).out
    assert "sigma: SigmaHQ 2026-10-03 with 1 record in place of galaxy" in said
    nowhere = str(tmp_path / "none" / "file")
    assert "cannot be written" in terminal.run("data", "export", "sigma", nowhere, code=8).err


def test_an_earlier_version_is_used_again(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "rules.zip").write_bytes(make.archive({"rules/a.yml": RULE}))
    terminal.run("data", "update", "--file", str(tmp_path / "rules.zip"))
    kept = terminal.run("data", "list", "--all", "--json").json["packs"]
    (old,) = (pack for pack in kept if not pack["active"])
    assert old["name"] == "sigma"
    assert "(kept)" in terminal.run("data", "list", "--all").out
    (done,) = terminal.run("data", "use", "sigma", old["version"], "--json").json["updates"]
    assert (done["pack"]["version"], done["before"]) == (old["version"], "SigmaHQ 2026-10-03")
    assert "no version '9'" in terminal.run("data", "use", "sigma", "9", code=5).err
    assert terminal.noted() == ["pack.update", "pack.use"]


class _Mirror(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = make.kev("CVE-2026-0001")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def mirror() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Mirror) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_mirror_is_asked_under_the_guard_of_every_request(database: str, tmp_path: Path) -> None:
    with mirror() as port:
        url = f"http://127.0.0.1:{port}/kev.json"
        shut = Terminal(environment(database, tmp_path))
        assert "refused" in shut.run("data", "update", "--from", url, code=4).err
        opened = Terminal(
            environment(database, tmp_path)
            | {
                "CTISCRAPER_EGRESS_ALLOW_CIDRS": "127.0.0.1/32",
                "CTISCRAPER_EGRESS_ALLOW_PORTS": f"80,{port}",
            }
        )
        done = opened.run("data", "update", "--from", url)
        assert "cve: kev 2026.11.25 with 1 record" in done.out
        assert f"fetching {url}" in done.err


def test_a_publisher_that_fails_is_told_beside_what_was_done(database: str, tmp_path: Path) -> None:
    nobody = environment(database, tmp_path) | {
        "CTISCRAPER_EGRESS_HOST_MAP": "github.com=127.0.0.1:9",
        "CTISCRAPER_EGRESS_ALLOW_CIDRS": "127.0.0.1/32",
        "CTISCRAPER_EGRESS_ALLOW_PORTS": "9,443",
    }
    ended = Terminal(nobody).run("data", "update", "sigma", "--json", code=4)
    assert ended.json["updates"] == []
    assert ended.json["failed"][0].startswith("connect")
    assert '"error":"fetch"' in ended.err


def test_an_update_that_is_killed_leaves_nothing_half(
    terminal: Terminal, database: str, tmp_path: Path
) -> None:
    """Killed while it waits for a row that another session holds, its rows half written."""
    for name, ids in (("old", ["CVE-2026-0002"]), ("new", ["CVE-2026-0001", "CVE-2026-0002"])):
        (tmp_path / name).write_bytes(make.epss({cve: (len(ids) / 10, 0.5) for cve in ids}))
    terminal.run("data", "update", "--file", str(tmp_path / "old"))
    before = terminal.run("data", "list", "--json").json
    new = ("data", "update", "--file", str(tmp_path / "new"), "--json")
    with psycopg.connect(database) as holder:
        holder.execute("SELECT FROM cve FOR UPDATE")
        with terminal.running(*new) as running:
            until_waiting(database)
            assert running.stop(signal.SIGKILL).code == -signal.SIGKILL
    assert terminal.run("data", "list", "--json").json == before
    assert terminal.run(*new).json["updates"][0]["pack"]["records"] == 2
    with psycopg.connect(database) as reader:
        rows = reader.execute("SELECT id, epss FROM cve ORDER BY id").fetchall()
    assert rows == [("CVE-2026-0001", 0.2), ("CVE-2026-0002", 0.2)]


def test_a_file_and_an_address_exclude_each_other(terminal: Terminal) -> None:
    terminal.run("data", "update", "--file", "a", "--from", "http://a.test/", code=2)
