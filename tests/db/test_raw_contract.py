"""What every raw store promises, wherever it keeps its bytes."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctiscraper.db.raw import FolderStore, RawStore, name_of
from ctiscraper.db.raw_outbox import OutboxStore
from ctiscraper.db.raw_s3 import S3Store
from s3_server import REGION, S3Server, s3_server

PAGE = b"<p>a page</p>" * 1000
LIMIT = 1 << 30


@dataclass(frozen=True)
class Kept:
    """A store, and a way to its bytes behind its back."""

    store: RawStore
    read: Callable[[bytes], bytes]
    write: Callable[[bytes, bytes], object]


def in_folder(tmp_path: Path) -> Kept:
    folder = tmp_path / "raw"

    def path(digest: bytes) -> Path:
        return folder / name_of(digest)

    return Kept(
        FolderStore(folder),
        lambda digest: path(digest).read_bytes(),
        lambda digest, packed: path(digest).write_bytes(packed),
    )


def in_bucket(server: S3Server, store: RawStore) -> Kept:
    def read(digest: bytes) -> bytes:
        key = f"raw/{name_of(digest)}"
        return server.client.get_object(Bucket=server.bucket, Key=key)["Body"].read()

    def write(digest: bytes, packed: bytes) -> None:
        key = f"raw/{name_of(digest)}"
        server.client.put_object(Bucket=server.bucket, Key=key, Body=packed)

    return Kept(store, read, write)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def remote(server: S3Server) -> Iterator[S3Store]:
    with closing(S3Store(server.bucket, "raw", endpoint=server.url, region=REGION)) as remote:
        yield remote


@pytest.fixture(params=["folder", "s3", "outbox"])
def kept(request: pytest.FixtureRequest, tmp_path: Path, server: S3Server, remote: S3Store) -> Kept:
    if request.param == "folder":
        return in_folder(tmp_path)
    for digest in remote.hashes():
        remote.delete(digest, untouched=0)
    outbox = OutboxStore(remote, tmp_path / "outbox", limit=LIMIT)
    return in_bucket(server, outbox if request.param == "outbox" else remote)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.binary())
def test_any_bytes_come_back_under_their_own_hash(kept: Kept, body: bytes) -> None:
    digest = kept.store.put(body)
    assert digest == hashlib.sha256(body).digest()
    assert kept.store.get(digest) == body


def test_large_bytes_come_back(kept: Kept) -> None:
    body = bytes(range(256)) * 40_000
    assert kept.store.get(kept.store.put(body)) == body


def test_the_same_bytes_are_kept_once_and_small(kept: Kept) -> None:
    digests = {kept.store.put(PAGE) for _ in range(3)}
    assert list(kept.store.hashes()) == list(digests)
    assert len(kept.read(digests.pop())) < len(PAGE) / 10


def test_threads_share_a_store(kept: Kept) -> None:
    bodies = [bytes([n % 4]) * 100_000 for n in range(24)]
    with ThreadPoolExecutor(8) as threads:
        digests = list(threads.map(kept.store.put, bodies))
        assert list(threads.map(kept.store.get, digests)) == bodies
    assert sorted(kept.store.hashes()) == sorted(set(digests))


def test_what_was_never_kept_is_not_there(kept: Kept) -> None:
    assert kept.store.get(bytes(32)) is None
    assert list(kept.store.hashes()) == []


def test_what_was_put_a_moment_ago_is_not_deleted(kept: Kept) -> None:
    digest = kept.store.put(PAGE)
    assert not kept.store.delete(digest)
    assert kept.store.get(digest) == PAGE


def test_a_listing_goes_on_after_any_hash(kept: Kept) -> None:
    digests = sorted(kept.store.put(bytes([n]) * 10) for n in range(6))
    assert list(kept.store.hashes()) == digests
    assert list(kept.store.hashes(digests[2])) == digests[3:]
    assert list(kept.store.hashes(digests[-1])) == []


def test_what_is_deleted_is_gone_and_the_rest_stays(kept: Kept) -> None:
    one, other = kept.store.put(b"one"), kept.store.put(b"other")
    for _ in range(2):
        assert kept.store.delete(one, untouched=0)
        assert kept.store.get(one) is None
        assert list(kept.store.hashes()) == [other]
    assert kept.store.get(other) == b"other"
    assert kept.store.get(kept.store.put(b"one")) == b"one"


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "head"])
def test_damaged_bytes_are_not_given_for_good_ones(kept: Kept, harm: str) -> None:
    digest = kept.store.put(PAGE)
    packed = kept.read(digest)
    middle = len(packed) // 2
    kept.write(
        digest,
        {
            "flip": packed[:middle] + bytes([packed[middle] ^ 0xFF]) + packed[middle + 1 :],
            "cut": packed[:middle],
            "empty": b"",
            # A frame that claims to hold 2^63 bytes.
            "head": packed[:4] + b"\xe0" + b"\xff" * 7 + b"\x7f" + packed[7:],
        }[harm],
    )
    assert kept.store.get(digest) is None


def test_bytes_under_a_foreign_hash_are_not_given(kept: Kept) -> None:
    one, other = kept.store.put(b"one"), kept.store.put(b"other")
    kept.write(one, kept.read(other))
    assert kept.store.get(one) is None
