"""Facts of vulnerabilities in columns: put together, taken apart, compared."""

import math
import time
import tracemalloc
from datetime import date

import msgspec
import numpy as np
import pytest

from ctiscraper.errors import PackError
from ctiscraper.packs import cve
from ctiscraper.packs.cve import CveFacts, CvePack, Cvss, Kev, Scores
from ctiscraper.packs.pack import open_pack, read_records, write_pack

HIGH = Cvss(9.8, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "3.1")
OLD = Cvss(5.0, "AV:N/AC:L/Au:N/C:P/I:N/A:N", "2.0")


def key(name: str) -> int:
    found = cve.key_of(name)
    assert found is not None
    return found


def scores(**given: tuple[float, float]) -> Scores:
    rows = sorted((key(name.replace("_", "-")), pair) for name, pair in given.items())
    return Scores(
        np.array([row[0] for row in rows], dtype=np.uint64),
        np.array([row[1][0] for row in rows], dtype=np.float32),
        np.array([row[1][1] for row in rows], dtype=np.float32),
    )


def exploited(name: str) -> Kev:
    return Kev(
        id=name,
        added=date(2026, 11, 2),
        due=None,
        ransomware=True,
        vendor="Acme",
        product="Gate",
        name="Acme Gate Path Traversal",
    )


def by_id(pack: CvePack) -> dict[str, CveFacts]:
    return {one.id: one for one in cve.facts(pack)}


@pytest.mark.parametrize("name", ["CVE-2024-3094", "CVE-1999-0001", "CVE-2026-1234567"])
def test_a_cve_is_a_key_and_back(name: str) -> None:
    assert cve.id_of(key(name.lower())) == name


@pytest.mark.parametrize(
    "name",
    ["", "CVE-24-1", "CVE-2024-12", "2024-1234", "CVE-2024-12345678901", "CVE-2024-9999999999"],
)
def test_what_is_no_cve_has_no_key(name: str) -> None:
    assert cve.key_of(name) is None


def test_facts_of_three_sources_are_put_together() -> None:
    pack = cve.with_epss(CvePack(), scores(CVE_2024_3094=(0.84213, 0.99312)), "v1 of a day")
    pack = cve.with_cvss(pack, {key("CVE-2024-3094"): HIGH, key("CVE-2001-0001"): OLD}, "NVD x")
    pack = cve.with_kev(pack, [exploited("CVE-2024-3094"), exploited("CVE-2026-0001")], "2026.11")
    assert by_id(pack) == {
        "CVE-2001-0001": CveFacts(id="CVE-2001-0001", cvss=OLD),
        "CVE-2024-3094": CveFacts(
            id="CVE-2024-3094",
            cvss=HIGH,
            epss=0.84213,
            epss_percentile=0.99312,
            kev=exploited("CVE-2024-3094"),
        ),
        "CVE-2026-0001": CveFacts(id="CVE-2026-0001", kev=exploited("CVE-2026-0001")),
    }
    assert len(pack) == 3
    info = cve.cve_info(pack)
    assert info.version == "kev 2026.11, epss v1 of a day, cvss NVD x"
    assert "not endorsed or certified by the NVD" in info.notice


def test_a_newer_file_replaces_its_part_and_leaves_the_others() -> None:
    pack = cve.with_epss(CvePack(), scores(CVE_2024_0001=(0.5, 0.5), CVE_2024_0002=(0.1, 0.1)), "1")
    pack = cve.with_cvss(pack, {key("CVE-2024-0001"): HIGH}, "1")
    newer = cve.with_epss(pack, scores(CVE_2024_0003=(0.9, 0.9)), "2")
    assert by_id(newer).keys() == {"CVE-2024-0001", "CVE-2024-0003"}
    assert by_id(newer)["CVE-2024-0001"] == CveFacts(id="CVE-2024-0001", cvss=HIGH)
    gone = cve.with_cvss(newer, {key("CVE-2024-0001"): None}, "2")
    assert by_id(gone).keys() == {"CVE-2024-0003"}
    assert gone.vectors == (("", ""),)


