"""Public files about vulnerabilities: read, tolerated in part, or refused whole."""

import contextlib
import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

import make_packs as make
from ctiscraper.errors import PackError
from ctiscraper.packs.cve import Cvss, id_of
from ctiscraper.packs.cve_readers import (
    CvssFile,
    EpssFile,
    read_cve_records,
    read_epss,
    read_kev,
    read_nvd,
)

VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"


def by_id(found: CvssFile) -> dict[str, Cvss | None]:
    return {id_of(key): score for key, score in found.scores.items()}


def epss_rows(found: EpssFile) -> list[tuple[str, float, float]]:
    parts = found.scores
    columns = (parts.keys.tolist(), parts.epss.tolist(), parts.percentile.tolist())
    return [(id_of(key), round(a, 5), round(b, 5)) for key, a, b in zip(*columns, strict=True)]


def test_the_catalogue_of_exploited_vulnerabilities_is_read() -> None:
    found = read_kev(make.kev("CVE-2026-0001", "cve-2026-0002"))
    assert found.version == "2026.11.25"
    assert [entry.id for entry in found.entries] == ["CVE-2026-0001", "CVE-2026-0002"]
    first = found.entries[0]
    assert (first.added, first.due) == (date(2026, 11, 2), date(2026, 11, 23))
    assert (first.vendor, first.product, first.ransomware) == ("Acme", "Gate", True)
    unknown = read_kev(make.kev("CVE-2026-0001", knownRansomwareCampaignUse="Unknown", dueDate=""))
    assert (unknown.entries[0].ransomware, unknown.entries[0].due) == (False, None)


def test_words_of_a_file_are_one_line_without_nulls() -> None:
    found = read_kev(make.kev("CVE-2026-0001", product="a\nb\0c" + "x" * 1000))
    assert found.entries[0].product[:6] == "a b cx"
    assert len(found.entries[0].product) == 500


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (make.kev("CVE-2026-0001")[:-40], "cannot be read"),
        (
            make.kev("CVE-2026-0001").replace(b'"count": 1', b'"count": 2'),
            "has 2 entries, and has 1",
        ),
        (make.kev(), "0 of 0 entries"),
        (make.kev("CVE-26-1"), "is no CVE number"),
        (make.kev("CVE-2026-0001", dateAdded="yesterday"), "entry 1"),
        (b'{"catalogVersion": 1}', "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"catalogVersion": "\xff"}', "cannot be read"),
    ],
)
def test_a_catalogue_that_is_not_whole_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(PackError, match=words):
        read_kev(data)


def test_the_scores_of_a_day_are_read() -> None:
    found = read_epss(make.epss({"CVE-2026-0002": (0.00043, 0.1), "CVE-2026-0001": (1, 0)}))
    assert found.version == "v2025.03.14 of 2026-11-25"
    assert epss_rows(found) == [("CVE-2026-0001", 1, 0), ("CVE-2026-0002", 0.00043, 0.1)]


RUBBISH = {
    "CVE-26-1": (0.5, 0.5),
    "CVE-2026-0001": ("nan", 0.5),
    "CVE-2026-0002": (1.5, 0.5),
    "CVE-2026-0003": ("a", "b"),
    "CVE-2026-0004": (0.1, "0.1,0.2"),
    "": ("", ""),
}
GOOD = {f"CVE-2026-{n:04d}": (0.5, 0.5) for n in range(1000, 2000)}


def test_a_few_rows_of_rubbish_are_left_out_and_said() -> None:
    found = read_epss(make.epss({**GOOD, **RUBBISH}))
    assert len(found.scores.keys) == 1000
    (note,) = found.notes
    assert note.startswith("the EPSS file: 6 entries left out (line 1003: CVE-26-1,0.5,0.5;")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (make.epss(RUBBISH), "6 of 6 entries"),
        (make.epss({}), "it has none"),
        (make.epss(GOOD)[:-3], "middle of a line"),
        (b"", "middle of a line"),
        (b"cve,epss,percentile\nCVE-2026-0001,0.1,0.1\n", "does not begin"),
        (b"#model_version:v1,score_date:2026-11-25\nid,score\n", "does not begin"),
        (b"\n", "does not begin"),
    ],
)
def test_scores_that_are_not_whole_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(PackError, match=words):
        read_epss(data)


