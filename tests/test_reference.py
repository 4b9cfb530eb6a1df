"""The life of reference data: defaults, updates from files and from the network, copies."""

import asyncio
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio

import make_packs as make
from ctiscraper import reference as module
from ctiscraper.db.packs import Packs
from ctiscraper.db.session import Database
from ctiscraper.errors import FetchError, NotFoundError, PackError, StorageError
from ctiscraper.http import Client, FetchLimits
from ctiscraper.intelligence import Extractor
from ctiscraper.packs import upstream
from ctiscraper.packs.cve import build_default
from ctiscraper.packs.pack import write_pack
from ctiscraper.packs.registry import KNOWN
from ctiscraper.packs.shelf import Shelf
from ctiscraper.reference import Reference
from loopback import Origin, open_client, origin_server, reply

QUICK = {name: KNOWN[name] for name in ("cve", "sigma")}
NOW = datetime(2026, 11, 26, tzinfo=UTC)
EPSS = make.epss({"CVE-2026-0001": (0.1, 0.2)})
KEV = make.kev("CVE-2026-0001")
NVD = make.nvd(make.nvd_item("CVE-2026-0001", 9.8, "CVSS:3.1/AV:N"))


@pytest_asyncio.fixture
async def packs(database: str) -> AsyncIterator[Packs]:
    async with Database(database, size=6) as opened:
        yield Packs(opened, make.WITH_ZOO)


@pytest.fixture
def reference(packs: Packs) -> Reference:
    return Reference(packs)


@pytest_asyncio.fixture
async def origin() -> AsyncIterator[Origin]:
    async with origin_server() as server:
        yield server


@pytest_asyncio.fixture
async def client(origin: Origin) -> AsyncIterator[Client]:
    async with open_client(origin.policy("site.test")) as opened:
        yield opened


def written(folder: Path, **files: bytes) -> list[Path]:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


async def test_defaults_are_built_once(database: str) -> None:
    async with Database(database, size=6) as opened:
        packs = Packs(opened)
        several = [Reference(packs) for _ in range(3)]
        done = await asyncio.gather(*(one.install_defaults() for one in several))
        assert sorted(len(one) for one in done) == [0, 0, len(KNOWN)]
        active = await packs.active()
        assert active.keys() == KNOWN.keys()
        assert active["sigma"].build == KNOWN["sigma"].build()
        assert await several[0].install_defaults() == []


async def test_a_default_that_cannot_be_built_is_named_when_the_others_are_in_use(
    database: str,
) -> None:
    async with Database(database, size=4) as opened:
        packs = Packs(opened, {"zoo": make.ZOO, **QUICK})
        with pytest.raises(PackError, match=r"zoo cannot be built .*no data pack 'zoo'"):
            await Reference(packs).install_defaults()
        assert (await packs.active()).keys() == QUICK.keys()


async def test_a_turn_ends_with_the_process_that_had_it(database: str) -> None:
    """Another session holds the turn and goes; whoever waited builds."""
    async with Database(database, size=2) as opened:
        reference = Reference(Packs(opened, QUICK))
        with psycopg.connect(database, autocommit=True) as holder:
            holder.execute("SELECT pg_advisory_lock(%s)", (0x70616362,))
            waiting = asyncio.create_task(reference.install_defaults())
            # It has asked for the turn at least once.
            await asyncio.to_thread(until_asked, holder)
            assert not waiting.done()
        assert len(await waiting) == len(QUICK)


def until_asked(holder: psycopg.Connection[tuple[object, ...]]) -> None:
    """Return once another session has asked for the turn."""
    asked = """
        SELECT count(*) FROM pg_stat_activity
        WHERE query LIKE '%try_advisory_lock%' AND pid <> pg_backend_pid()
            AND datname = current_database()
    """
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if holder.execute(asked).fetchall()[0][0]:
            return
    raise AssertionError("nobody asked")


async def test_a_pack_file_is_installed(reference: Reference, tmp_path: Path) -> None:
    (first,) = await reference.update_from_files(written(tmp_path, a=make.zoo("1", "APT28")))
    assert first.installed.changed
    assert first.change is not None
    assert (first.change.extractors, first.change.names) == ((Extractor.NAMES,), None)
    paths = written(tmp_path, b=make.zoo("2", "APT28", "Charming Kitten"))
    (second,) = await reference.update_from_files(paths, ["zoo"])
    assert second.change is not None
    assert second.change.names == frozenset({"Charming Kitten"})
    (again,) = await reference.update_from_files(paths)
    assert (again.installed.changed, again.change) == (False, None)


