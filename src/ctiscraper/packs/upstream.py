"""Files as their publishers offer them: which pack each is for, and the pack made of it."""

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import BinaryIO, cast

import msgspec

from ctiscraper.errors import CatalogError, PackError
from ctiscraper.packs import cve, cve_readers, sigma
from ctiscraper.packs.bounded import GZIP, ZIP, gunzipped, opened_zip, read_member
from ctiscraper.packs.info import PackInfo
from ctiscraper.packs.pack import is_pack
from ctiscraper.packs.registry import KnownPack

MOST_FILE = 1 << 30
# The largest year of the NVD has some 250 MB; a bundle of ATT&CK 50 MB.
MOST_JSON = 512 << 20
MOST_MEMBER = 64 << 20
MOST_MEMBERS_BYTES = 512 << 20
_START = 1 << 16

Current = Callable[[], tuple[PackInfo, msgspec.Struct]]


class Format(StrEnum):
    """What a file can be."""

    PACK = "a data pack"
    KEV = "the KEV catalogue (JSON)"
    EPSS = "EPSS scores (CSV)"
    NVD = "an NVD feed (JSON 2.0)"
    CVE_RECORD = "a record of the CVE List (JSON 5)"
    CVE_LIST = "an archive of the CVE List"
    SIGMA = "a SigmaHQ release"
    ATTACK = "a STIX bundle of ATT&CK"
    GALAXY = "an archive of MISP galaxies"
    WARNING_LISTS = "an archive of MISP warning lists"


PACK_OF: Mapping[Format, str] = {
    Format.KEV: cve.NAME,
    Format.EPSS: cve.NAME,
    Format.NVD: cve.NAME,
    Format.CVE_RECORD: cve.NAME,
    Format.CVE_LIST: cve.NAME,
    Format.SIGMA: sigma.NAME,
    Format.ATTACK: "attack",
    Format.GALAXY: "names",
    Format.WARNING_LISTS: "warninglists",
}

# What each of these has in its first bytes and the others have not.
_MARKS: Sequence[tuple[bytes, Format]] = (
    (b'"catalogVersion"', Format.KEV),
    (b'"NVD_CVE"', Format.NVD),
    (b'"CVE_RECORD"', Format.CVE_RECORD),
    (b'"cveMetadata"', Format.CVE_RECORD),
    (b'"bundle"', Format.ATTACK),
)
_KNOWN = (
    "a data pack, the KEV catalogue, an EPSS file, a feed of the NVD, the CVE List, a SigmaHQ "
    "release, a STIX bundle of ATT&CK, an archive of MISP galaxies or of MISP warning lists"
)


