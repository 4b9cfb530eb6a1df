"""What an archive holds, written beside it: enough to tell a whole one from any other."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ctiscraper.db.contents import TableContent
from ctiscraper.db.server import is_newer, schema_wanted
from ctiscraper.errors import ArchiveError, SettingsError

FORMAT = 1
MANIFEST = "manifest.json"
DUMP = "database.dump"
RAW = "raw"
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The contents of an archive, all of one moment of the database.

    `dumped_by` is the major version of the program that dumped; `raw_missing` are bodies that the
    database refers to and the raw store did not have.
    """

    format: int
    program: str
    made_at: str
    postgresql: int
    dumped_by: int
    schema: str
    dump_bytes: int
    dump_sha256: str
    tables: dict[str, TableContent]
    raw: tuple[str, ...]
    raw_missing: tuple[str, ...]

    @property
    def rows(self) -> int:
        """How many rows all tables have together."""
        return sum(content.rows for content in self.tables.values())


def read_manifest(folder: Path) -> Manifest:
    """Return what an archive says of itself.

    Raises ArchiveError for what is none, SettingsError for one of a later version of the program.
    """
    file = folder / MANIFEST
    try:
        text = file.read_bytes()
    except OSError as error:
        raise ArchiveError(
            f"{folder} is no archive: {MANIFEST} cannot be read ({error.strerror}); "
            "one that was not finished has a name that ends in .part"
        ) from error
    try:
        found = msgspec.json.decode(text, type=_Format).format
        if found == FORMAT:
            manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.DecodeError as error:
        raise ArchiveError(f"{file} is damaged: {error}; take another archive") from error
    if found != FORMAT:
        raise SettingsError(
            f"{file} is of format {found}, this program reads {FORMAT}: use the version of the "
            "program that made it"
        )
    if is_newer(manifest.schema):
        raise SettingsError(
            f"{folder} has the schema {manifest.schema}, newer than the {schema_wanted()} of this "
            "program: update the program"
        )
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write what an archive holds, safe from a crash."""
    with (folder / MANIFEST).open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def hash_file(path: Path) -> tuple[int, str]:
    """Return the size of a file and the SHA-256 of its content."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()


class _Format(msgspec.Struct):
    format: int
