"""Packs in PostgreSQL: one in use of each name, written whole or not at all."""

import asyncio
import hashlib
import time
from dataclasses import replace
from datetime import date

import numpy as np
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import make_packs as make
from ctiscraper.db.packs import KEPT, Packs
from ctiscraper.db.session import Database
from ctiscraper.errors import ConflictError, NotFoundError, PackError, StorageError
from ctiscraper.packs import cve
from ctiscraper.packs.pack import write_pack
from db.stage import Stage
from lock_waits import until_waiting


@pytest.fixture
def packs(stage: Stage) -> Packs:
    return Packs(stage.database, make.WITH_ZOO)


def cve_pack(*ids: str, score: float = 0.5) -> bytes:
    """A pack with EPSS of these, the first of them exploited."""
    keys = np.array(sorted(cve.key_of(one) or 0 for one in ids), dtype=np.uint64)
    column = np.full(len(keys), score, dtype=np.float32)
    pack = cve.with_epss(cve.CvePack(), cve.Scores(keys, column, column), str(score))
    kev = cve.Kev(
        id=ids[0],
        added=date(2026, 11, 2),
        due=date(2026, 11, 23),
        ransomware=True,
        vendor="Acme",
        product="Gate",
        name="Acme Gate Path Traversal",
    )
    pack = cve.with_kev(pack, [kev], "1")
    high = cve.Cvss(9.8, "CVSS:3.1/AV:N", "3.1")
    pack = cve.with_cvss(pack, {cve.key_of(ids[0]) or 0: high}, "1")
    return write_pack(cve.cve_info(pack), pack)


async def test_a_pack_that_is_installed_is_the_one_in_use(packs: Packs) -> None:
    data = make.zoo("7", "Fancy Bear", "Charming Kitten")
    done = await packs.install(data)
    assert (done.changed, done.old) == (True, None)
    active = (await packs.active())["zoo"]
    assert active == done.new
    assert (active.info, active.records, active.size) == (make.info("7"), 2, len(data))
    assert (active.sha256, active.build) == (hashlib.sha256(data).digest(), None)
    assert await packs.body("zoo") == data


async def test_the_same_pack_again_changes_nothing(packs: Packs, stage: Stage) -> None:
    await packs.install(make.zoo("7", "a"))
    before = await stage.rows("SELECT xmin, installed_at FROM pack")
    done = await packs.install(make.zoo("7", "a"))
    assert (done.changed, done.old) == (False, done.new)
    assert await stage.rows("SELECT xmin, installed_at FROM pack") == before


async def test_what_is_damaged_is_refused_and_the_old_one_stays(packs: Packs) -> None:
    good = make.zoo("1", *(f"animal {n}" for n in range(2000)))
    await packs.install(good)
    newer = make.zoo("2", *(f"animal {n}" for n in range(2001)))
    for size in range(0, len(newer), 1024):
        with pytest.raises(PackError):
            await packs.install(newer[:size])
    with pytest.raises(PackError):
        await packs.install(write_pack(make.info("2", "unknown"), make.zoo_of("a")))
    assert await packs.body("zoo") == good
    assert [pack.info.version for pack in await packs.all() if pack.info.name == "zoo"] == ["1"]


async def test_the_last_versions_stay_to_go_back_to(packs: Packs) -> None:
    for number in range(1, 6):
        await packs.install(make.zoo(str(number), f"animal {number}"))
    kept = await packs.all()
    assert [pack.info.version for pack in kept] == ["5", "4", "3"]
    assert [pack.active for pack in kept] == [True, *[False] * KEPT]
    done = await packs.use("zoo", "3")
    assert (done.changed, done.new.info.version) == (True, "3")
    assert done.old is not None
    assert done.old.info.version == "5"
    assert await packs.body("zoo") == make.zoo("3", "animal 3")
    assert [pack.info.version for pack in await packs.all()] == ["3", "5", "4"]
    by_checksum = await packs.use("zoo", kept[1].sha256.hex()[:12])
    assert by_checksum.new.info.version == "4"
    assert await packs.body("zoo", kept[0].sha256) == make.zoo("5", "animal 5")