@dataclass(frozen=True, slots=True)
class UpstreamFile:
    """A file whose format is known; plain bytes, or an archive that stays a file."""

    format: Format
    name: str
    data: bytes
    archive: BinaryIO | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A pack made of files, and what of these was left out."""

    info: PackInfo
    records: msgspec.Struct
    notes: tuple[str, ...] = ()


def recognise(file: BinaryIO, name: str = "the file") -> UpstreamFile:
    """Return what a file is, whatever it is called. Raises PackError."""
    start = file.read(_START)
    file.seek(0)
    if start.startswith(ZIP):
        with opened_zip(file) as archive:
            found = _format_of_archive(archive, name)
        file.seek(0)
        return UpstreamFile(found, name, b"", file)
    data = file.read(MOST_FILE + 1)
    if len(data) > MOST_FILE:
        raise PackError(f"{name} has more than {MOST_FILE >> 20} MB: it is not taken")
    if is_pack(data[:16]):
        return UpstreamFile(Format.PACK, name, data)
    if data.startswith(GZIP):
        data = gunzipped(data, MOST_JSON)
    return UpstreamFile(_format_of(data, name), name, data)


def recognise_bytes(data: bytes, name: str) -> UpstreamFile:
    """Return what bytes are. Raises PackError."""
    return recognise(io.BytesIO(data), name)


def _format_of(data: bytes, name: str) -> Format:
    start = data[:_START].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith((b"#model_version", b"cve,epss")):
        return Format.EPSS
    if start.startswith(b"{"):
        for mark, found in _MARKS:
            if mark in start:
                return found
    raise PackError(f"{name} is none of what can be read: {_KNOWN}")


def _format_of_archive(archive: zipfile.ZipFile, name: str) -> Format:
    for member in archive.namelist():
        last = member.rpartition("/")[2]
        if last == "cves.zip" or (last.startswith("CVE-") and last.endswith(".json")):
            return Format.CVE_LIST
        if last.endswith(".yml") and "rules" in member:
            return Format.SIGMA
        if "/clusters/" in f"/{member}" and last.endswith(".json"):
            return Format.GALAXY
        if "/lists/" in f"/{member}" and last == "list.json":
            return Format.WARNING_LISTS
    raise PackError(f"the archive {name} is none of what can be read: {_KNOWN}")


def make_pack(
    known: KnownPack,
    files: Iterable[UpstreamFile],
    current: Current,
    *,
    whole: bool = False,
) -> Made:
    """Return the pack that files make, beside what `current`, the one in use, has of others.

    Files are taken one by one, as one may be large; `whole` says that they are all that their
    publishers have. Raises PackError.
    """
    files = (_for(known, file) for file in files)
    if known.name == cve.NAME:
        return _cve(files, cast("cve.CvePack", current()[1]), whole=whole)
    if known.name == sigma.NAME:
        return _sigma(files)
    if not known.updates:
        package = known.package or "CTIScraper"
        raise PackError(
            f"the data pack {known.name} is not made of such files: install a newer {package}, "
            "or take a pack file that 'ctiscraper data export' wrote elsewhere"
        )
    try:
        return _READERS[known.name](known, files, current)
    except CatalogError as error:
        raise PackError(f"{error}; what is in use stays") from error


def _for(known: KnownPack, file: UpstreamFile) -> UpstreamFile:
    """Return a file that is for this pack. Raises PackError."""
    name = PACK_OF.get(file.format)
    if name != known.name:
        raise PackError(
            f"{file.name} is {file.format}, which is for the data pack {name}, not {known.name}"
            if name
            else f"{file.name} is {file.format}, and no file that one is made of"
        )
    return file


def _cve(files: Iterable[UpstreamFile], pack: cve.CvePack, *, whole: bool) -> Made:
    notes: list[str] = []
    for file in files:
        if file.format is Format.KEV:
            kev = cve_readers.read_kev(file.data)
            pack, said = cve.with_kev(pack, kev.entries, kev.version), kev.notes
        elif file.format is Format.EPSS:
            epss = cve_readers.read_epss(file.data)
            pack, said = cve.with_epss(pack, epss.scores, epss.version), epss.notes
        else:
            scores = _cvss(file)
            pack, said = cve.with_cvss(pack, scores.scores, scores.version), scores.notes
        notes += said
    if whole:
        pack = cve.complete(pack)
    return Made(cve.cve_info(pack), pack, tuple(notes))


def _cvss(file: UpstreamFile) -> cve_readers.CvssFile:
    if file.format is Format.NVD:
        return cve_readers.read_nvd(file.data)
    if file.format is Format.CVE_RECORD:
        return cve_readers.read_cve_records([(file.name, file.data)])
    assert file.archive is not None, "an archive stays a file"
    with opened_zip(file.archive) as archive:
        return cve_readers.read_cve_records(cve_readers.record_files(archive))


def _sigma(files: Iterable[UpstreamFile]) -> Made:
    """Return the rules of the last release."""
    made: Made | None = None
    for file in files:
        assert file.archive is not None, "an archive stays a file"
        with opened_zip(file.archive) as archive:
            made = Made(*sigma.read_rules(archive))
    assert made is not None, "there is a file"
    return made


def _attack(known: KnownPack, files: Iterable[UpstreamFile], current: Current) -> Made:
    """Return what bundles make, one for each domain that there was."""
    info, records = known.load().from_stix(file.data for file in files)
    _, before = current()
    missing = sorted(set(before.versions) - set(records.versions))  # type: ignore[attr-defined]  # loaded by its name
    if missing:
        raise PackError(
            f"there is no bundle of {' or '.join(missing)} among the files: name those of all "
            "domains together; what is in use stays"
        )
    return Made(info, records)


def _warning_lists(known: KnownPack, files: Iterable[UpstreamFile], current: Current) -> Made:
    """Return the lists of an archive, each with the name of its folder."""
    lists = {
        name.split("/")[-2]: data
        for file in files
        for name, data in _contents(file)
        if "/lists/" in f"/{name}" and name.endswith("/list.json")
    }
    records = known.load().build(sorted(lists.items()))
    newest = max((one.version for one in records.lists), default=0)
    # The terms are those of the lists that came along.
    info, _ = current()
    return Made(msgspec.structs.replace(info, version=f"lists of {newest}"), records)


_READERS: Mapping[str, Callable[[KnownPack, Iterable[UpstreamFile], Current], Made]] = {
    "attack": _attack,
    "warninglists": _warning_lists,
}


def _contents(file: UpstreamFile) -> Iterator[tuple[str, bytes]]:
    """Yield the JSON files of an archive."""
    assert file.archive is not None, "an archive stays a file"
    left = MOST_MEMBERS_BYTES
    with opened_zip(file.archive) as archive:
        for member in archive.infolist():
            if member.filename.endswith(".json"):
                data = read_member(archive, member, MOST_MEMBER)
                left -= len(data)
                if left < 0:
                    raise PackError(
                        f"{file.name} unpacks to more than {MOST_MEMBERS_BYTES >> 20} MB: "
                        "it is not taken"
                    )
                yield member.filename, data


_KEV_URL = "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"
_EPSS_URL = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz"
_NVD_URL = "https://nvd.nist.gov/feeds/json/cve/2.0/nvdcve-2.0-{}.json.gz"
_ATTACK_URL = "https://raw.githubusercontent.com/mitre-attack/attack-stix-data/master/{0}/{0}.json"
_FIRST_YEAR = 2002
# The feed of what changed goes back eight days.
_RECENT = timedelta(days=7)

_URLS: Mapping[str, tuple[str, ...]] = {
    sigma.NAME: ("https://github.com/SigmaHQ/sigma/releases/latest/download/sigma_all_rules.zip",),
    "attack": tuple(
        _ATTACK_URL.format(domain)
        for domain in ("enterprise-attack", "mobile-attack", "ics-attack")
    ),
    "warninglists": ("https://github.com/MISP/misp-warninglists/archive/refs/heads/main.zip",),
}


def urls_of(name: str, parts: Mapping[str, str], now: datetime) -> tuple[str, ...]:
    """Return where the files of a pack are, given the versions of the parts that it has.

    The NVD has a file for each year; once these were read, what changed since is enough for as
    long as its feed of changes goes back.
    """
    if name != cve.NAME:
        return _URLS.get(name, ())
    years: Sequence[int] = range(_FIRST_YEAR, now.year + 1)
    if _is_recent(parts.get(cve.COMPLETE, ""), now):
        years = ()
    feeds = tuple(_NVD_URL.format(year) for year in (*years, "modified"))
    return (_KEV_URL, _EPSS_URL, *feeds)


def _is_recent(version: str, now: datetime) -> bool:
    source, _, moment = version.partition(" ")
    try:
        read = datetime.fromisoformat(moment).replace(tzinfo=now.tzinfo)
    except ValueError:
        return False
    return source == "NVD" and now - read < _RECENT
