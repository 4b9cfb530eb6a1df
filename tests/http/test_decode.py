import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.errors import FetchError, Reason
from ctiscraper.http.decode import decoder_for

TEXT = b"indicators of compromise " * 400


def decode(coding: str, data: bytes, limit: int = 1_000_000, step: int = 100) -> bytes:
    decoder = decoder_for(coding, limit)
    out = b"".join(decoder.feed(data[at : at + step]) for at in range(0, len(data), step))
    decoder.finish()
    return out


def gzipped(data: bytes) -> bytes:
    # With no time in it the bytes, and the tests' names, are the same in every process.
    return gzip.compress(data, mtime=0)


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzipped(TEXT)),
        ("X-GZip ", gzipped(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
        ("gzip", gzipped(TEXT[:99]) + gzipped(b"") + gzipped(TEXT[99:])),
        ("gzip", gzipped(TEXT) + b"\0" * 300),
        ("deflate", zlib.compress(TEXT) + b"padding"),
    ],
)
def test_body_is_restored(coding: str, data: bytes) -> None:
    assert decode(coding, data) == TEXT
    assert decode(coding, data, step=1) == TEXT
    assert decode(coding, data, step=len(data)) == TEXT


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_empty_body_is_empty(coding: str) -> None:
    assert decode(coding, b"") == b""


@pytest.mark.parametrize(
    "coding", ["br", "zstd", "compress", "gzip, gzip", "gzip,deflate", "gzip,", "utf-8", "gzip;q=1"]
)
def test_other_codings_are_refused(coding: str) -> None:
    with pytest.raises(FetchError) as caught:
        decoder_for(coding, 1000)

    assert caught.value.reason is Reason.ENCODING_REFUSED
    assert not caught.value.transient


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("", b"x" * 1001),
        ("gzip", gzipped(b"x" * 1001)),
        ("deflate", zlib.compress(b"x" * 1001)),
    ],
)
def test_body_past_the_cap_is_refused(coding: str, data: bytes) -> None:
    assert decode(coding, data, limit=1001)

    with pytest.raises(FetchError) as caught:
        decode(coding, data, limit=1000)
    assert caught.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize(("coding", "pack"), [("", bytes), ("gzip", gzipped)])
def test_truncating_keeps_what_fits(coding: str, pack: Callable[[bytes], bytes]) -> None:
    decoder = decoder_for(coding, 1000, truncate=True)
    data = pack(b"x" * 5000)
    out = decoder.feed(data[:500]) + decoder.feed(data[500:])
    decoder.finish()

    assert out == b"x" * 1000


def test_bomb_never_grows_past_the_cap() -> None:
    bomb = gzipped(b"\0" * 50_000_000)
    decoder = decoder_for("gzip", 10_000)

    with pytest.raises(FetchError) as caught:
        decoder.feed(bomb)
    assert caught.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize(
    "data", [b"plain text", gzipped(TEXT)[:10] + b"\xff" * 50, gzipped(TEXT)[:-20]]
)
def test_broken_body_is_told(data: bytes) -> None:
    with pytest.raises(FetchError) as caught:
        decode("gzip", data)
    assert caught.value.reason is Reason.ENCODING_BROKEN


def test_endless_empty_members_end() -> None:
    with pytest.raises(FetchError) as caught:
        decode("gzip", gzipped(b"") * 2000, step=1000)
    assert caught.value.reason is Reason.ENCODING_BROKEN


@given(st.binary(max_size=5000), st.integers(1, 700), st.sampled_from(["gzip", "deflate", ""]))
def test_any_bytes_in_any_pieces_come_back(data: bytes, step: int, coding: str) -> None:
    packed = {"gzip": gzipped(data), "deflate": zlib.compress(data), "": data}[coding]

    assert decode(coding, packed, step=step) == data


@given(st.binary(max_size=500), st.sampled_from(["gzip", "deflate"]))
def test_any_bytes_decode_or_fail_typed(data: bytes, coding: str) -> None:
    try:
        decoded = decode(coding, data, limit=1000)
    except FetchError as error:
        reason: Reason | None = error.reason
    else:
        reason = None
        assert len(decoded) <= 1000
    assert reason in {None, Reason.ENCODING_BROKEN, Reason.TOO_LARGE}
