"""`config-to-s3`: the catalogue and settings files in the bucket of data, version by version."""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml
from botocore.exceptions import ClientError

from cti_ops.errors import Exit, OpsError, is_missing
from cti_ops.place import Answer, Place

PREFIX = "config/"
HASH = "sha256"
MOST_BYTES = 10_000_000
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NAMED_SECRET = re.compile(
    r"\s*(?:-\s*|export\s+)?[\"']?(?P<name>\w*(?:password|secret|token|api_?key|private_key)\w*)"
    r"[\"']?\s*[=:]\s*[\"']?[^\s\"'#]",
    re.IGNORECASE,
)
# Names of files, and whatever has no secret after all.
_HARMLESS = re.compile(r"(_file|_seconds|_days|_bytes)$", re.IGNORECASE)
_SECRET_ITSELF = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|://[^/\s:@]+:[^/\s:@]+@|AKIA[0-9A-Z]{16}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a file in the bucket."""

    name: str
    version: str
    at: datetime
    size: int
    sha256: str
    latest: bool


def put(place: Place, files: Sequence[Path]) -> int:
    """Return how many files had changed and were stored, each read back. Raises OpsError."""
    bodies = _read(files)
    bucket, stored = place.bucket(), 0
    for name, body in bodies.items():
        digest = hashlib.sha256(body).hexdigest()
        before = _head(place, bucket, name)
        if before is not None and before["Metadata"].get(HASH) == digest:
            place.say(f"{name}: unchanged, version {before.get('VersionId')}")
            continue
        made = place.client("s3").put_object(
            Bucket=bucket,
            Key=PREFIX + name,
            Body=body,
            Metadata={HASH: digest},
            ServerSideEncryption="AES256",
        )
        version = made.get("VersionId")
        if version is None:
            raise OpsError(
                f"{bucket} keeps no versions, so what was there before is gone: deploy "
                f"{place.named('data')}, which turns them on",
                Exit.CONFLICT,
            )
        _get(place, bucket, name, version)
        place.say(f"{name}: stored and read back, version {version}")
        stored += 1
    return stored


def versions(place: Place) -> list[Version]:
    """Return all versions of all files, the latest of each first."""
    return sorted(_versions(place), key=lambda one: (one.name, -one.at.timestamp(), not one.latest))


def _versions(place: Place) -> Iterator[Version]:
    bucket, s3 = place.bucket(), place.client("s3")
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=PREFIX)
    for page in pages:
        for one in page.get("Versions", []):
            name = one["Key"].removeprefix(PREFIX)
            head = _head(place, bucket, name, one["VersionId"])
            if head is not None:
                yield Version(
                    name=name,
                    version=one["VersionId"],
                    at=one["LastModified"],
                    size=one["Size"],
                    sha256=head["Metadata"].get(HASH, ""),
                    latest=one["IsLatest"],
                )


def get(place: Place, name: str, target: Path, version: str | None, *, force: bool) -> None:
    """Write a version of a file, the latest if none is named. Raises OpsError."""
    body = _get(place, place.bucket(), name, version)
    if target.is_dir():
        target /= name
    if target.exists() and not force:
        if target.read_bytes() == body:
            place.say(f"{target}: is the same already")
            return
        raise OpsError(
            f"{target} is there and differs: name another with --to, or overwrite it with --force",
            Exit.CONFLICT,
        )
    try:
        target.write_bytes(body)
    except OSError as error:
        raise OpsError(f"{target} cannot be written: {error}", Exit.BAD_FILE) from error
    place.say(f"{target}: written, {len(body)} bytes")


def _get(place: Place, bucket: str, name: str, version: str | None) -> bytes:
    asked = {"VersionId": version} if version else {}
    try:
        found = place.client("s3").get_object(Bucket=bucket, Key=PREFIX + name, **asked)
    except ClientError as error:
        if is_missing(error) or error.response["Error"]["Code"] in {
            "NoSuchVersion",
            "InvalidArgument",
        }:
            raise OpsError(
                f"{bucket} has no {name}{f' of version {version}' if version else ''}: "
                "'config-to-s3 list' shows what it has",
                Exit.NOT_FOUND,
            ) from error
        raise
    body: bytes = found["Body"].read()
    if hashlib.sha256(body).hexdigest() != found["Metadata"].get(HASH):
        raise OpsError(
            f"{name} is not what was stored: its hash is another; take an earlier version",
            Exit.BAD_FILE,
        )
    return body


def _head(place: Place, bucket: str, name: str, version: str | None = None) -> Answer | None:
    asked = {"VersionId": version} if version else {}
    try:
        found: Answer = place.client("s3").head_object(Bucket=bucket, Key=PREFIX + name, **asked)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return found


def _read(files: Sequence[Path]) -> dict[str, bytes]:
    """Return what is in files, by their names. Raises OpsError with every fault."""
    bodies: dict[str, bytes] = {}
    faults: list[str] = []
    for file in files:
        if file.name in bodies:
            faults.append(f"{file}: another file is called {file.name}; rename one")
            continue
        try:
            bodies[file.name] = file.read_bytes()
        except OSError as error:
            faults.append(f"{file}: {error.strerror or error}")
            continue
        faults += (f"{file}: {fault}" for fault in _faults(file.name, bodies[file.name]))
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise OpsError(f"nothing was stored:\n{lines}", Exit.BAD_FILE)
    return bodies


def _faults(name: str, body: bytes) -> Iterator[str]:
    if not NAME.fullmatch(name):
        yield "its name should have letters, digits, dots, dashes and underscores alone"
    if len(body) > MOST_BYTES:
        yield f"{len(body)} bytes; settings have {MOST_BYTES} at most"
        return
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        yield "it is no text in UTF-8"
        return
    yield from _form_faults(name, text)
    for number, line in enumerate(text.splitlines(), 1):
        named = _NAMED_SECRET.match(line)
        if _SECRET_ITSELF.search(line) or (named and not _HARMLESS.search(named["name"])):
            yield f"line {number} looks like a secret; those belong into Secrets Manager"


def _form_faults(name: str, text: str) -> Iterator[str]:
    try:
        if name.endswith((".yaml", ".yml")):
            yaml.safe_load(text)
        elif name.endswith(".toml"):
            tomllib.loads(text)
        elif name.endswith(".json"):
            json.loads(text)
    except (yaml.YAMLError, ValueError) as error:
        # What a parser quotes could be anything.
        mark = getattr(error, "problem_mark", None)
        where = f" near line {mark.line + 1}" if mark else ""
        yield f"it cannot be read as {name.rsplit('.', maxsplit=1)[-1]}{where}"
