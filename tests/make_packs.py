"""A small pack of the tests' own, and the public files about vulnerabilities in small."""

import gzip
import io
import json
import zipfile
from collections.abc import Mapping

import msgspec

from ctiscraper.intelligence import Extractor
from ctiscraper.packs.info import PackInfo
from ctiscraper.packs.pack import write_pack
from ctiscraper.packs.registry import KNOWN, KnownPack


class Animal(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    aliases: tuple[str, ...] = ()
    legs: int = 4


class ZooPack(msgspec.Struct, frozen=True, kw_only=True):
    animals: tuple[Animal, ...] = ()


DEFAULT = ("Fancy Bear",)
ZOO = KnownPack(
    name="zoo",
    title="Animals",
    module="make_packs",
    records="ZooPack",
    extractors=(Extractor.NAMES,),
)
WITH_ZOO = {"zoo": ZOO, **KNOWN}


def info(version: str = "1", name: str = "zoo") -> PackInfo:
    return PackInfo(name=name, version=version, source="a zoo", licence="CC0-1.0", notice="Roar.")


def zoo_of(*names: str) -> ZooPack:
    return ZooPack(animals=tuple(Animal(name=name) for name in names))


def build_default() -> tuple[PackInfo, ZooPack]:
    return info("packaged"), zoo_of(*DEFAULT)


def zoo(version: str, *names: str) -> bytes:
    """A pack file of animals."""
    return write_pack(info(version), zoo_of(*names))


def kev(*ids: str, **changes: object) -> bytes:
    """CISA's catalogue, as it is published."""
    entries = [
        {
            "cveID": cve,
            "vendorProject": "Acme",
            "product": "Gate",
            "vulnerabilityName": "Acme Gate Path Traversal",
            "dateAdded": "2026-11-02",
            "shortDescription": "Words.",
            "requiredAction": "Apply updates.",
            "dueDate": "2026-11-23",
            "knownRansomwareCampaignUse": "Known",
            "notes": "",
            "cwes": ["CWE-22"],
        }
        | changes
        for cve in ids
    ]
    return json.dumps(
        {
            "title": "CISA Catalog of Known Exploited Vulnerabilities",
            "catalogVersion": "2026.11.25",
            "dateReleased": "2026-11-25T15:00:00.000Z",
            "count": len(entries),
            "vulnerabilities": entries,
        }
    ).encode()


def epss(scores: Mapping[str, tuple[object, object]], day: str = "2026-11-25") -> bytes:
    """FIRST's scores, as they are published but for gzip."""
    head = f"#model_version:v2025.03.14,score_date:{day}T00:00:00+0000\ncve,epss,percentile\n"
    return (head + "".join(f"{cve},{a},{b}\n" for cve, (a, b) in scores.items())).encode()


def nvd(*items: dict[str, object], timestamp: str = "2026-11-25T03:00:00.000") -> bytes:
    """A feed of the NVD."""
    return json.dumps(
        {
            "resultsPerPage": len(items),
            "startIndex": 0,
            "totalResults": len(items),
            "format": "NVD_CVE",
            "version": "2.0",
            "timestamp": timestamp,
            "vulnerabilities": [{"cve": item} for item in items],
        }
    ).encode()


def nvd_item(cve: str, score: float, vector: str, key: str = "cvssMetricV31") -> dict[str, object]:
    data = {"version": "3.1", "vectorString": vector, "baseScore": score}
    return {
        "id": cve,
        "vulnStatus": "Analyzed",
        "descriptions": [{"lang": "en", "value": "Words."}],
        "metrics": {key: [{"source": "nvd@nist.gov", "type": "Primary", "cvssData": data}]},
    }


def cve_record(cve: str, score: float | None = 9.8, state: str = "PUBLISHED") -> bytes:
    """A record of the CVE List."""
    cvss = {"version": "3.1", "vectorString": "CVSS:3.1/AV:N", "baseScore": score}
    metrics = [{"format": "CVSS", "cvssV3_1": cvss}] if score is not None else []
    return json.dumps(
        {
            "dataType": "CVE_RECORD",
            "dataVersion": "5.1",
            "cveMetadata": {"cveId": cve, "state": state, "dateUpdated": "2026-11-20T10:00:00Z"},
            "containers": {"cna": {"metrics": metrics}, "adp": [{"metrics": []}]},
        }
    ).encode()


def archive(files: Mapping[str, bytes]) -> bytes:
    """A zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return out.getvalue()


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)