def test_a_feed_of_the_nvd_is_read() -> None:
    rejected = make.nvd_item("CVE-2026-0003", 9.9, VECTOR) | {"vulnStatus": "Rejected"}
    found = read_nvd(
        make.nvd(
            make.nvd_item("CVE-2026-0001", 9.8, VECTOR),
            make.nvd_item("CVE-2026-0002", 5.0, "AV:N", key="cvssMetricV2"),
            rejected,
            {"id": "CVE-2026-0004", "metrics": {}},
        )
    )
    assert found.version == "NVD 2026-11-25T03:00:00"
    assert by_id(found) == {
        "CVE-2026-0001": Cvss(9.8, VECTOR, "3.1"),
        "CVE-2026-0002": Cvss(5.0, "AV:N", "2.0"),
        "CVE-2026-0003": None,
        "CVE-2026-0004": None,
    }


def test_the_newest_version_counts_and_in_it_the_word_of_the_nvd() -> None:
    def metric(kind: str, score: float | None) -> dict[str, object]:
        return {"type": kind, "cvssData": {"baseScore": score, "vectorString": kind}}

    both = [metric("Secondary", 1.0), metric("Primary", 2.0)]
    item: dict[str, object] = {"id": "CVE-2026-0001"}
    item |= {"metrics": {"cvssMetricV30": both, "cvssMetricV2": both}}
    assert by_id(read_nvd(make.nvd(item))) == {"CVE-2026-0001": Cvss(2.0, "Primary", "3.0")}
    item["metrics"] = {"cvssMetricV40": [metric("Primary", None)], "cvssMetricV31": both}
    assert by_id(read_nvd(make.nvd(item))) == {"CVE-2026-0001": Cvss(2.0, "Primary", "3.1")}
    item["metrics"] = {"cvssMetricV40": [metric("Primary", 11.0)]}
    assert by_id(read_nvd(make.nvd(item))) == {"CVE-2026-0001": None}


def test_records_of_the_cve_list_are_read() -> None:
    found = read_cve_records(
        [
            ("a", make.cve_record("CVE-2026-0001")),
            ("b", make.cve_record("CVE-2026-0002", None)),
            ("c", make.cve_record("CVE-2026-0003", state="REJECTED")),
        ]
    )
    assert found.version == "CVE List 2026-11-20T10:00:00"
    assert by_id(found) == {
        "CVE-2026-0001": Cvss(9.8, "CVSS:3.1/AV:N", "3.1"),
        "CVE-2026-0002": None,
        "CVE-2026-0003": None,
    }


def test_a_numbering_authority_has_its_word_before_others() -> None:
    record = json.loads(make.cve_record("CVE-2026-0001", 5.0))
    other = {"cvssV3_1": {"baseScore": 9.0}, "cvssV3_0": {"baseScore": 8.0}}
    record["containers"]["adp"] = [{"metrics": [other]}]
    found = read_cve_records([("a", json.dumps(record).encode())])
    assert by_id(found) == {"CVE-2026-0001": Cvss(5.0, "CVSS:3.1/AV:N", "3.1")}
    record["containers"]["cna"] = {}
    found = read_cve_records([("a", json.dumps(record).encode())])
    assert by_id(found) == {"CVE-2026-0001": Cvss(9.0, "", "3.1")}


def test_records_that_are_rubbish_are_refused_when_they_are_many() -> None:
    with pytest.raises(PackError, match="2 of 3 entries"):
        read_cve_records([("a", b"{"), ("b", b"[]"), ("c", make.cve_record("CVE-2026-0001"))])


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    head = make.epss({})
    for read, tried in (
        (read_epss, data),
        (read_epss, head + data + b"\n"),
        (read_kev, data),
        (read_nvd, data),
    ):
        with contextlib.suppress(PackError):
            read(tried)


@given(st.integers(0, 2000), st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused(at: int, byte: int) -> None:
    for read, data in (
        (read_kev, make.kev("CVE-2026-0001", "CVE-2026-0002")),
        (read_nvd, make.nvd(make.nvd_item("CVE-2026-0001", 9.8, VECTOR))),
        (read_epss, make.epss({"CVE-2026-0001": (0.1, 0.2), "CVE-2026-0002": (0.1, 0.2)})),
    ):
        wrong = bytearray(data)
        wrong[at % len(data)] = byte
        with contextlib.suppress(PackError):
            read(bytes(wrong))
