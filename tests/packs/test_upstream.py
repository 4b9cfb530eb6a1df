"""Files of publishers are known by what is in them, and make the pack they are for."""

import contextlib
import io
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import make_packs as make
from ctiscraper.errors import CatalogError, PackError
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
    found = make_pack(KNOWN["cve"], map(known_file, files), cve.build_default, whole=whole)
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
    found = make_pack(KNOWN["sigma"], [known_file(FILES[Format.SIGMA])], cve.build_default)
    assert found.info.version == "SigmaHQ"


def test_a_file_for_another_pack_is_refused() -> None:
    with pytest.raises(PackError, match="for the data pack sigma, not cve"):
        made(FILES[Format.SIGMA])
    with pytest.raises(PackError, match="no file that one is made of"):
        made(FILES[Format.PACK])


GALAXIES = replace(make.ZOO, name="names", package="pymispgalaxies")


def test_a_pack_without_a_reader_says_where_newer_data_comes_from() -> None:
    with pytest.raises(PackError, match="install a newer pymispgalaxies"):
        make_pack(GALAXIES, [known_file(FILES[Format.GALAXY])], make.build_default)


ATTACK = replace(make.ZOO, name="attack", updates=True)
LISTS = replace(make.ZOO, name="warninglists", updates=True)


class Versioned(msgspec.Struct):
    versions: dict[str, str]


class Versions(msgspec.Struct):
    version: int


class ListsPack(msgspec.Struct):
    lists: list[Versions]
    files: dict[str, bytes]


def from_stix(bundles: Iterable[bytes]) -> tuple[PackInfo, Versioned]:
    """The bundles by their first letter, as the reader of ATT&CK tells domains apart."""
    found = {chr(data[-2]): "19" for data in bundles}
    if "x" in found:
        raise CatalogError(["bundle x is none"])
    return make.info("19", "attack"), Versioned(versions=found)


def bundle(domain: str) -> UpstreamFile:
    return known_file(b'{"type": "bundle"}' + domain.encode() + b"}")


def build(lists: Iterable[tuple[str, bytes]]) -> ListsPack:
    return ListsPack(lists=[Versions(version=3), Versions(version=7)], files=dict(lists))


def test_bundles_of_attack_make_a_pack_of_all_its_domains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(make, "from_stix", from_stix, raising=False)

    def current() -> tuple[PackInfo, Versioned]:
        return make.info("18", "attack"), Versioned(versions={"e": "18", "m": "18"})

    found = make_pack(ATTACK, [bundle("e"), bundle("m")], current)
    assert (found.info.version, found.records) == ("19", Versioned(versions={"e": "19", "m": "19"}))
    with pytest.raises(PackError, match="no bundle of m among the files"):
        make_pack(ATTACK, [bundle("e")], current)
    with pytest.raises(PackError, match="bundle x is none; what is in use stays"):
        make_pack(ATTACK, [bundle("x")], current)


def test_an_archive_of_warning_lists_makes_a_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "build", build, raising=False)
    files = {f"m-main/lists/{name}/list.json": name.encode() for name in ("b", "a")}
    archive = known_file(make.archive({**files, "m-main/schema.json": b"{}"}))
    found = make_pack(LISTS, [archive], lambda: (make.info("1.7", "warninglists"), make.zoo_of()))
    assert found.info == msgspec.structs.replace(
        make.info("1.7", "warninglists"), version="lists of 7"
    )
    assert isinstance(found.records, ListsPack)
    assert found.records.files == {"a": b"a", "b": b"b"}


def test_an_archive_of_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "MOST_MEMBERS_BYTES", 100)
    large = make.archive({"lists/a/list.json": bytes(60), "lists/b/list.json": bytes(60)})
    with pytest.raises(PackError, match="unpacks to more than"):
        make_pack(LISTS, [known_file(large)], make.build_default)


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
    for name in ("sigma", "attack", "warninglists"):
        assert all(url.startswith("https://") for url in urls_of(name, {}, NOW))
    assert len(urls_of("attack", {}, NOW)) == 3
    assert urls_of("names", {}, NOW) == ()


@given(st.binary(max_size=300))
def test_any_bytes_are_known_or_refused(data: bytes) -> None:
    for start in (b"", b"PK\x03\x04", b"\x1f\x8b\x08", b'{"type": "bundle"', b"#model_version"):
        with contextlib.suppress(PackError):
            known_file(start + data)


@given(
    st.sampled_from([Format.CVE_LIST, Format.SIGMA]),
    st.integers(0, 5000),
    st.binary(min_size=1, max_size=4),
)
@settings(max_examples=300)
def test_a_changed_archive_is_read_or_refused(kind: Format, at: int, change: bytes) -> None:
    data = bytearray(FILES[kind])
    at %= len(data)
    data[at : at + len(change)] = change
    known = KNOWN[upstream.PACK_OF[kind]]
    with contextlib.suppress(PackError):
        make_pack(known, [known_file(bytes(data))], cve.build_default)
