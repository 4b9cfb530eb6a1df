"""Files of publishers are known by what is in them, and make the pack they are for."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

import make_packs as make
from ctiscraper.errors import PackError
from ctiscraper.packs import cve, upstream
from ctiscraper.packs.info import PackInfo
from ctiscraper.packs.registry import KNOWN
from ctiscraper.packs.upstream import Format, UpstreamFile, make_pack, recognise, urls_of

NOW = datetime(2026, 11, 26, tzinfo=UTC)
RULE = b"title: A\nid: 1-2\nauthor: Jane\nlevel: high\n"
NESTED = make.archive(
    {"cves.zip": make.archive({"c/CVE-2026-0001.json": make.cve_record("CVE-2026-0001")})}
)
FILES = {
    Format.PACK: make.zoo("1", "a"),
    Format.KEV: make.kev("CVE-2026-0001"),
    Format.EPSS: make.epss({"CVE-2026-0001": (0.1, 0.2)}),
    Format.NVD: make.nvd(make.nvd_item("CVE-2026-0001", 9.8, "CVSS:3.1/AV:N")),
    Format.CVE_RECORD: make.cve_record("CVE-2026-0001"),
    Format.CVE_LIST: NESTED,
    Format.SIGMA: make.archive({"version.txt": b"1", "rules/a.yml": RULE}),
    Format.ATTACK: b'{"type": "bundle", "objects": []}',
    Format.GALAXY: make.archive({"misp-galaxy-main/clusters/threat-actor.json": b"{}"}),
    Format.WARNING_LISTS: make.archive({"misp-warninglists-main/lists/a/list.json": b"{}"}),
}


def known_file(data: bytes, name: str = "the file") -> UpstreamFile:
    return recognise(io.BytesIO(data), name)


def made(*files: bytes, whole: bool = False) -> cve.CvePack:
    found = make_pack(KNOWN["cve"], map(known_file, files), cve.CvePack, whole=whole)
    assert isinstance(found.records, cve.CvePack)
    return found.records


@pytest.mark.parametrize("kind", Format)
def test_a_file_is_known_by_what_is_in_it(kind: Format) -> None:
    assert known_file(FILES[kind]).format is kind


@pytest.mark.parametrize("kind", [Format.KEV, Format.EPSS, Format.NVD, Format.CVE_RECORD])
def test_a_file_may_come_with_gzip(kind: Format) -> None:
    assert known_file(make.gzipped(FILES[kind])).data == FILES[kind]


@pytest.mark.parametrize(
    "data", [b"", b"words", b"{}", b"<html>", make.archive({"a.txt": b""}), make.gzipped(b"words")]
)
def test_any_other_file_is_refused_with_what_can_be_read(data: bytes) -> None:
    with pytest.raises(PackError, match="none of what can be read: a data pack, the KEV"):
        known_file(data)


def test_files_of_all_sources_make_one_pack() -> None:
    pack = made(
        FILES[Format.KEV],
        make.gzipped(FILES[Format.EPSS]),
        FILES[Format.NVD],
        FILES[Format.CVE_LIST],
    )
    (facts,) = cve.facts(pack)
    assert facts.cvss == cve.Cvss(9.8, "CVSS:3.1/AV:N", "3.1")
    assert (facts.epss, facts.epss_percentile) == (0.1, 0.2)
    assert facts.kev is not None
    assert pack.parts["cvss"].startswith("CVE List 2026-11-20")
    assert made(FILES[Format.CVE_RECORD]).keys == pack.keys


def test_a_release_of_rules_makes_a_pack() -> None:
    found = make_pack(KNOWN["sigma"], [known_file(FILES[Format.SIGMA])], cve.CvePack)
    assert found.info.version == "SigmaHQ"


def test_a_file_for_another_pack_is_refused() -> None:
    with pytest.raises(PackError, match="for the data pack sigma, not cve"):
        made(FILES[Format.SIGMA])
    with pytest.raises(PackError, match="no file that one is made of"):
        made(FILES[Format.PACK])


GALAXIES = replace(make.ZOO, name="names", package="pymispgalaxies")


def test_a_pack_without_a_reader_says_where_newer_data_comes_from() -> None:
    with pytest.raises(PackError, match="install a newer pymispgalaxies"):
        make_pack(GALAXIES, [known_file(FILES[Format.GALAXY])], make.ZooPack)


def from_upstream(files: dict[str, bytes]) -> tuple[PackInfo, msgspec.Struct]:
    return make.info("2", "names"), make.zoo_of(*files)


def test_a_reader_of_the_pack_gets_the_json_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "from_upstream", from_upstream, raising=False)
    known = replace(GALAXIES, updates=True)
    found = make_pack(known, [known_file(FILES[Format.GALAXY])], make.ZooPack)
    assert found.records == make.zoo_of("misp-galaxy-main/clusters/threat-actor.json")
    known = replace(GALAXIES, name="attack", updates=True)
    found = make_pack(known, [known_file(FILES[Format.ATTACK], "ics.json")], make.ZooPack)
    assert found.records == make.zoo_of("ics.json")


def test_an_archive_of_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "MOST_MEMBERS_BYTES", 100)
    monkeypatch.setattr(make, "from_upstream", from_upstream, raising=False)
    large = make.archive({"clusters/a.json": bytes(60), "clusters/b.json": bytes(60)})
    with pytest.raises(PackError, match="unpacks to more than"):
        make_pack(replace(GALAXIES, updates=True), [known_file(large)], make.ZooPack)


def test_a_bomb_within_an_archive_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctiscraper.packs.cve_readers.MOST_RECORD", 1 << 20)
    with pytest.raises(PackError, match="more than 1024 KB"):
        made(make.archive({"CVE-2026-0001.json": bytes(50 << 20)}))
    monkeypatch.setattr("ctiscraper.packs.cve_readers.MOST_ARCHIVE", 1 << 20)
    inner = make.archive({"CVE-2026-0001.json": b" " * 100, "stored": bytes(1000)})
    with pytest.raises(PackError, match="more than 1 MB"):
        made(make.archive({"cves.zip": inner + bytes(50 << 20)}))


def test_archives_within_archives_have_an_end() -> None:
    data = FILES[Format.CVE_LIST]
    for _ in range(4):
        data = make.archive({"cves.zip": data})
    with pytest.raises(PackError, match="it has none"):
        made(data)


def test_the_nvd_is_read_whole_once_and_then_what_changed() -> None:
    everything = urls_of("cve", {}, NOW)
    assert len(everything) == 2 + 25 + 1
    assert everything[-1].endswith("nvdcve-2.0-modified.json.gz")
    pack = made(FILES[Format.NVD])
    assert urls_of("cve", pack.parts, NOW) == everything
    pack = made(FILES[Format.NVD], whole=True)
    assert urls_of("cve", pack.parts, NOW) == (*everything[:2], everything[-1])
    assert urls_of("cve", pack.parts, NOW.replace(month=12)) == everything


def test_every_other_pack_has_its_addresses() -> None:
    for name in ("sigma", "attack", "names", "warninglists"):
        assert all(url.startswith("https://") for url in urls_of(name, {}, NOW))
    assert len(urls_of("attack", {}, NOW)) == 3
    assert urls_of("zoo", {}, NOW) == ()
