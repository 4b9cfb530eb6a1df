"""The public files about vulnerabilities: KEV, EPSS, NVD and the CVE List."""

import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import IO, TypeVar

import msgspec
import numpy as np

from ctiscraper.errors import PackError
from ctiscraper.packs.bounded import read_member
from ctiscraper.packs.cve import Cvss, Kev, Scores, id_of, key_of

# More than this share of what cannot be read, and the file is not what it should be.
MOST_ODD = 0.01
SHOWN = 3
MOST_RECORD = 16 << 20
MOST_RECORDS = 2_000_000
MOST_NESTED = 2
MOST_ARCHIVE = 2 << 30

T = TypeVar("T")

_EPSS_HEAD = re.compile(r"#\s*model_version:([\w.-]{1,40}),\s*score_date:([\d-]{10})")
_COLUMNS = "cve,epss,percentile"


@dataclass(slots=True)
class Odd:
    """What of a file could not be read; `check` refuses a file that has too much of it."""

    of: str
    count: int = 0
    samples: list[str] = field(default_factory=list)

    def note(self, where: str, words: str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.samples) < SHOWN:
            self.samples.append(f"{where}: {words[:120]}")

    def check(self, good: int) -> tuple[str, ...]:
        """Return what is to be said of it. Raises PackError."""
        if good == 0 or self.count > MOST_ODD * good:
            said = "; ".join(self.samples) or "it has none"
            raise PackError(
                f"{self.of}: {self.count} of {good + self.count} entries cannot be read ({said}); "
                "get the file anew; what is in use stays"
            )
        if not self.count:
            return ()
        return (f"{self.of}: {self.count} entries left out ({'; '.join(self.samples)})",)


