"""An outbox before a store that refuses some bodies and takes the others."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ctiscraper.db import raw_outbox
from ctiscraper.db.raw import FolderStore
from ctiscraper.db.raw_outbox import OutboxStore, Waiting
from ctiscraper.db.raw_s3 import S3Store
from ctiscraper.errors import Reason, StorageError
from s3_server import REGION, Harm, HarmfulProxy, harmful_proxy, s3_server

LIMIT = 1 << 20


class Filtered(FolderStore):
    """A folder behind something that refuses bodies with a word in them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.refuses = b"bad"
        self.is_away = False
        self.refused: list[bytes] = []

    def put(self, body: bytes) -> bytes:
        if self.is_away:
            raise StorageError(Reason.STORAGE, "nobody answers")
        if self.refuses in body:
            self.refused.append(body)
            raise StorageError(Reason.STORAGE, "413", transient=False, of_one=True)
        return super().put(body)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test asks for is over."""
    monkeypatch.setattr(raw_outbox, "REST_SECONDS", 600.0)
    monkeypatch.setattr(raw_outbox, "LONG_REST_SECONDS", 600.0)


@pytest.fixture
def remote(tmp_path: Path) -> Filtered:
    (tmp_path / "raw").mkdir()
    return Filtered(tmp_path / "raw")


@pytest.fixture
def outbox(remote: Filtered, tmp_path: Path) -> OutboxStore:
    return OutboxStore(remote, tmp_path / "outbox", limit=LIMIT)


def kinds(tmp_path: Path) -> list[str]:
    return sorted(path.suffix for path in (tmp_path / "outbox").iterdir())


def fill(outbox: OutboxStore, remote: Filtered, *bodies: bytes) -> list[bytes]:
    """Have bodies wait, as during an outage that ended."""
    remote.is_away = True
    digests = [outbox.put(body) for body in bodies]
    remote.is_away = False
    return digests


def test_what_is_refused_alone_holds_up_no_other(
    outbox: OutboxStore, remote: Filtered, tmp_path: Path
) -> None:
    bad = outbox.put(b"bad")
    good = [outbox.put(b"good %d" % number) for number in range(3)]
    assert sorted(remote.hashes()) == sorted(good), "nobody lets the store be for it"
    assert outbox.last_error is None
    assert outbox.flush() == 0
    assert (outbox.get(bad), outbox.waiting().items) == (b"bad", 1)
    assert kinds(tmp_path) == [".zst"]


def test_what_waits_behind_it_arrives_and_it_is_set_aside(
    outbox: OutboxStore, remote: Filtered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_outbox, "LONG_REST_SECONDS", 0.0)
    bad, *good = fill(outbox, remote, b"bad", b"good 1", b"good 2")
    assert outbox.flush() == 2
    assert sorted(remote.hashes()) == sorted(good)
    assert outbox.flush() == 0
    assert kinds(tmp_path) == [".refused"]
    # It is kept and told, counts as what waits, and is tried again seldom.
    waiting = outbox.waiting()
    assert (waiting.items, waiting.refused) == (1, 1)
    assert waiting.size > 0
    assert outbox.get(bad) == b"bad"
    assert bad in set(outbox.hashes())
    asked = len(remote.refused)
    assert outbox.flush() == 0
    assert len(remote.refused) == asked
    # Put once more it takes no more room.
    assert outbox.put(b"bad") == bad
    assert outbox.waiting() == waiting
    assert outbox.last_error is None


def test_it_arrives_once_the_store_takes_it(
    outbox: OutboxStore, remote: Filtered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_outbox, "LONG_REST_SECONDS", 0.0)
    monkeypatch.setattr(raw_outbox, "ASIDE_SECONDS", 0.0)
    bad, _, _ = fill(outbox, remote, b"bad 1", b"bad 2", b"good")
    with pytest.raises(StorageError, match="413"):
        outbox.flush()
    for _ in range(3):
        outbox.flush()
    assert kinds(tmp_path) == [".refused", ".refused"]
    assert outbox.last_error is None, "what is known to be refused says nothing of the store"
    remote.refuses = b"bad 2"
    assert outbox.flush() == 1
    assert remote.get(bad) == b"bad 1"
    assert outbox.waiting().items == 1
    # Another process knows nothing of it, and tries it at its start.
    remote.refuses = b"nothing"
    assert OutboxStore(remote, tmp_path / "outbox", limit=LIMIT).flush() == 1
    assert outbox.waiting() == Waiting()


def test_many_of_them_do_not_keep_others_from_their_turn(
    outbox: OutboxStore, remote: Filtered
) -> None:
    bad = [b"bad %d" % number for number in range(4)]
    *_, good = fill(outbox, remote, *bad, b"good")
    for _ in range(2):
        with pytest.raises(StorageError, match="413"):
            outbox.flush()
    assert outbox.flush() == 1
    assert list(remote.hashes()) == [good]


def test_a_store_that_refuses_two_in_a_row_is_let_be(outbox: OutboxStore, remote: Filtered) -> None:
    outbox.put(b"bad 1")
    assert outbox.last_error is None
    outbox.put(b"bad 1")
    assert outbox.last_error is None, "it is the same one"
    outbox.put(b"bad 2")
    assert outbox.last_error is not None
    outbox.put(b"good")
    assert len(remote.refused) == 3
    assert list(remote.hashes()) == []
    assert outbox.waiting().items == 3


def test_what_is_set_aside_can_be_deleted_once_it_is_old(
    outbox: OutboxStore, remote: Filtered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_outbox, "LONG_REST_SECONDS", 0.0)
    bad, _ = fill(outbox, remote, b"bad", b"good")
    outbox.flush()
    outbox.flush()
    assert kinds(tmp_path) == [".refused"]
    assert not outbox.delete(bad)
    assert outbox.get(bad) == b"bad"
    assert outbox.delete(bad, untouched=-1.0)
    assert outbox.get(bad) is None
    assert outbox.waiting() == Waiting()


def test_a_body_that_cannot_be_deleted_leaves_the_store_as_it_is(
    outbox: OutboxStore, remote: Filtered, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = outbox.put(b"good")

    def locked(sha256: bytes, *, untouched: float) -> bool:
        del sha256, untouched
        raise StorageError(Reason.STORAGE, "locked", transient=False)

    monkeypatch.setattr(remote, "delete", locked)
    for _ in range(2):
        with pytest.raises(StorageError, match="locked"):
            outbox.delete(digest)
    assert outbox.last_error is None
    outbox.put(b"good too")
    assert outbox.waiting() == Waiting()


@pytest.fixture
def proxy() -> Iterator[tuple[HarmfulProxy, S3Store]]:
    with s3_server() as server, harmful_proxy(server.port) as proxy:
        server.make_bucket()
        with closing(S3Store(server.bucket, "raw", endpoint=proxy.url, region=REGION)) as remote:
            yield proxy, remote


def test_what_of_s3_s_answers_may_be_so_of_one_body(proxy: tuple[HarmfulProxy, S3Store]) -> None:
    harmed, remote = proxy
    found = {}
    for status, code in (
        (413, ""),
        (400, "EntityTooLarge"),
        (403, ""),
        (502, ""),
        (403, "AccessDenied"),
        (404, "NoSuchBucket"),
        (429, ""),
        (503, "SlowDown"),
    ):
        harmed.harm = lambda _, status=status, code=code: Harm(status, code)  # type: ignore[misc]
        with pytest.raises(StorageError) as caught:
            remote.put(b"a page")
        found[status, code] = caught.value.of_one
    assert [key for key, of_one in found.items() if of_one] == [
        (413, ""),
        (400, "EntityTooLarge"),
        (403, ""),
        (502, ""),
    ]
