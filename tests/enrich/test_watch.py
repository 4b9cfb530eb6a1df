"""The watchlist: entries are matched by names, by words and by hosts, and say where."""

import pytest

from ctiscraper.enrich.watch import Watch, host_in
from ctiscraper.intelligence import Mention
from ctiscraper.weighing import WatchHit, WatchKind, WatchTerm
from make_scores import mention


def watched(kind: WatchKind, term: str) -> Watch:
    return Watch([WatchTerm(id=1, kind=kind, term=term)])


def hits(kind: WatchKind, term: str, text: str, *mentions: Mention) -> tuple[WatchHit, ...]:
    return watched(kind, term).hits("A title", text, mentions)


@pytest.mark.parametrize(
    ("kind", "term", "found"),
    [
        (WatchKind.VENDOR, "Fortinet", mention("vendor", "fortinet")),
        (WatchKind.PRODUCT, "Example Firewall", mention("product", "x1", name="EXAMPLE firewall")),
        (
            WatchKind.ACTOR,
            "Fancy Bear",
            mention("actor", "G0007", name="APT28", alias="Fancy Bear"),
        ),
        (WatchKind.MALWARE, "LockBit", mention("ransomware", "lockbit")),
        (WatchKind.SECTOR, "Energy", mention("sector", "energy")),
        (WatchKind.COUNTRY, "Norway", mention("country", "norway")),
        (WatchKind.TECHNIQUE, "T1059", mention("technique", "T1059.001", name="PowerShell")),
        (WatchKind.TECHNIQUE, "T1059.001", mention("attack", "T1059.001")),
        (WatchKind.CVE, "CVE-2026-1234", mention("cve", "CVE-2026-1234")),
        (WatchKind.DOMAIN, "example.com", mention("domain", "c2.example.com")),
        (WatchKind.DOMAIN, "example.com", mention("url", "https://user@example.com:8443/x")),
        (WatchKind.DOMAIN, "example.com", mention("email", "abuse@mail.example.com")),
    ],
)
def test_an_entry_is_matched_by_what_an_article_names(
    kind: WatchKind, term: str, found: Mention
) -> None:
    [hit] = hits(kind, term, "words", found)
    assert (hit.entry.term, hit.count) == (term, 1)


@pytest.mark.parametrize(
    ("kind", "term", "other"),
    [
        (WatchKind.VENDOR, "Fortinet", mention("actor", "fortinet")),
        (WatchKind.DOMAIN, "example.com", mention("domain", "notexample.com")),
        (WatchKind.DOMAIN, "example.com", mention("domain", "example.com.evil.test")),
        (WatchKind.DOMAIN, "example.com", mention("url", "https://[broken/")),
        (WatchKind.TECHNIQUE, "T1059", mention("technique", "T1105")),
        (WatchKind.KEYWORD, "fortinet", mention("vendor", "fortinet")),
    ],
)
def test_it_is_not_matched_by_anything_else(kind: WatchKind, term: str, other: Mention) -> None:
    assert hits(kind, term, "words of no interest: my-example.com", other) == ()


def test_words_are_matched_in_title_and_text_with_their_place() -> None:
    text = "x" * 700 + " a supply chain attack"
    [hit] = hits(WatchKind.KEYWORD, "Supply Chain", text)
    assert text[hit.start : hit.end] == "supply chain"
    assert not hit.prominent
    [titled] = watched(WatchKind.KEYWORD, "title").hits("A title", "words", ())
    assert (titled.count, titled.start, titled.end, titled.prominent) == (1, 0, 0, True)


def test_what_stands_early_or_often_is_what_an_article_is_about() -> None:
    late = "x" * 700
    assert hits(WatchKind.KEYWORD, "acme", f"acme {late}")[0].prominent
    assert hits(WatchKind.KEYWORD, "acme", f"{late} acme acme acme")[0].prominent
    assert not hits(WatchKind.KEYWORD, "acme", f"{late} acme acme")[0].prominent


def test_a_name_that_is_also_words_is_counted_once() -> None:
    [hit] = hits(WatchKind.VENDOR, "acme", "acme", mention("vendor", "acme", count=1))
    assert hit.count == 1


def test_an_empty_watchlist_finds_nothing() -> None:
    assert len(Watch(())) == 0
    assert Watch(()).hits("title", "text", [mention("vendor", "acme")]) == ()


def test_hosts_are_read_from_what_has_one() -> None:
    assert host_in("url", "http://a.example/x") == "a.example"
    assert host_in("url", "no url") == ""
    assert host_in("sha256", "a.example") == ""