def test_the_same_files_make_the_same_bytes() -> None:
    def made(pack: CvePack) -> CvePack:
        pack = cve.with_epss(pack, scores(CVE_2024_0001=(0.5, 0.5)), "1")
        pack = cve.with_kev(pack, [exploited("CVE-2024-0002")], "1")
        return cve.with_cvss(pack, {key("CVE-2024-0001"): HIGH, key("CVE-2024-0003"): OLD}, "1")

    once = made(CvePack())
    twice = made(once)
    assert write_pack(cve.cve_info(once), once) == write_pack(cve.cve_info(twice), twice)
    assert cve.changed_names(once, twice) == frozenset()


def test_what_changed_is_named() -> None:
    pack = cve.with_epss(CvePack(), scores(CVE_2024_0001=(0.5, 0.5), CVE_2024_0002=(0.1, 0.1)), "1")
    pack = cve.with_cvss(pack, {key("CVE-2024-0003"): HIGH, key("CVE-2024-0004"): OLD}, "1")
    newer = cve.with_epss(pack, scores(CVE_2024_0001=(0.5, 0.5), CVE_2024_0002=(0.2, 0.2)), "2")
    newer = cve.with_cvss(newer, {key("CVE-2024-0003"): HIGH._replace(vector="CVSS:3.1/X")}, "2")
    newer = cve.with_kev(newer, [exploited("CVE-2024-0005")], "2")
    assert cve.changed_names(pack, newer) == {"CVE-2024-0002", "CVE-2024-0003", "CVE-2024-0005"}


def test_the_default_is_empty_and_says_how_to_fill_it() -> None:
    info, pack = cve.build_default()
    assert (len(pack), info.version) == (0, "empty")
    assert "run 'ctiscraper data update cve'" in info.notice


GOOD = cve.with_cvss(CvePack(), {key("CVE-2024-0001"): HIGH, key("CVE-2024-0002"): OLD}, "1")


@pytest.mark.parametrize(
    "changes",
    [
        {"keys": GOOD.keys[:-1]},
        {"keys": GOOD.keys[8:] + GOOD.keys[:8]},
        {"keys": GOOD.keys[:8] * 2},
        {"epss": GOOD.epss[:-4]},
        {"vector": np.array([0, 9], dtype="<u4").tobytes()},
        {"cvss": np.array([1, 11], dtype="<f4").tobytes()},
        {"epss": np.array([-0.5, 0], dtype="<f4").tobytes()},
        {"percentile": np.array([math.inf, 0], dtype="<f4").tobytes()},
        {"kev": (exploited("no CVE"),)},
    ],
)
def test_columns_that_do_not_belong_together_are_refused(changes: dict[str, object]) -> None:
    plain = msgspec.structs.asdict(GOOD) | changes
    wrong = msgspec.defstruct("Wrong", list(plain), namespace={})(**plain)
    data = write_pack(cve.cve_info(GOOD), wrong)
    with pytest.raises(PackError, match="not as this program knows them"):
        read_records(open_pack(data), CvePack)


def test_300_000_vulnerabilities_take_little_memory_and_time() -> None:
    keys = np.array(
        sorted((year << 32) | number for year in range(2011, 2026) for number in range(1, 20_001)),
        dtype=np.uint64,
    )
    some = np.random.default_rng(4).random(len(keys), dtype=np.float32)
    pack = cve.with_epss(CvePack(), Scores(keys, some, some), "1")
    data = write_pack(cve.cve_info(pack), pack)
    tracemalloc.start()
    began = time.perf_counter()
    read = read_records(open_pack(data), CvePack)
    seconds = time.perf_counter() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(read) == 300_000
    assert peak < 60 << 20
    assert seconds < 5
