"""The lines that write the files of a task, run as they are."""

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cti_infra.config import REGIONS
from cti_infra.containers import Secret, authority, script
from model import load, variables

PASSWORD = "one $HOME \"two\" 'three' \\n four%s"


def run(root: Path, *secrets: Secret) -> Path:
    for name in ("secrets", "data", "tmp"):
        (root / name).mkdir()
    environment = {secret.variable: PASSWORD for secret in secrets}
    environment["DATABASE_AUTHORITY"] = "the authority\n"
    me = f"{os.getuid()}:{os.getgid()}"
    subprocess.run(
        ["/bin/sh", "-c", script(secrets, owner=me, root=str(root))],
        env={**environment, "PATH": os.environ["PATH"]},
        check=True,
        capture_output=True,
    )
    return root / "secrets"


def secret(file: str, *, line: bool = True) -> Secret:
    return Secret(variable="VALUE", arn="arn", file=file, line=line)


def test_a_password_becomes_one_line_that_its_owner_alone_reads(tmp_path: Path) -> None:
    file = run(tmp_path, secret("database-password")) / "database-password"
    assert file.read_text("utf-8") == f"{PASSWORD}\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_key_becomes_its_bytes(tmp_path: Path) -> None:
    file = run(tmp_path, secret("secret.key", line=False)) / "secret.key"
    assert file.read_text("utf-8") == PASSWORD


def test_the_authority_and_open_folders_are_there(tmp_path: Path) -> None:
    folder = run(tmp_path, secret("database-password"))
    assert (folder / "rds-ca.pem").read_text("utf-8") == "the authority\n"
    assert (tmp_path / "tmp").stat().st_mode & 0o1777 == 0o1777


def test_a_missing_secret_ends_the_task(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    done = subprocess.run(
        ["/bin/sh", "-c", script([secret("x")], root=str(tmp_path))],
        env={"PATH": os.environ["PATH"]},
        check=False,
        capture_output=True,
    )
    assert done.returncode != 0


@pytest.mark.parametrize("task", ["app.WebTask", "app.WorkerTask", "release.Migrate"])
def test_what_programs_read_is_what_is_written(task: str) -> None:
    prod = load("prod")
    written = prod.container(task, "prepare")["Command"][0]
    for container in prod[task]["ContainerDefinitions"]:
        for name, value in variables(container).items():
            if name.endswith("_FILE"):
                assert f">{value}\n" in written, name
        for word in container.get("Command", []):
            if "-file=" in word:
                assert f">{word.partition('=')[2]}\n" in written


@pytest.mark.parametrize("region", REGIONS)
def test_authorities_are_good_for_years(region: str) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not on this machine")
    found = authority(region).split("-----END CERTIFICATE-----\n")[:-1]
    assert len(found) == 3
    for one in found:
        done = subprocess.run(
            [openssl, "x509", "-noout", "-enddate", "-subject"],
            input=f"{one}-----END CERTIFICATE-----\n",
            check=True,
            capture_output=True,
            text=True,
        )
        ended = done.stdout.splitlines()[0].removeprefix("notAfter=")
        until = datetime.strptime(ended, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
        assert until > datetime.now(UTC) + timedelta(days=3 * 365)
        assert f"Amazon RDS {region} Root CA" in done.stdout