async def test_public_files_are_put_together(
    reference: Reference, packs: Packs, tmp_path: Path
) -> None:
    paths = written(tmp_path, a=KEV, b=make.gzipped(EPSS), c=NVD)
    (done,) = await reference.update_from_files(paths[:2])
    (done,) = await reference.update_from_files(paths[2:])
    assert done.installed.new.info.version == (
        "kev 2026.11.25, epss v2025.03.14 of 2026-11-25, cvss NVD 2026-11-25T03:00:00"
    )
    facts = (await packs.cve(["CVE-2026-0001"]))["CVE-2026-0001"]
    assert (facts.cvss is not None, facts.epss, facts.kev is not None) == (True, 0.1, True)
    (again,) = await reference.update_from_files(paths)
    assert not again.installed.changed


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (KEV[:-20], "cannot be read"),
        (make.gzipped(EPSS)[:-20], "cut off"),
        (make.zoo("2", "b")[:-1], "cut off"),
        (b"words", "none of what can be read"),
        (make.zoo("2", "b"), "for the data pack zoo, not for cve"),
        (make.archive({"rules/a.yml": b"title: a"}), "for the data pack sigma, not for cve"),
    ],
)
async def test_what_is_damaged_is_refused_and_the_old_one_stays(
    reference: Reference, packs: Packs, tmp_path: Path, data: bytes, words: str
) -> None:
    await reference.update_from_files(written(tmp_path, a=KEV))
    before = await packs.active()
    with pytest.raises(PackError, match=words):
        await reference.update_from_files(written(tmp_path, b=data), ["cve"])
    assert await packs.active() == before