async def test_what_is_not_kept_cannot_be_used(packs: Packs) -> None:
    await packs.install(make.zoo("1", "a"))
    for name, version in (("zoo", "2"), ("zoo", ""), ("cve", "1")):
        with pytest.raises(NotFoundError, match="see 'ctiscraper data list --all'"):
            await packs.use(name, version)
    with pytest.raises(NotFoundError, match="get it with 'ctiscraper data update'"):
        await packs.body("cve")


async def test_a_default_gives_way_to_what_somebody_brought(packs: Packs) -> None:
    default, newer = make.zoo("default", "a"), make.zoo("newer default", "a", "b")
    assert (await packs.install(default, build="1.0+1")).changed
    assert not (await packs.install(newer, build="1.0+1")).changed
    assert not (await packs.install(newer, build="0.9+1")).changed
    assert (await packs.install(newer, build="1.1+1")).changed
    assert (await packs.install(make.zoo("brought", "c"))).changed
    assert not (await packs.install(default, build="9.0+1")).changed
    assert (await packs.active())["zoo"].info.version == "brought"
    forced = await packs.install(default, build="9.0+1", force=True)
    assert forced.changed
    assert forced.new.build == "9.0+1"
    await packs.install(newer)
    await packs.install(default)
    again = await packs.install(default, build="9.0+1", force=True)
    assert (again.changed, again.new.build) == (False, "9.0+1")


async def test_only_what_is_missing_or_older_is_to_be_built(stage: Stage) -> None:
    known = {"zoo": replace(make.ZOO, edition=2)}
    packs = Packs(stage.database, known)
    assert [one.name for one in await packs.missing_defaults()] == ["zoo"]
    await packs.install(make.zoo("1", "a"), build="0+1")
    assert [one.name for one in await packs.missing_defaults()] == ["zoo"]
    await packs.install(make.zoo("2", "a"), build="0+2")
    assert await packs.missing_defaults() == []
    older = Packs(stage.database, {"zoo": make.ZOO})
    assert await older.missing_defaults() == []


async def test_one_process_at_a_time_builds(packs: Packs) -> None:
    async with packs.build_turn() as ours:
        assert ours
        async with packs.build_turn() as theirs:
            assert not theirs
    async with packs.build_turn() as again:
        assert again


async def test_a_turn_leaves_the_pool_free_and_names_a_database_that_is_away(
    database: str,
) -> None:
    async with Database(database, size=1) as small:
        packs = Packs(small, {"zoo": make.ZOO})
        async with packs.build_turn() as ours:
            assert ours
            assert (await packs.install(make.zoo("1", "a"))).changed
        small.conninfo = make_conninfo(database, dbname="nowhere")
        with pytest.raises(StorageError, match="does not exist"):
            await packs.build_turn().__aenter__()


async def test_many_installs_at_once_leave_one_in_use(packs: Packs, stage: Stage) -> None:
    tried = [make.zoo(str(n % 4), f"animal {n % 4}") for n in range(12)]
    done = await asyncio.gather(*map(packs.install, tried))
    assert sum(one.changed for one in done) >= 4
    assert await stage.value("SELECT count(*) FROM pack WHERE active") == 1
    assert await stage.value("SELECT count(*) FROM pack") == 1 + KEPT


async def test_a_pack_takes_the_place_only_of_what_it_was_made_from(packs: Packs) -> None:
    first = (await packs.install(make.zoo("1", "a"))).new
    second = await packs.install(make.zoo("2", "b"), instead_of=first.sha256)
    assert second.changed
    with pytest.raises(ConflictError, match="came into use meanwhile"):
        await packs.install(make.zoo("3", "c"), instead_of=first.sha256)
    assert (await packs.active())["zoo"].info.version == "2"