@dataclass(frozen=True, slots=True)
class KevFile:
    """The catalogue of exploited vulnerabilities, and what of the file was left out."""

    version: str
    entries: tuple[Kev, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EpssFile:
    """The scores of one day, and what of the file was left out."""

    version: str
    scores: Scores
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CvssFile:
    """Base scores by key, None where one was withdrawn, and what of the file was left out."""

    version: str
    scores: dict[int, Cvss | None]
    notes: tuple[str, ...] = ()


class _KevEntry(msgspec.Struct, rename="camel"):
    cve_id: str = msgspec.field(name="cveID")
    vendor_project: str
    product: str
    vulnerability_name: str
    date_added: str
    due_date: str = ""
    known_ransomware_campaign_use: str = ""


class _KevCatalogue(msgspec.Struct, rename="camel"):
    catalog_version: str
    count: int
    vulnerabilities: list[_KevEntry]


def read_kev(data: bytes) -> KevFile:
    """Return CISA's catalogue from its JSON. Raises PackError."""
    found = _decoded(data, _KevCatalogue, "the KEV catalogue")
    if found.count != len(found.vulnerabilities):
        raise PackError(
            f"the KEV catalogue says that it has {found.count} entries, and has "
            f"{len(found.vulnerabilities)}: get it anew; what is in use stays"
        )
    odd = Odd("the KEV catalogue")
    entries: dict[str, Kev] = {}
    for at, entry in enumerate(found.vulnerabilities):
        try:
            kev = _kev(entry)
        except ValueError as error:
            odd.note(f"entry {at + 1}", str(error))
        else:
            entries[kev.id] = kev
    notes = odd.check(len(entries))
    return KevFile(found.catalog_version[:40], tuple(entries.values()), notes)


def _kev(entry: _KevEntry) -> Kev:
    """Return an entry. Raises ValueError."""
    return Kev(
        id=_identified(entry.cve_id),
        added=date.fromisoformat(entry.date_added),
        due=date.fromisoformat(entry.due_date) if entry.due_date else None,
        ransomware=entry.known_ransomware_campaign_use == "Known",
        vendor=_line(entry.vendor_project),
        product=_line(entry.product),
        name=_line(entry.vulnerability_name),
    )


def read_epss(data: bytes) -> EpssFile:
    """Return FIRST's scores from their CSV. Raises PackError."""
    text = data.decode("utf-8", "replace")
    if not text.endswith("\n"):
        raise PackError(
            "the EPSS file ends in the middle of a line: get it anew; what is in use stays"
        )
    lines = text.splitlines()
    head = _EPSS_HEAD.match(lines[0]) if lines else None
    at = 1 if lines and lines[0].startswith("#") else 0
    if head is None or lines[at : at + 1] != [_COLUMNS]:
        raise PackError(
            "the EPSS file does not begin with its model, its day and the columns "
            f"{_COLUMNS}: get it from FIRST anew; what is in use stays"
        )
    odd = Odd("the EPSS file")
    rows: dict[int, tuple[float, float]] = {}
    for number, line in enumerate(lines[at + 1 :], at + 2):
        try:
            key, epss, percentile = _epss_row(line)
        except ValueError:
            odd.note(f"line {number}", line)
        else:
            rows[key] = epss, percentile
    notes = odd.check(len(rows))
    keys = np.array(sorted(rows), dtype=np.uint64)
    values = np.array([rows[key] for key in keys.tolist()], dtype=np.float32)
    return EpssFile(f"{head[1]} of {head[2]}", Scores(keys, values[:, 0], values[:, 1]), notes)


def _epss_row(line: str) -> tuple[int, float, float]:
    """Return key, score and percentile. Raises ValueError."""
    cve, epss, percentile = line.split(",")
    key = key_of(cve)
    score, share = float(epss), float(percentile)
    if key is None or not (0 <= score <= 1 and 0 <= share <= 1):
        raise ValueError(line)
    return key, score, share


class _CvssData(msgspec.Struct, rename="camel"):
    base_score: float | None = None
    vector_string: str = ""


class _NvdMetric(msgspec.Struct, rename="camel"):
    cvss_data: _CvssData
    type: str = ""


class _NvdMetrics(msgspec.Struct):
    v40: list[_NvdMetric] = msgspec.field(name="cvssMetricV40", default_factory=list)
    v31: list[_NvdMetric] = msgspec.field(name="cvssMetricV31", default_factory=list)
    v30: list[_NvdMetric] = msgspec.field(name="cvssMetricV30", default_factory=list)
    v2: list[_NvdMetric] = msgspec.field(name="cvssMetricV2", default_factory=list)


class _NvdCve(msgspec.Struct, rename="camel"):
    id: str
    vuln_status: str = ""
    metrics: _NvdMetrics = msgspec.field(default_factory=_NvdMetrics)


class _NvdItem(msgspec.Struct):
    cve: _NvdCve


class _NvdFeed(msgspec.Struct):
    timestamp: str
    vulnerabilities: list[_NvdItem]


def read_nvd(data: bytes) -> CvssFile:
    """Return the base scores of a feed of the NVD (JSON 2.0). Raises PackError."""
    feed = _decoded(data, _NvdFeed, "the NVD feed")
    odd = Odd("the NVD feed")
    scores: dict[int, Cvss | None] = {}
    for item in feed.vulnerabilities:
        key = key_of(item.cve.id)
        if key is None:
            odd.note("entry", item.cve.id)
        else:
            rejected = item.cve.vuln_status == "Rejected"
            scores[key] = None if rejected else _best(_nvd_data(item.cve.metrics))
    return CvssFile(f"NVD {feed.timestamp[:19]}", scores, odd.check(len(scores)))


def _nvd_data(metrics: _NvdMetrics) -> Iterator[tuple[str, _CvssData]]:
    """Yield the scores, the newest version first, and the NVD's own before those of others."""
    for version, found in (
        ("4.0", metrics.v40),
        ("3.1", metrics.v31),
        ("3.0", metrics.v30),
        ("2.0", metrics.v2),
    ):
        for metric in sorted(found, key=lambda one: one.type != "Primary"):
            yield version, metric.cvss_data


class _Metric(msgspec.Struct):
    v40: _CvssData | None = msgspec.field(name="cvssV4_0", default=None)
    v31: _CvssData | None = msgspec.field(name="cvssV3_1", default=None)
    v30: _CvssData | None = msgspec.field(name="cvssV3_0", default=None)
    v2: _CvssData | None = msgspec.field(name="cvssV2_0", default=None)


class _Container(msgspec.Struct):
    metrics: list[_Metric] = []


class _Containers(msgspec.Struct):
    cna: _Container = msgspec.field(default_factory=_Container)
    adp: list[_Container] = []


class _CveMetadata(msgspec.Struct, rename="camel"):
    cve_id: str
    state: str = ""
    date_updated: str = ""


class _CveRecord(msgspec.Struct, rename="camel"):
    cve_metadata: _CveMetadata
    containers: _Containers = msgspec.field(default_factory=_Containers)


def read_cve_records(files: Iterable[tuple[str, bytes]]) -> CvssFile:
    """Return the base scores of records of the CVE List (JSON 5). Raises PackError."""
    odd = Odd("the CVE List")
    scores: dict[int, Cvss | None] = {}
    newest = ""
    for name, data in files:
        try:
            record = msgspec.json.decode(data, type=_CveRecord)
            key = _key(record.cve_metadata.cve_id)
        except (ValueError, RecursionError) as error:
            odd.note(name, str(error))
            continue
        rejected = record.cve_metadata.state == "REJECTED"
        scores[key] = None if rejected else _best(_record_data(record.containers))
        newest = max(newest, record.cve_metadata.date_updated[:19])
    return CvssFile(f"CVE List {newest}".strip(), scores, odd.check(len(scores)))


def _record_data(containers: _Containers) -> Iterator[tuple[str, _CvssData]]:
    """Yield the scores, the newest version first, and the numbering authority's before others."""
    metrics = [one for box in (containers.cna, *containers.adp) for one in box.metrics]
    for version, name in (("4.0", "v40"), ("3.1", "v31"), ("3.0", "v30"), ("2.0", "v2")):
        for metric in metrics:
            found: _CvssData | None = getattr(metric, name)
            if found is not None:
                yield version, found


def _best(found: Iterable[tuple[str, _CvssData]]) -> Cvss | None:
    """Return the first that has a score."""
    for version, data in found:
        if data.base_score is not None and 0 <= data.base_score <= 10:  # noqa: PLR2004 - the scale of CVSS
            return Cvss(data.base_score, _line(data.vector_string), version)
    return None


def record_files(archive: zipfile.ZipFile, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield the records of an archive of the CVE List, whose releases are archives of archives."""
    for number, member in enumerate(archive.infolist()):
        if number > MOST_RECORDS:
            raise PackError(f"the archive has more than {MOST_RECORDS} files: it is not taken")
        name = member.filename.rpartition("/")[2]
        if name.endswith(".zip") and depth < MOST_NESTED:
            with archive.open(member) as inner:
                yield from _nested(inner, depth + 1)
        elif name.startswith("CVE-") and name.endswith(".json"):
            yield name, read_member(archive, member, MOST_RECORD)


def _nested(inner: IO[bytes], depth: int) -> Iterator[tuple[str, bytes]]:
    # To seek in a member is to unpack it again from its start: a copy is read instead.
    with tempfile.TemporaryFile(prefix="ctiscraper-") as copy:
        left = MOST_ARCHIVE
        while piece := inner.read(1 << 20):
            left -= len(piece)
            if left < 0:
                raise PackError(
                    f"an archive in the archive has more than {MOST_ARCHIVE >> 20} MB: "
                    "it is not taken"
                )
            copy.write(piece)
        copy.seek(0)
        with zipfile.ZipFile(copy) as archive:
            yield from record_files(archive, depth)


def _decoded(data: bytes, kind: type[T], what: str) -> T:
    """Return JSON as what it should be. Raises PackError."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PackError(
            f"{what} cannot be read: {error}; get it anew; what is in use stays"
        ) from error


def _key(cve: str) -> int:
    """Return the key of a CVE. Raises ValueError."""
    key = key_of(cve)
    if key is None:
        raise ValueError(f"{cve[:40]!r} is no CVE number")
    return key


def _identified(cve: str) -> str:
    """Return a CVE as it is written. Raises ValueError."""
    return id_of(_key(cve))


def _line(words: str) -> str:
    """Return words that fit into a row: one line, and nothing that PostgreSQL refuses."""
    return " ".join(words.replace("\0", " ").split())[:500]
