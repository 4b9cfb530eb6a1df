"""What a new version says differently, and whose claims that touches."""

from dataclasses import replace

import msgspec
import pytest

import make_packs as make
from ctiscraper.intelligence import Extractor
from ctiscraper.packs import changes, cve
from ctiscraper.packs.changes import changed_names, compare
from ctiscraper.packs.registry import KNOWN


def test_only_records_that_differ_name_their_words() -> None:
    old = make.ZooPack(animals=(make.Animal(name="APT28", aliases=("Fancy Bear",)), CAT))
    new = make.ZooPack(animals=(make.Animal(name="APT28", aliases=("Sofacy",)), CAT))
    change = compare(make.ZOO, ("1", old), ("2", new))
    assert change.extractors == (Extractor.NAMES,)
    assert change.names == frozenset({"APT28", "Fancy Bear", "Sofacy"})
    assert (change.pack, change.old, change.new) == ("zoo", "1", "2")


CAT = make.Animal(name="Charming Kitten")


def test_records_in_another_order_change_nothing() -> None:
    change = compare(
        make.ZOO, ("1", make.zoo_of("one", "other")), ("2", make.zoo_of("other", "one"))
    )
    assert (change.extractors, change.names) == ((), frozenset())


def test_a_first_pack_and_one_with_many_changes_touch_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert compare(make.ZOO, None, ("1", make.zoo_of("one"))).names is None
    monkeypatch.setattr(changes, "MOST_NAMES", 2)
    change = compare(make.ZOO, ("1", make.zoo_of()), ("2", make.zoo_of("one", "two", "three")))
    assert (change.extractors, change.names) == ((Extractor.NAMES,), None)


def test_a_change_of_what_is_no_record_touches_everything() -> None:
    class Table(msgspec.Struct):
        words: tuple[str, ...] = ()
        numbers: bytes = b""

    assert changed_names(Table(words=("abc",)), Table(words=("abx",))) == frozenset({"abc", "abx"})
    assert changed_names(Table(), Table(numbers=b"1")) is None


def test_a_pack_that_readers_join_touches_no_extractor() -> None:
    old, new = cve.CvePack(), cve.with_kev(cve.CvePack(), [], "2")
    assert compare(KNOWN["cve"], ("1", old), ("2", new)).extractors == ()


def test_a_pack_may_say_itself_what_changed() -> None:
    known = replace(KNOWN["cve"], extractors=(Extractor.SCORE,))
    new = cve.with_cvss(cve.CvePack(), {cve.key_of("CVE-2026-0001") or 0: SCORE}, "2")
    change = compare(known, ("1", cve.CvePack()), ("2", new))
    assert (change.extractors, change.names) == ((Extractor.SCORE,), frozenset({"CVE-2026-0001"}))


SCORE = cve.Cvss(9.8, "CVSS:3.1/AV:N", "3.1")