async def test_facts_of_vulnerabilities_follow_the_pack_in_use(packs: Packs) -> None:
    await packs.install(cve_pack("CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0003"))
    found = await packs.cve(["cve-2026-0001", "CVE-2026-0002", "CVE-1999-0001"])
    assert found.keys() == {"CVE-2026-0001", "CVE-2026-0002"}
    first = found["CVE-2026-0001"]
    assert first.cvss == cve.Cvss(9.8, "CVSS:3.1/AV:N", "3.1")
    assert (first.epss, first.epss_percentile) == (0.5, 0.5)
    assert first.kev is not None
    assert (first.kev.added, first.kev.due) == (date(2026, 11, 2), date(2026, 11, 23))
    assert found["CVE-2026-0002"] == cve.CveFacts(id="CVE-2026-0002", epss=0.5, epss_percentile=0.5)
    await packs.install(cve_pack("CVE-2026-0002", "CVE-2026-0004", score=0.25))
    found = await packs.cve([f"CVE-2026-000{n}" for n in range(1, 5)])
    assert {one.id: one.epss for one in found.values()} == {
        "CVE-2026-0002": 0.25,
        "CVE-2026-0004": 0.25,
    }
    assert found["CVE-2026-0002"].kev is not None
    await packs.use("cve", (await packs.all())[1].info.version)
    assert len(await packs.cve([f"CVE-2026-000{n}" for n in range(1, 5)])) == 3


async def test_rows_that_say_the_same_are_not_written(packs: Packs, stage: Stage) -> None:
    await packs.install(cve_pack("CVE-2026-0001", "CVE-2026-0002"))
    before = await stage.rows("SELECT xmin FROM cve WHERE id = 'CVE-2026-0002'")
    await packs.install(cve_pack("CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0003"))
    assert await stage.rows("SELECT xmin FROM cve WHERE id = 'CVE-2026-0002'") == before
    assert await stage.value("SELECT count(*) FROM cve") == 3


async def test_an_installation_that_is_killed_in_the_middle_leaves_nothing_half(
    packs: Packs, database: str
) -> None:
    """The session ends while the rows are written, held up by a reader's lock on one of them."""
    old, new = cve_pack("CVE-2026-0001"), cve_pack("CVE-2026-0001", "CVE-2026-0002", score=0.1)
    await packs.install(old)
    with psycopg.connect(database) as holder:
        holder.execute("SELECT FROM cve FOR UPDATE")
        installing = asyncio.create_task(packs.install(new))
        await asyncio.to_thread(until_waiting, database, end=True)
        with pytest.raises(StorageError):
            await installing
    assert await packs.body("cve") == old
    found = await packs.cve(["CVE-2026-0001", "CVE-2026-0002"])
    assert [one.epss for one in found.values()] == [0.5]
    assert (await packs.install(new)).changed


async def test_readers_do_not_wait_for_an_installation(packs: Packs, database: str) -> None:
    await packs.install(cve_pack("CVE-2026-0001"))
    async with Database(database, size=1, statement_seconds=2) as other:
        with psycopg.connect(database) as holder:
            holder.execute("SELECT FROM cve FOR UPDATE")
            installing = asyncio.create_task(packs.install(cve_pack("CVE-2026-0001", score=0.1)))
            await asyncio.to_thread(until_waiting, database)
            found = await Packs(other).cve(["CVE-2026-0001"])
            assert found["CVE-2026-0001"].epss == 0.5
        assert (await installing).changed


async def test_300_000_vulnerabilities_are_installed_in_seconds(packs: Packs) -> None:
    def many(score: float) -> bytes:
        keys = np.array(
            sorted((y << 32) | n for y in range(2011, 2026) for n in range(1, 20_001)),
            dtype=np.uint64,
        )
        column = np.full(len(keys), score, dtype=np.float32)
        pack = cve.with_epss(cve.CvePack(), cve.Scores(keys, column, column), str(score))
        return write_pack(cve.cve_info(pack), pack)

    for score in (0.1, 0.2):
        began = time.monotonic()
        done = await packs.install(many(score))
        assert done.new.records == 300_000
        assert time.monotonic() - began < 60
    assert (await packs.cve(["CVE-2015-0777"]))["CVE-2015-0777"].epss == 0.2
