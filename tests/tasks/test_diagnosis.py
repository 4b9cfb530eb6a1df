"""What a doctor finds."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from ctiscraper.bootstrap import open_raw_store
from ctiscraper.config import Settings, load_settings
from ctiscraper.db.move.source import close
from ctiscraper.db.raw import name_of
from ctiscraper.db.server import ServerFacts, read_server, schema_wanted
from ctiscraper.db.session import Database
from ctiscraper.db.vector_index import IndexState
from ctiscraper.tasks.diagnosis import (
    differences,
    examine_database,
    examine_machine,
    examine_meaning,
    examine_model,
    examine_network,
    examine_raw_store,
    examine_redis,
)
from ctiscraper.tasks.findings import Finding, Verdict, said_of_index
from ctiscraper.tasks.valkey import EmbeddedValkey
from internet.world import FakeInternet
from s3_server import REGION, Request, S3Server, harmful_proxy, s3_server
from small_model import SMALL_MODEL


class Usage(NamedTuple):
    """What `shutil.disk_usage` gives."""

    total: int
    used: int
    free: int


NOW = datetime(2026, 11, 20, tzinfo=UTC)


def verdicts(settings: Settings, lock: Path) -> dict[str, Verdict]:
    return {finding.part: finding.verdict for finding in examine_machine(settings, lock)}


def test_a_machine_that_is_well(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, contact="mail@example.org")
    found = verdicts(settings, tmp_path / "none.lock")
    assert set(found.values()) == {Verdict.OK}
    assert verdicts(Settings(data_dir=tmp_path / "new"), tmp_path)["data folder"] is Verdict.OK


def test_what_is_amiss_has_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    lock = tmp_path / "requirements.lock"
    lock.write_text("typer==0.0.1 \\\n    --hash=sha256:0\n", "utf-8")
    settings = Settings(
        data_dir=tmp_path / "file" / "data",
        egress_allow_cidrs=("169.254.0.0/16",),  # type: ignore[arg-type]  # checked by pydantic
    )
    findings = {finding.part: finding for finding in examine_machine(settings, lock)}
    bad = {part for part, finding in findings.items() if finding.verdict is not Verdict.OK}
    assert bad == {"packages", "data folder", "contact", "way out"}
    assert all(findings[part].advice for part in bad)


@pytest.mark.parametrize(
    ("free", "verdict"), [(1 << 29, Verdict.FAIL), (2 << 30, Verdict.WARN), (9 << 30, Verdict.OK)]
)
def test_a_full_disk_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, verdict: Verdict
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(free, 0, free))
    assert verdicts(Settings(data_dir=tmp_path), tmp_path)["disk"] is verdict


def test_the_lock_is_compared_with_what_is_installed() -> None:
    lock = (
        f"typer=={version('typer')} \\\n    --hash=sha256:0\n"
        "rich==0.1 \\\n    --hash=sha256:0\n"
        "no-such-package==1 \\\n    --hash=sha256:0\n"
        "not-for-here==1 ; sys_platform == 'win32' \\\n    --hash=sha256:0\n"
    )
    assert list(differences(lock)) == [
        f"rich {version('rich')} instead of 0.1",
        "no-such-package is missing",
    ]


def test_a_package_that_the_lock_has_for_each_python_is_as_any_of_its_lines_says() -> None:
    def lock(*versions: str) -> str:
        later = "python_full_version >= '3.12'"
        markers = zip(versions, ("python_full_version < '3.12'", later), strict=True)
        return "".join(f"typer=={one} ; {mark} \\\n    --hash=sha256:0\n" for one, mark in markers)

    here = version("typer")
    assert list(differences(lock(here, "0.2"))) == []
    assert list(differences(lock("0.2", here))) == []
    assert list(differences(lock("0.1", "0.2"))) == [f"typer {here} instead of 0.1 or 0.2"]


def test_this_checkout_is_as_its_lock_says() -> None:
    lock = Path(__file__).parents[2] / "requirements.lock"
    assert not [said for said in differences(lock.read_text("utf-8")) if said.startswith("numpy")]


@pytest.mark.parametrize(
    ("seconds", "revision", "bad"),
    [
        (0, schema_wanted(), set()),
        (10, schema_wanted(), {"database clock", "database connections"}),
        (0, "29991231_2359", {"schema"}),
        (-600, None, {"database clock", "schema"}),
    ],
)
async def test_a_server_is_judged(
    tmp_path: Path, seconds: int, revision: str | None, bad: set[str]
) -> None:
    facts = ServerFacts(
        version="18.6",
        major=18,
        writable=True,
        now=datetime.now(UTC) + timedelta(seconds=seconds),
        extensions=("plpgsql",),
        revision=revision,
        standby=False,
        connections=80 if seconds == 10 else 5,
        most_connections=100,
    )
    findings = await examine_database(Settings(data_dir=tmp_path, workers=4), facts, None)
    assert {f.part for f in findings if f.verdict is not Verdict.OK} == bad


async def test_a_database_that_was_moved_is_told_with_its_place(
    tmp_path: Path, database: str
) -> None:
    words = "this database was moved to new.example:5432/cti: name that one in DATABASE_URL"
    async with await psycopg.AsyncConnection.connect(database) as connection:
        await close(connection, ["article"], words)
    facts = await read_server(database)
    assert facts.moved == words
    findings = await examine_database(Settings(data_dir=tmp_path), facts, None)
    (told,) = [found for found in findings if found.part == "database"]
    assert told.verdict is Verdict.FAIL
    assert told.words == "this database was moved to new.example:5432/cti"
    assert told.advice == "name that one in DATABASE_URL"


async def test_the_network_is_tried_without_counting(tmp_path: Path) -> None:
    async with FakeInternet(hosts=2) as net:
        settings = Settings(
            data_dir=tmp_path, egress_allow_cidrs=net.networks, egress_allow_ports=net.ports
        )
        origins = [site.origin for site in net.sites]
        net.sites[0].faults["robots"] = "reset"
        finding = await examine_network(settings, origins)
        assert finding.verdict is Verdict.OK
        assert net.sites[1].origin in finding.words
        assert [request.path for request in net.requests] == ["/robots.txt"] * 2
        alone = await examine_network(settings, origins[:1])
        assert (alone.verdict, bool(alone.advice)) == (Verdict.WARN, True)
        assert (await examine_network(settings, [])).verdict is Verdict.WARN


@pytest.mark.parametrize("variable", ["CTISCRAPER_CA_BUNDLE", "CTISCRAPER_PROXY"])
async def test_a_way_out_that_is_set_wrong_is_a_finding_and_no_end_of_the_doctor(
    tmp_path: Path, variable: str
) -> None:
    name = variable.removeprefix("CTISCRAPER_").lower()
    settings = load_settings(data_dir=tmp_path, **{name: "nowhere"})
    [way_out] = [one for one in examine_machine(settings, tmp_path) if one.part == "way out"]
    for found in (way_out, await examine_network(settings, ["http://site.example"])):
        assert found.verdict is Verdict.FAIL
        assert found.words.startswith(f"{variable}: ")


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def in_bucket(server: S3Server, folder: Path, **changes: str) -> Settings:
    values = {
        "raw_store": f"s3://{server.bucket}/raw",
        "s3_endpoint": server.url,
        "s3_region": REGION,
    }
    return Settings(data_dir=folder, **{**values, **changes})  # type: ignore[arg-type]  # a builder


def test_a_raw_store_that_is_well_is_said_where(s3: S3Server, tmp_path: Path) -> None:
    folder = examine_raw_store(Settings(data_dir=tmp_path))
    assert (folder.verdict, folder.words) == (Verdict.OK, f"the folder {tmp_path / 'raw'}")
    s3.make_bucket()
    bucket = examine_raw_store(in_bucket(s3, tmp_path))
    assert (bucket.verdict, bucket.advice) == (Verdict.OK, "")
    assert f"s3://{s3.bucket}/raw/ takes and gives bytes" in bucket.words


def test_a_bucket_that_is_away_is_said_with_what_waits(s3: S3Server, tmp_path: Path) -> None:
    settings = in_bucket(s3, tmp_path, s3_endpoint="http://127.0.0.1:1")
    with open_raw_store(settings) as store:
        store.put(b"a page")
    away = examine_raw_store(settings)
    assert (away.verdict, bool(away.advice)) == (Verdict.WARN, True)
    assert "waiting in the outbox: 1 (" in away.words
    back = examine_raw_store(in_bucket(s3, tmp_path))
    assert (back.verdict, bool(back.advice)) == (Verdict.WARN, True)
    assert "takes and gives bytes; waiting in the outbox: 1 (" in back.words
    [waiting] = settings.outbox_dir.iterdir()
    waiting.rename(waiting.with_suffix(".refused"))
    refused = examine_raw_store(in_bucket(s3, tmp_path))
    assert "1 of them as it refuses them" in refused.words


def test_a_bucket_that_somebody_has_to_mend_fails_with_the_way_out(
    s3: S3Server, tmp_path: Path
) -> None:
    lost = examine_raw_store(in_bucket(s3, tmp_path, raw_store="s3://no-such-bucket"))
    assert lost.verdict is Verdict.FAIL
    assert "NoSuchBucket" in lost.words
    assert "CTISCRAPER_RAW_STORE" in lost.words


def test_a_bucket_where_others_write_is_found_out(s3: S3Server, tmp_path: Path) -> None:
    s3.make_bucket()
    key = f"raw/{name_of(sha256(b'').digest())}"
    with harmful_proxy(s3.port) as proxy:

        def overwrite(request: Request) -> None:
            if request.method == "GET":
                s3.client.put_object(Bucket=s3.bucket, Key=key, Body=b"theirs")

        proxy.harm = overwrite
        found = examine_raw_store(in_bucket(s3, tmp_path, s3_endpoint=proxy.url))
    assert (found.verdict, "who else writes" in found.advice) == (Verdict.FAIL, True)


def test_a_raw_store_that_cannot_be_made_fails(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    found = examine_raw_store(in_bucket(s3, tmp_path))
    assert (found.verdict, bool(found.advice)) == (Verdict.FAIL, True)
    assert "AWS_…" in found.words


async def test_counts_are_held_against_the_rows(tmp_path: Path, database: str) -> None:
    settings = Settings(data_dir=tmp_path)
    facts = await read_server(database)
    async with Database(database, size=2) as opened:

        async def counts() -> Finding:
            every = await examine_database(settings, facts, opened)
            [counts] = [one for one in every if one.part == "counts"]
            return counts

        assert (await counts()).verdict is Verdict.OK
        async with opened.connection() as conn:
            await conn.execute(
                "INSERT INTO tier_week (week, tier, lane, articles, copies)"
                " VALUES ('2026-11-16', 'basic', 0, 3, 0)"
            )
            said = "tier_week has {0,0,0,0,0,0,0,3,0} for 2026-11-16 basic, the rows say nothing"
            wrong = await counts()
            assert (wrong.verdict, wrong.words) == (Verdict.FAIL, said)
            await conn.execute("UPDATE rollup_fill SET last = 1")
        behind = await counts()
        assert (behind.verdict, "'ctiscraper beat'" in behind.advice) == (Verdict.WARN, True)


def test_who_copies_vectors_for_pgvector_is_named() -> None:
    assert "'ctiscraper beat'" in said_of_index(IndexState.BEHIND)[1]


async def test_a_language_model_is_looked_at_where_one_is_set(small_model: str) -> None:
    found = await examine_model(Settings())
    assert (found.verdict, found.words) == (Verdict.OK, "none is set, and nothing needs one")
    found = await examine_model(Settings(model_url=small_model, model=SMALL_MODEL))
    assert found.verdict is Verdict.OK
    assert "Ollama 0.12.6, 1 models" in found.words
    found = await examine_model(Settings(model_url=small_model, model="nobody:1b"))
    assert (found.verdict, found.advice) == (
        Verdict.WARN,
        "run 'ctiscraper model pull nobody:1b'",
    )
    found = await examine_model(Settings(model_url=small_model))
    assert (found.verdict, found.advice) == (Verdict.WARN, "set CTISCRAPER_MODEL")
    found = await examine_model(Settings(model_url="http://127.0.0.1:1"))
    assert (found.verdict, found.advice) == (Verdict.WARN, "all else works without it")
    found = await examine_model(Settings(model_url="http://169.254.169.254"))
    assert found.verdict is Verdict.FAIL


async def test_a_search_by_meaning_that_finds_nothing_is_told(
    database: str, tmp_path: Path
) -> None:
    async with Database(database, size=2) as opened:
        off = await examine_meaning(Settings(data_dir=tmp_path, embedding="none"), opened)
        assert (off.verdict, "CTISCRAPER_EMBEDDING" in off.words) == (Verdict.OK, True)
        waiting = await examine_meaning(Settings(data_dir=tmp_path), opened)
        assert waiting.verdict is Verdict.WARN
        assert "no article has vectors yet" in waiting.words
        assert "ctiscraper embed" in waiting.advice
        lost = await examine_meaning(Settings(data_dir=tmp_path, embedding="other"), opened)
        assert (lost.verdict, "CTISCRAPER_MODEL_URL" in lost.words) == (Verdict.FAIL, True)


async def test_redis_is_looked_at_where_one_is_set(valkey: EmbeddedValkey) -> None:
    none = await examine_redis(load_settings())
    assert (none.part, none.verdict) == ("redis", Verdict.OK)
    assert "none is set" in none.words
    well = await examine_redis(load_settings(redis_url=valkey.url))
    assert (well.verdict, well.words) == (Verdict.OK, "it answers, 0 rings unheard")
    wrong = f"redis://:wr0ng-s3cret@127.0.0.1:{valkey.port}/0"
    for url, words in (
        (wrong, "refuses user or password; correct them in REDIS_URL"),
        ("redis://127.0.0.1:1/0", "cannot be reached"),
    ):
        found = await examine_redis(load_settings(redis_url=url))
        assert found.verdict is Verdict.WARN
        assert words in found.words
        assert "wr0ng-s3cret" not in found.words
        assert "workers look for work by themselves" in found.advice
