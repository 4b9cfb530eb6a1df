import hashlib
import itertools
import re
import unicodedata
from dataclasses import replace

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.extract.fingerprint import (
    FINGERPRINT_VERSION,
    fingerprint,
    is_near_duplicate,
    similarity,
)
from ctiscraper.types import Fingerprint
from extract.advisories import advisory, edited, prose


def share_a_band(one: Fingerprint, two: Fingerprint) -> bool:
    """As the database looks them up: any key of one among the keys of the other."""
    return bool(set(one.bands) & set(two.bands))


def test_advisories_on_one_template_are_no_duplicates() -> None:
    prints = [fingerprint(advisory(number)) for number in range(240)]
    pairs = list(itertools.combinations(prints, 2))
    assert [pair for pair in pairs if is_near_duplicate(*pair)] == []
    assert min(similarity(*pair) for pair in pairs) > 0.35


def test_an_advisory_collected_twice_is_a_duplicate() -> None:
    for number in range(40):
        text = advisory(number)
        first = fingerprint(text)
        again = fingerprint(f"{prose(number, 40)} {edited(text, 0.02, number)} 7 min read")
        assert share_a_band(first, again)
        assert is_near_duplicate(first, again)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.03, 0.05])
def test_edited_copies_are_candidates_and_duplicates(share: float) -> None:
    for seed in range(40):
        text = prose(seed, 400)
        first, copy = fingerprint(text), fingerprint(edited(text, share, seed + 1))
        assert share_a_band(first, copy)
        assert is_near_duplicate(first, copy)


def test_an_excerpt_is_found_by_what_it_shares() -> None:
    text = prose(7, 600)
    assert is_near_duplicate(fingerprint(text), fingerprint(text[: len(text) * 2 // 3]))


def test_unrelated_texts_share_nothing() -> None:
    prints = [fingerprint(prose(seed, 400)) for seed in range(60)]
    for first, second in itertools.combinations(prints, 2):
        assert not share_a_band(first, second)
        assert similarity(first, second) < 0.1


def test_the_algorithm_does_not_drift() -> None:
    # These values are stored in databases: a change of them needs a new version.
    print_ = fingerprint("The loader talks to 203.0.113[.]77 over HTTP, every seven minutes.")
    assert print_.version == FINGERPRINT_VERSION == 1
    assert print_.text_sha256.hex()[:16] == "e362546be7d1fb64"
    assert print_.signature[:12].hex() == "fbb4d50c2de12030dadf3a05"
    assert print_.bands[:3] == (1562656177, -1466369529, -1549804788)
    assert print_.shingles == 9


def test_shapes_are_what_the_database_expects() -> None:
    print_ = fingerprint(prose(1, 300))
    assert len(print_.signature) % 4 == 0
    assert len(print_.bands) == 32
    assert all(-(2**31) <= key < 2**31 for key in print_.bands)


def test_case_and_punctuation_do_not_count() -> None:
    assert (
        fingerprint("Hello, World of \uff21rms!").text_sha256
        == fingerprint("hello world -- of arms").text_sha256
    )


def test_versions_are_never_compared() -> None:
    print_ = fingerprint(prose(1, 100))
    assert similarity(print_, replace(print_, version=99)) == 0.0
    assert not is_near_duplicate(print_, replace(print_, version=99))


def test_empty_texts_resemble_nothing() -> None:
    empty = fingerprint(" \n")
    assert empty.bands == ()
    assert similarity(empty, empty) == 0.0
    assert not is_near_duplicate(empty, empty)


@given(st.text(), st.text())
def test_fingerprints_are_total_and_symmetric(first: str, second: str) -> None:
    one, two = fingerprint(first), fingerprint(second)
    assert fingerprint(first) == one
    assert similarity(one, two) == similarity(two, one)
    assert is_near_duplicate(one, two) == is_near_duplicate(two, one)


FULL = (1 << 64) - 1
PLAIN = st.sampled_from([*map(chr, range(128)), *"\u2019\u201c\u2014\u2026\u2022\xa0"])
ANY_WORD = st.text(st.one_of(PLAIN, st.characters()), max_size=12)


def values_of(words: list[str]) -> set[int]:
    """The distinct shingles, as defined: in plain numbers, one after the other."""
    hashed = [xxhash.xxh3_64_intdigest(w.encode("utf-8", "replace")) for w in words]
    found = set()
    for start in range(max(1, len(words) - 4) if words else 0):
        total = 0
        for word in hashed[start : start + 5]:
            total = (total * 0x100000001B3 + word) & FULL
        found.add(((total ^ total >> 32) * 0x9E3779B97F4A7C15) & FULL)
    return found


def least_of(values: set[int], count: int, seed: int) -> list[int]:
    drawn = [xxhash.xxh64_intdigest(i.to_bytes(4, "little"), seed=seed) for i in range(2 * count)]
    pairs = zip(drawn[:count], drawn[count:], strict=True)
    return [
        min(((((v * (m | 1) + a) & FULL) >> 32) for v in values), default=0xFFFFFFFF)
        for m, a in pairs
    ]


@given(st.one_of(st.text(PLAIN), st.lists(ANY_WORD, max_size=40).map(" ".join)))
def test_what_is_stored_is_what_the_algorithm_says(text: str) -> None:
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())
    marked = (t for t in text.split() if re.search(r"\d", t))
    edged = {t.strip(".,;:!?()\"'`|/-").casefold() for t in marked}
    details = {xxhash.xxh3_64_intdigest(t.encode("utf-8", "replace")) for t in edged if len(t) > 3}
    shingles = values_of(words)
    signature = [*least_of(shingles, 128, 1), *least_of(details, 64, 2), len(details)]
    print_ = fingerprint(text)
    assert np.frombuffer(print_.signature, dtype="<u4").tolist() == signature
    assert print_.shingles == len(shingles)
    joined = " ".join(words).encode("utf-8", "replace")
    assert print_.text_sha256 == hashlib.sha256(joined).digest()


def test_a_text_of_several_chunks_is_one_text() -> None:
    text = prose(3, 2_000)
    words = text.casefold().split()
    found = np.frombuffer(fingerprint(text).signature, dtype="<u4")[:128].tolist()
    assert found == least_of(values_of(re.findall(r"\w+", " ".join(words))), 128, 1)