async def test_a_file_that_is_not_there_is_named(reference: Reference, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere cannot be read"):
        await reference.update_from_files([tmp_path / "nowhere"])


async def test_a_pack_is_exported_as_it_is_kept(reference: Reference, packs: Packs) -> None:
    await packs.install(make.zoo("1", "a"))
    pack, data = await reference.export("zoo")
    assert (pack.info.version, data) == ("1", make.zoo("1", "a"))
    with pytest.raises(NotFoundError):
        await reference.export("cve")


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    """The publishers' files are at this machine, those of the NVD from 2025 on."""
    monkeypatch.setattr(upstream, "_KEV_URL", "http://site.test/kev")
    monkeypatch.setattr(upstream, "_EPSS_URL", "http://site.test/epss")
    monkeypatch.setattr(upstream, "_NVD_URL", "http://site.test/nvd/{}")
    monkeypatch.setattr(upstream, "_FIRST_YEAR", 2025)


@pytest.mark.usefixtures("published")
async def test_an_update_asks_the_publishers_and_then_for_what_changed(
    reference: Reference, origin: Origin, client: Client
) -> None:
    origin.answers.update({"/kev": reply(KEV), "/epss": reply(make.gzipped(EPSS))})
    for name in ("2025", "2026", "modified"):
        origin.answers[f"/nvd/{name}"] = reply(make.gzipped(NVD))
    told: list[str] = []
    found = await reference.update_from_network(client, ["cve"], now=NOW, told=told.append)
    (done,) = found.done
    assert found.failed == ()
    assert done.installed.new.records == 1
    assert origin.paths == ["/kev", "/epss", "/nvd/2025", "/nvd/2026", "/nvd/modified"]
    assert told[0] == "fetching http://site.test/kev"
    origin.asked.clear()
    (again,) = (await reference.update_from_network(client, ["cve"], now=NOW)).done
    assert not again.installed.changed
    assert origin.paths == ["/kev", "/epss", "/nvd/modified"]


@pytest.mark.usefixtures("published")
async def test_a_publisher_that_does_not_answer_stops_no_other(
    reference: Reference, packs: Packs, origin: Origin, client: Client
) -> None:
    origin.answers.update({"/kev": reply(KEV), "/nvd/2026": reply(make.gzipped(NVD))})
    found = await reference.update_from_network(client, ["cve"], now=NOW)
    (done,) = found.done
    assert done.installed.new.info.version == "kev 2026.11.25, cvss NVD 2026-11-25T03:00:00"
    assert [str(error).split(" answered ")[1][:20] for error in found.failed] == [
        "404: try again later"
    ] * 3
    origin.asked.clear()
    await reference.update_from_network(client, ["cve"], now=NOW)
    assert "/nvd/2025" in origin.paths
    assert (await packs.active())["cve"].records == 1


@pytest.mark.usefixtures("published")
async def test_a_publisher_whose_file_is_damaged_stops_no_other(
    reference: Reference, origin: Origin, client: Client
) -> None:
    origin.answers.update({"/kev": reply(KEV[:-9]), "/epss": reply(make.gzipped(EPSS))})
    for name in ("2025", "2026", "modified"):
        origin.answers[f"/nvd/{name}"] = reply(make.gzipped(NVD))
    found = await reference.update_from_network(client, ["cve"], now=NOW)
    assert found.done[0].installed.new.info.version.startswith("epss")
    assert ["KEV catalogue cannot be read" in str(error) for error in found.failed] == [True]
    for path in origin.answers:
        origin.answers[path] = reply(b"rubbish")
    found = await reference.update_from_network(client, ["cve"], now=NOW)
    assert (found.done, len(found.failed)) == ((), 1)


async def test_updates_at_once_lose_nothing_of_each_other(
    reference: Reference, packs: Packs, tmp_path: Path
) -> None:
    await packs.install(write_pack(*build_default()))
    files = written(tmp_path, a=KEV, b=EPSS, c=NVD)
    await asyncio.gather(*(reference.update_from_files([file]) for file in files))
    (facts,) = (await packs.cve(["CVE-2026-0001"])).values()
    assert (facts.cvss is not None, facts.epss, facts.kev is not None) == (True, 0.1, True)


@pytest.mark.usefixtures("published")
async def test_what_no_publisher_answers_changes_nothing(
    reference: Reference, packs: Packs, client: Client
) -> None:
    found = await reference.update_from_network(client, ["cve"], now=NOW)
    assert (found.done, len(found.failed)) == ((), 5)
    assert await packs.all() == []


@pytest.mark.usefixtures("published")
async def test_a_pack_that_needs_all_its_files_is_left_when_one_fails(
    reference: Reference,
    packs: Packs,
    origin: Origin,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = make.archive({"rules/a.yml": b"title: A\nid: 1-2\n"})
    urls = ("http://site.test/rules", "http://site.test/more")
    monkeypatch.setattr(upstream, "_URLS", {"sigma": urls})
    origin.answers["/rules"] = reply(rules)
    found = await reference.update_from_network(client, ["sigma"], now=NOW)
    assert (found.done, len(found.failed)) == ((), 1)
    origin.answers["/more"] = reply(b"rubbish")
    found = await reference.update_from_network(client, ["sigma"], now=NOW)
    assert "more is none of what can be read" in str(found.failed[0])
    origin.answers["/more"] = reply(rules)
    assert len((await reference.update_from_network(client, ["sigma"], now=NOW)).done) == 1
    assert (await packs.active())["sigma"].records == 1


async def test_a_file_at_an_address_is_installed(
    reference: Reference, origin: Origin, client: Client
) -> None:
    origin.answers["/mirror/zoo"] = reply(make.zoo("1", "a"))
    (done,) = await reference.update_from_url(client, "http://site.test/mirror/zoo", ["zoo"])
    assert done.installed.new.info.version == "1"


async def test_an_answer_that_is_too_large_is_refused(
    reference: Reference, origin: Origin, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DOWNLOAD", FetchLimits(max_bytes=100, seconds=5))
    origin.answers["/zoo"] = reply(make.zoo("1", "a"))
    with pytest.raises(FetchError, match="more than 100 bytes"):
        await reference.update_from_url(client, "http://site.test/zoo")


async def test_an_update_that_is_stopped_leaves_no_files(
    reference: Reference,
    origin: Origin,
    client: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, gate, write = threading.Event(), threading.Event(), Path.write_bytes

    def slowly(path: Path, data: bytes) -> int:
        begun.set()
        gate.wait()
        return write(path, data)

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(Path, "write_bytes", slowly)
    origin.answers["/zoo"] = reply(make.zoo("1", "a"))
    updating = asyncio.create_task(reference.update_from_url(client, "http://site.test/zoo"))
    await asyncio.to_thread(begun.wait)
    try:
        for _ in range(20):
            updating.cancel()
            await asyncio.sleep(0)
        assert not updating.done()
    finally:
        gate.set()
    with pytest.raises(asyncio.CancelledError):
        await updating
    assert list((tmp_path / "temporary").iterdir()) == []


async def test_a_pack_that_comes_with_a_package_says_so(
    reference: Reference, client: Client
) -> None:
    found = await reference.update_from_network(client, ["zoo"], now=NOW)
    assert "comes with a package: install a newer CTIScraper" in str(found.failed[0])


async def test_copies_of_what_is_in_use_are_made_and_mended(
    reference: Reference, packs: Packs, tmp_path: Path
) -> None:
    shelf = Shelf(tmp_path / "packs")
    await packs.install(make.zoo("1", "a"))
    places = await reference.fill(shelf)
    assert places["zoo"].read_bytes() == make.zoo("1", "a")
    places["zoo"].write_bytes(b"damaged")
    assert (await reference.fill(shelf))["zoo"].read_bytes() == make.zoo("1", "a")
    await packs.install(make.zoo("2", "b"))
    assert (await reference.fill(shelf))["zoo"].read_bytes() == make.zoo("2", "b")


async def test_a_version_that_this_program_cannot_read_is_replaced(
    reference: Reference, packs: Packs, database: str, tmp_path: Path
) -> None:
    """The one in use has other records, as a newer program would have left it."""
    await packs.install(make.zoo("1", "a"))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE pack SET body = 'other'")
    (done,) = await reference.update_from_files(written(tmp_path, a=make.zoo("2", "b")))
    assert done.change is not None
    assert (done.change.old, done.change.names) == ("", None)
