"""`config-to-s3`: settings in the bucket, version by version, and back."""

from pathlib import Path

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID

from cti_infra.storage import data_bucket
from cti_ops.cli import main
from cti_ops.errors import Exit, OpsError
from cti_ops.settings_files import get, put, versions
from installation import Installation

CATALOGUE = "sources:\n  - key: one\n    url: https://one.example/feed\n"
BUCKET = f"cti-scraper-data-prod-{DEFAULT_ACCOUNT_ID}"


@pytest.fixture
def bucket(installed: Installation) -> Installation:
    s3 = installed.place.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return installed


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    file = tmp_path / "sources.yaml"
    file.write_text(CATALOGUE, "utf-8")
    return file


def test_the_bucket_is_that_of_the_templates(installed: Installation) -> None:
    assert installed.place.bucket() == data_bucket("prod", DEFAULT_ACCOUNT_ID) == BUCKET


def test_what_changed_is_stored_as_a_version(bucket: Installation, catalogue: Path) -> None:
    place = bucket.place
    assert put(place, [catalogue]) == 1
    assert put(place, [catalogue]) == 0
    assert bucket.said[-1].startswith("sources.yaml: unchanged, version ")
    catalogue.write_text(CATALOGUE + "# more\n", "utf-8")
    assert put(place, [catalogue]) == 1
    listed = versions(place)
    assert [(one.name, one.latest) for one in listed] == [
        ("sources.yaml", True),
        ("sources.yaml", False),
    ]
    assert listed[0].sha256 != listed[1].sha256
    stored = place.client("s3").get_object(Bucket=BUCKET, Key="config/sources.yaml")
    assert stored["Body"].read().decode() == CATALOGUE + "# more\n"
    assert stored["ServerSideEncryption"] == "AES256"


def test_every_version_comes_back(bucket: Installation, catalogue: Path, tmp_path: Path) -> None:
    place, target = bucket.place, tmp_path / "back.yaml"
    put(place, [catalogue])
    catalogue.write_text("sources: []\n", "utf-8")
    put(place, [catalogue])
    first = versions(place)[1].version
    get(place, "sources.yaml", target, first, force=False)
    assert target.read_text("utf-8") == CATALOGUE
    with pytest.raises(OpsError, match="is there and differs") as caught:
        get(place, "sources.yaml", target, None, force=False)
    assert caught.value.code == Exit.CONFLICT
    get(place, "sources.yaml", target, None, force=True)
    assert target.read_text("utf-8") == "sources: []\n"
    get(place, "sources.yaml", target, None, force=False)
    assert bucket.said[-1].endswith("is the same already")


def test_it_goes_all_the_way_by_the_command(
    bucket: Installation, catalogue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["config-to-s3", "--env=prod", f"--endpoint-url={bucket.place.endpoint_url}"]
    assert main([*base, "put", str(catalogue)], bucket.clock) == 0
    assert main([*base, "list"], bucket.clock) == 0
    assert "sources.yaml" in capsys.readouterr().out
    into = tmp_path / "into"
    into.mkdir()
    assert main([*base, "get", "sources.yaml", f"--to={into}"], bucket.clock) == 0
    assert (into / "sources.yaml").read_text("utf-8") == CATALOGUE


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("s.yaml", "a: [", "cannot be read as yaml near line 1"),
        ("s.toml", "a = ", "cannot be read as toml"),
        ("s.json", "{", "cannot be read as json"),
        ("settings.env", "REDIS_PASSWORD=hunter2secret\n", "line 1 looks like a secret"),
        ("s.yaml", "a: 1\napi_key: hunter2secret\n", "line 2 looks like a secret"),
        ("s.env", "DATABASE_URL=postgresql://u:hunter2secret@h/d\n", "line 1 looks like"),
        ("s.env", "-----BEGIN RSA PRIVATE KEY-----\n", "line 1 looks like a secret"),
        ("s p.env", "A=1\n", "its name should have letters"),
    ],
)
def test_what_should_not_be_there_is_refused(
    bucket: Installation, tmp_path: Path, name: str, text: str, said: str
) -> None:
    file, good = tmp_path / name, tmp_path / "good.env"
    file.write_text(text, "utf-8")
    good.write_text("CTISCRAPER_LOG_LEVEL=info\nREDIS_PASSWORD_FILE=/run/p\n", "utf-8")
    with pytest.raises(OpsError, match=said) as caught:
        put(bucket.place, [good, file, tmp_path / "missing"])
    assert caught.value.code == Exit.BAD_FILE
    assert "missing: No such file" in str(caught.value)
    assert "hunter2secret" not in str(caught.value)
    assert versions(bucket.place) == []
    assert put(bucket.place, [good]) == 1


def test_a_bucket_without_versions_is_told(installed: Installation, catalogue: Path) -> None:
    installed.place.client("s3").create_bucket(Bucket=BUCKET)
    with pytest.raises(OpsError, match="keeps no versions"):
        put(installed.place, [catalogue])


def test_what_is_not_what_was_stored_is_refused(
    bucket: Installation, catalogue: Path, tmp_path: Path
) -> None:
    put(bucket.place, [catalogue])
    bucket.place.client("s3").put_object(
        Bucket=BUCKET, Key="config/sources.yaml", Body=b"other", Metadata={"sha256": "0" * 64}
    )
    with pytest.raises(OpsError, match="its hash is another"):
        get(bucket.place, "sources.yaml", tmp_path / "back", None, force=False)
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("version", [None, "11111111-1111-1111-1111-111111111111"])
def test_what_is_not_there_is_told(
    bucket: Installation, catalogue: Path, tmp_path: Path, version: str | None
) -> None:
    put(bucket.place, [catalogue])
    name = "sources.yaml" if version else "other.yaml"
    with pytest.raises(OpsError, match="'config-to-s3 list' shows") as caught:
        get(bucket.place, name, tmp_path / "back", version, force=False)
    assert caught.value.code == Exit.NOT_FOUND
