"""What is known of vulnerabilities by their CVE number, in columns: there are very many."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from ctiscraper.packs.info import PackInfo

NAME = "cve"
EPSS, KEV, CVSS = "epss", "kev", "cvss"
# The version of CVSS up to which all feeds were read.
COMPLETE = "cvss complete"

Keys = NDArray[np.uint64]
Reals = NDArray[np.float32]
Numbers = NDArray[np.uint32]

_ID = re.compile(r"CVE-(\d{4})-(\d{4,10})", re.IGNORECASE | re.ASCII)
_MOST_NUMBER = (1 << 32) - 1


class Cvss(NamedTuple):
    """A base score, the vector that it follows from, and the version of both."""

    score: float
    vector: str
    version: str


class Kev(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """An entry of the catalogue of vulnerabilities that are known to be exploited."""

    id: str
    added: date
    due: date | None
    ransomware: bool
    vendor: str
    product: str
    name: str


class CveFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one vulnerability; what nobody said is None."""

    id: str
    cvss: Cvss | None = None
    epss: float | None = None
    epss_percentile: float | None = None
    kev: Kev | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """EPSS of many vulnerabilities, by rising key."""

    keys: Keys
    epss: Reals
    percentile: Reals


class CvePack(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of little-endian numbers, by rising key; a score that is not known is NaN.

    A key is year and number of a CVE; `vector` is a place in `vectors`, whose first is of none.
    `parts` has the version of each source.
    """

    keys: bytes = b""
    cvss: bytes = b""
    vector: bytes = b""
    vectors: tuple[tuple[str, str], ...] = (("", ""),)
    epss: bytes = b""
    percentile: bytes = b""
    kev: tuple[Kev, ...] = ()
    parts: dict[str, str] = {}

    def __post_init__(self) -> None:
        """Refuse columns that do not belong together."""
        count, odd = divmod(len(self.keys), 8)
        columns = (self.cvss, self.vector, self.epss, self.percentile)
        if odd or any(len(column) != 4 * count for column in columns):
            raise ValueError("the columns are not of one length")
        keys = column_of_keys(self)
        if count and not bool(np.all(keys[1:] > keys[:-1])):
            raise ValueError("the keys are not in order")
        if count and int(_numbers(self.vector).max()) >= len(self.vectors):
            raise ValueError("a vector is not there")
        for column, most in ((self.cvss, 10.0), (self.epss, 1.0), (self.percentile, 1.0)):
            if np.any((_reals(column) < 0) | (_reals(column) > most)):
                raise ValueError("a score is out of its range")
        if any(key_of(kev.id) is None for kev in self.kev):
            raise ValueError("an exploited vulnerability has no CVE number")

    def __len__(self) -> int:
        """How many vulnerabilities something is known of."""
        known = {id_of(int(key)) for key in column_of_keys(self)} if self.kev else set()
        alone = sum(kev.id not in known for kev in self.kev)
        return len(self.keys) // 8 + alone


def key_of(cve: str) -> int | None:
    """Return year and number of a CVE as one number, None for what is none."""
    found = _ID.fullmatch(cve)
    if found is None or int(found[2]) > _MOST_NUMBER:
        return None
    return int(found[1]) << 32 | int(found[2])


def id_of(key: int) -> str:
    """Return the CVE of a key, as it is written."""
    return f"CVE-{key >> 32:04d}-{key & _MOST_NUMBER:04d}"


def build_default() -> tuple[PackInfo, CvePack]:
    """Return a pack without data: no package has any."""
    pack = CvePack()
    return cve_info(pack), pack


_TERMS = {
    KEV: (
        "CISA Known Exploited Vulnerabilities Catalog",
        "CC0-1.0",
        "Known exploited vulnerabilities: catalogue of CISA, which does not endorse this product.",
    ),
    EPSS: (
        "FIRST EPSS",
        "free to use, attribution asked for",
        (
            "EPSS scores: see EPSS at https://www.first.org/epss (Jacobs, Romanosky, Edwards, "
            "Roytman, Adjerid: Exploit Prediction Scoring System, 2021)."
        ),
    ),
    CVSS: (
        "NIST NVD and the CVE List",
        "public domain (NVD), CVE terms of use (CVE List)",
        (
            "CVSS: this product uses data from the NVD but is not endorsed or certified by the "
            "NVD. CVE is a trademark of The MITRE Corporation; "
            "terms: https://www.cve.org/Legal/TermsOfUse."
        ),
    ),
}


def cve_info(pack: CvePack) -> PackInfo:
    """Return what a pack says of itself: its sources with their versions."""
    there = [part for part in (KEV, EPSS, CVSS) if part in pack.parts]
    return PackInfo(
        name=NAME,
        version=", ".join(f"{part} {pack.parts[part]}" for part in there) or "empty",
        source=", ".join(_TERMS[part][0] for part in there) or "none yet",
        licence="; ".join(_TERMS[part][1] for part in there) or "none",
        notice="\n".join(_TERMS[part][2] for part in there)
        or "No CVE data yet: run 'ctiscraper data update cve'.",
    )


def with_epss(pack: CvePack, scores: Scores, version: str) -> CvePack:
    """Return the pack with these scores of EPSS and no others."""
    columns = _Columns.of(pack)
    columns.epss[:] = np.nan
    columns.percentile[:] = np.nan
    columns = columns.widened(scores.keys)
    at = np.searchsorted(columns.keys, scores.keys)
    columns.epss[at] = scores.epss
    columns.percentile[at] = scores.percentile
    return columns.pack(pack, pack.parts | {EPSS: version})


def with_cvss(pack: CvePack, scores: Mapping[int, Cvss | None], version: str) -> CvePack:
    """Return the pack with these base scores beside those it has; None takes one away."""
    keys = np.array(sorted(scores), dtype=np.uint64)
    columns = _Columns.of(pack).widened(keys)
    vectors = list(pack.vectors)
    place = {vector: at for at, vector in enumerate(vectors)}
    for at, key in zip(np.searchsorted(columns.keys, keys), keys, strict=True):
        score = scores[int(key)]
        if score is None:
            columns.cvss[at], columns.vector[at] = np.nan, 0
            continue
        vector = (score.version, score.vector)
        if vector not in place:
            place[vector] = len(vectors)
            vectors.append(vector)
        columns.cvss[at], columns.vector[at] = score.score, place[vector]
    wide = msgspec.structs.replace(pack, vectors=tuple(vectors))
    return columns.pack(wide, pack.parts | {CVSS: version})


def with_kev(pack: CvePack, entries: Sequence[Kev], version: str) -> CvePack:
    """Return the pack with this catalogue of exploited vulnerabilities and no other."""
    ordered = tuple(sorted(entries, key=lambda kev: key_of(kev.id) or 0))
    return msgspec.structs.replace(pack, kev=ordered, parts=pack.parts | {KEV: version})


def complete(pack: CvePack) -> CvePack:
    """Return the pack with the note that nothing is missing up to the version of its scores."""
    return msgspec.structs.replace(pack, parts=pack.parts | {COMPLETE: pack.parts.get(CVSS, "")})


def facts(pack: CvePack) -> Iterator[CveFacts]:
    """Yield what is known of each vulnerability."""
    exploited = {kev.id: kev for kev in pack.kev}
    columns = _Columns.of(pack)
    rows = zip(
        columns.keys.tolist(),
        columns.cvss.tolist(),
        columns.vector.tolist(),
        columns.epss.tolist(),
        columns.percentile.tolist(),
        strict=True,
    )
    for key, cvss, vector, epss, percentile in rows:
        cve = id_of(key)
        version, words = pack.vectors[vector]
        yield CveFacts(
            id=cve,
            cvss=None if cvss != cvss else Cvss(round(cvss, 1), words, version),  # noqa: PLR0124 - NaN alone differs from itself
            epss=_known(epss),
            epss_percentile=_known(percentile),
            kev=exploited.pop(cve, None),
        )
    yield from (CveFacts(id=cve, kev=kev) for cve, kev in exploited.items())


def changed_names(old: CvePack, new: CvePack) -> frozenset[str]:
    """Return the vulnerabilities of which two packs say different things."""
    one, other = _Columns.of(old), _Columns.of(new)
    keys = np.union1d(one.keys, other.keys)
    one, other = one.widened(keys), other.widened(keys)
    differ = ~(
        _same(one.cvss, other.cvss)
        & _same(one.epss, other.epss)
        & _same(one.percentile, other.percentile)
    )
    vectors = zip(one.vector.tolist(), other.vector.tolist(), strict=True)
    differ |= np.array([old.vectors[a] != new.vectors[b] for a, b in vectors], dtype=bool)
    exploited = {kev.id for kev in set(old.kev) ^ set(new.kev)}
    return frozenset({id_of(int(key)) for key in keys[differ]} | exploited)


def column_of_keys(pack: CvePack) -> Keys:
    """Return the keys of a pack."""
    return np.frombuffer(pack.keys, dtype="<u8")


def _reals(column: bytes) -> Reals:
    return np.frombuffer(column, dtype="<f4")


def _numbers(column: bytes) -> Numbers:
    return np.frombuffer(column, dtype="<u4")


def _known(value: float) -> float | None:
    """Return a score with the digits that it was given with, None for NaN."""
    return None if value != value else round(value, 5)  # noqa: PLR0124 - NaN alone differs from itself


def _same(one: Reals, other: Reals) -> NDArray[np.bool_]:
    return cast("NDArray[np.bool_]", (one == other) | (np.isnan(one) & np.isnan(other)))


@dataclass(slots=True)
class _Columns:
    """The columns of a pack as arrays that may be changed."""

    keys: Keys
    cvss: Reals
    vector: Numbers
    epss: Reals
    percentile: Reals

    @classmethod
    def of(cls, pack: CvePack) -> "_Columns":
        return cls(
            column_of_keys(pack).copy(),
            _reals(pack.cvss).copy(),
            _numbers(pack.vector).copy(),
            _reals(pack.epss).copy(),
            _reals(pack.percentile).copy(),
        )

    def widened(self, more: Keys) -> "_Columns":
        """Return the columns with rows for these keys too."""
        keys = np.union1d(self.keys, more).astype(np.uint64)
        at = np.searchsorted(keys, self.keys)
        made = _Columns(
            keys,
            np.full(len(keys), np.nan, dtype=np.float32),
            np.zeros(len(keys), dtype=np.uint32),
            np.full(len(keys), np.nan, dtype=np.float32),
            np.full(len(keys), np.nan, dtype=np.float32),
        )
        made.cvss[at], made.vector[at] = self.cvss, self.vector
        made.epss[at], made.percentile[at] = self.epss, self.percentile
        return made

    def pack(self, old: CvePack, parts: dict[str, str]) -> CvePack:
        """Return the columns as a pack, without rows and vectors that say nothing."""
        known = ~(np.isnan(self.cvss) & np.isnan(self.epss))
        used, vector = np.unique(np.append(self.vector[known], np.uint32(0)), return_inverse=True)
        return CvePack(
            keys=self.keys[known].astype("<u8").tobytes(),
            cvss=self.cvss[known].astype("<f4").tobytes(),
            vector=vector[:-1].astype("<u4").tobytes(),
            vectors=tuple(old.vectors[at] for at in used.tolist()),
            epss=self.epss[known].astype("<f4").tobytes(),
            percentile=self.percentile[known].astype("<f4").tobytes(),
            kev=old.kev,
            parts=parts,
        )
