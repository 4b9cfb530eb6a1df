"""Where raw bytes are kept as the settings say: the folder costs nothing, a bucket may be away."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from ctiscraper.bootstrap import open_raw_store
from ctiscraper.config import Settings, load_settings
from ctiscraper.db.raw import FolderStore
from ctiscraper.db.raw_outbox import OutboxStore
from ctiscraper.errors import SettingsError
from s3_server import CREDENTIALS, REGION, s3_server

PROBE = """
import sys
from pathlib import Path
from ctiscraper.bootstrap import open_raw_store
from ctiscraper.config import load_settings
with open_raw_store(load_settings(data_dir=Path(sys.argv[1]))) as store:
    store.put(b"a page")
loaded = [name for name in ("boto3", "botocore", "urllib3") if sys.modules.get(name)]
print(type(store).__name__, loaded)
"""
EVERYTHING = "import ctiscraper.cli.app, ctiscraper.tasks.run, ctiscraper.web.app\n"
WITHOUT_SDK = "import sys\nsys.modules['boto3'] = None\n"


def python(program: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, folder],
        env={**os.environ, **CREDENTIALS, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_bucket_the_sdk_is_not_even_imported(tmp_path: Path) -> None:
    assert python(EVERYTHING + PROBE, tmp_path).stdout == "FolderStore []\n"


def test_with_a_bucket_it_is(tmp_path: Path) -> None:
    ended = python(
        PROBE,
        tmp_path,
        CTISCRAPER_RAW_STORE="s3://bucket/raw",
        CTISCRAPER_S3_ENDPOINT="http://127.0.0.1:1",
    )
    assert ended.stdout.endswith("OutboxStore ['boto3', 'botocore', 'urllib3']\n")


def test_a_bucket_without_the_sdk_is_a_clear_fault(tmp_path: Path) -> None:
    ended = python(WITHOUT_SDK + PROBE, tmp_path, CTISCRAPER_RAW_STORE="s3://bucket")
    assert ended.returncode == 1
    last = ended.stderr.strip().splitlines()[-1]
    assert "SettingsError" in last
    assert "boto3 is missing: install ctiscraper[aws]" in last
    assert python(WITHOUT_SDK + PROBE, tmp_path).stdout == "FolderStore []\n"


def test_the_folder_and_the_bucket_are_as_set(tmp_path: Path) -> None:
    with open_raw_store(Settings(data_dir=tmp_path)) as store:
        assert isinstance(store, FolderStore)
        digest = store.put(b"a page")
        assert list((tmp_path / "raw").rglob(f"*{digest.hex()[2:]}.zst"))
    with s3_server() as server:
        settings = Settings(
            data_dir=tmp_path,
            raw_store=f"s3://{server.bucket}/deep/raw/",
            s3_endpoint=f"{server.url}/",
            s3_region=REGION,
            s3_kms_key="alias/ours",
        )
        with open_raw_store(settings) as store:
            assert isinstance(store, OutboxStore)
            name = store.put(b"a page").hex()
        key = f"deep/raw/{name[:2]}/{name[2:]}.zst"
        assert server.versions() == [key]
        found = server.client.head_object(Bucket=server.bucket, Key=key)
        assert found["SSEKMSKeyId"] == "alias/ours"


def test_a_bucket_that_is_away_stops_nothing(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path, raw_store="s3://bucket", s3_endpoint="http://127.0.0.1:1"
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        with open_raw_store(settings) as store:
            assert store.get(store.put(b"a page")) == b"a page"
    assert len(list((tmp_path / "raw-outbox").iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RAW_STORE", "bucket/prefix"),
        ("RAW_STORE", "s3://"),
        ("RAW_STORE", "s3://Bucket"),
        ("RAW_STORE", "s3://ab"),
        ("RAW_STORE", "s3://bucket//raw"),
        ("RAW_STORE", "s3://bucket/../raw"),
        ("RAW_STORE", "s3://bucket/a b"),
        ("RAW_STORE", "s3://user@bucket/raw"),
        ("RAW_STORE", "https://bucket.s3.amazonaws.com"),
        ("S3_ENDPOINT", "minio:9000"),
        ("S3_ENDPOINT", "ftp://minio"),
        ("S3_ENDPOINT", "http://key:secret@minio:9000"),
        ("S3_ENDPOINT", "http://minio:9000/bucket"),
        ("S3_ENDPOINT", "http://minio:99999"),
        ("S3_REGION", "EU West"),
    ],
)
def test_a_faulty_value_is_named_at_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"CTISCRAPER_{name}", value)
    with pytest.raises(SettingsError, match=f"CTISCRAPER_{name}"):
        load_settings()


@pytest.mark.parametrize(
    ("value", "bucket"),
    [
        ("", None),
        ("s3://cti-scraper-data-prod", ("cti-scraper-data-prod", "")),
        ("s3://bucket/", ("bucket", "")),
        ("s3://my.bucket/raw", ("my.bucket", "raw")),
        ("s3://bucket/team_1/raw.v2/", ("bucket", "team_1/raw.v2")),
    ],
)
def test_bucket_and_prefix_are_read(value: str, bucket: tuple[str, str] | None) -> None:
    assert Settings(raw_store=value).bucket == bucket


def test_settings_know_no_credentials() -> None:
    with pytest.raises(ValidationError):
        Settings(raw_store="s3://key:secret@bucket")
    named = {name for name in Settings.model_fields if "secret" in name or "access" in name}
    assert {name for name in named if not name.endswith("_file")} == set()
