"""The outbox: whatever happens to S3, to the disk or to us, no body is lost or harmed."""

import fcntl
import hashlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from ctiscraper.db import raw_outbox
from ctiscraper.db.raw import PART_SECONDS, FolderStore, name_of
from ctiscraper.db.raw_outbox import OutboxStore, Waiting
from ctiscraper.db.raw_s3 import S3Store
from ctiscraper.errors import Reason, StorageError
from db.raw_child import body, child, lines
from s3_server import REGION, Harm, HarmfulProxy, Request, S3Server, harmful_proxy, s3_server

LIMIT = 1 << 30
DENIED = Harm(403, "AccessDenied")
BUSY = Harm(503, "SlowDown")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine changes nothing: who rests does so throughout, who ends has the time."""
    monkeypatch.setattr(raw_outbox, "REST_SECONDS", 600.0)
    monkeypatch.setattr(raw_outbox, "STOP_SECONDS", 60.0)


@pytest.fixture(scope="module")
def shared() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def server(shared: S3Server) -> S3Server:
    shared.make_bucket()
    return shared


@pytest.fixture
def proxy(server: S3Server) -> Iterator[HarmfulProxy]:
    with harmful_proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def remote(server: S3Server, proxy: HarmfulProxy) -> Iterator[S3Store]:
    with closing(S3Store(server.bucket, "raw", endpoint=proxy.url, region=REGION)) as remote:
        yield remote


@pytest.fixture
def outbox(remote: S3Store, tmp_path: Path) -> OutboxStore:
    return OutboxStore(remote, tmp_path / "outbox", limit=LIMIT)


def fill(outbox: OutboxStore, proxy: HarmfulProxy, count: int, harm: Harm = BUSY) -> list[bytes]:
    """Put bodies while S3 is away; give their hashes."""
    proxy.harm = lambda _: harm
    digests = [outbox.put(body(0, number)) for number in range(count)]
    proxy.harm = lambda _: None
    proxy.requests.clear()
    return digests


def keys(digests: list[bytes]) -> list[str]:
    return [f"raw/{name_of(digest)}" for digest in digests]


def uploads(proxy: HarmfulProxy) -> list[str]:
    """The keys of the uploads that the proxy saw, in order."""
    return [r.path.split("/", 2)[2] for r in proxy.requests if r.method == "PUT"]


def files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "outbox").iterdir())


def test_while_s3_answers_nothing_waits(
    server: S3Server, outbox: OutboxStore, tmp_path: Path
) -> None:
    digest = outbox.put(b"a page")
    assert outbox.get(digest) == b"a page"
    assert server.versions() == keys([digest])
    assert outbox.waiting() == Waiting()
    assert outbox.last_error is None
    assert not (tmp_path / "outbox").exists()


@pytest.mark.parametrize("harm", [BUSY, DENIED, Harm(cut=40)])
def test_what_s3_does_not_take_waits_and_arrives_once_in_order(
    server: S3Server, outbox: OutboxStore, proxy: HarmfulProxy, harm: Harm
) -> None:
    digests = fill(outbox, proxy, 20, harm)
    assert [outbox.get(digest) for digest in digests] == [body(0, n) for n in range(20)]
    assert sorted(outbox.hashes()) == sorted(digests)
    waiting = outbox.waiting()
    assert waiting.items == 20
    assert waiting.size > sum(len(body(0, n)) for n in range(20)) * 0.9
    assert outbox.last_error is not None
    assert outbox.last_error.transient is (harm is not DENIED)
    assert outbox.flush() == 20
    assert uploads(proxy) == keys(digests)
    assert outbox.waiting() == Waiting()
    assert outbox.last_error is None
    assert [outbox.get(digest) for digest in digests] == [body(0, n) for n in range(20)]
    if harm.cut is None:
        assert sorted(server.versions()) == sorted(keys(digests))


def test_a_lost_answer_makes_the_same_object_again(
    outbox: OutboxStore, remote: S3Store, proxy: HarmfulProxy
) -> None:
    [digest] = fill(outbox, proxy, 1, Harm(lose=True))
    assert outbox.waiting().items == 1
    outbox.flush()
    assert list(remote.hashes()) == [digest]
    assert remote.get(digest) == body(0, 0)


def test_a_store_that_is_away_is_asked_once_and_then_let_be(
    outbox: OutboxStore, proxy: HarmfulProxy
) -> None:
    proxy.harm = lambda _: BUSY
    outbox.put(b"the one that finds out")
    asked = len(proxy.requests)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(outbox.put, (body(1, n) for n in range(20))))
    with pytest.raises(StorageError, match="SlowDown"):
        outbox.get(bytes(32))
    assert len(proxy.requests) == asked
    assert outbox.waiting().items == 21


def test_after_its_rest_one_request_finds_out_for_all(
    outbox: OutboxStore, proxy: HarmfulProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_outbox, "REST_SECONDS", 0.0)
    fill(outbox, proxy, 1)
    outbox.put(b"another")
    assert uploads(proxy) == keys([hashlib.sha256(b"another").digest()])
    assert outbox.last_error is None


def test_what_nobody_mends_by_waiting_is_asked_seldom(
    outbox: OutboxStore, proxy: HarmfulProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_outbox, "REST_SECONDS", 0.0)
    fill(outbox, proxy, 1, DENIED)
    outbox.put(b"another")
    assert proxy.requests == []
    assert outbox.last_error is not None
    assert "s3:PutObject" in outbox.last_error.detail


def test_a_fault_in_the_middle_keeps_the_rest_for_later(
    server: S3Server, outbox: OutboxStore, proxy: HarmfulProxy
) -> None:
    digests = fill(outbox, proxy, 9)
    proxy.harm = lambda _: BUSY if len(proxy.requests) > 4 else None
    with pytest.raises(StorageError, match="SlowDown"):
        outbox.flush()
    assert outbox.waiting().items == 5
    assert [outbox.get(digest) for digest in digests[4:]] == [body(0, n) for n in range(4, 9)]
    proxy.harm = lambda _: None
    assert outbox.flush() == 5
    assert sorted(server.versions()) == sorted(keys(digests))


def test_s3_dies_under_load_and_comes_back_with_everything_arriving(tmp_path: Path) -> None:
    with (
        s3_server() as server,
        closing(S3Store(server.bucket, "raw", endpoint=server.url, region=REGION)) as remote,
        ThreadPoolExecutor(4) as threads,
    ):
        outbox = OutboxStore(remote, tmp_path / "outbox", limit=LIMIT)
        puts = [threads.submit(outbox.put, body(2, n)) for n in range(60)]
        puts[20].result()
        server.stop()
        digests = [put.result() for put in puts]
        away = outbox.put(b"while it is away")
        assert outbox.waiting().items >= 1
        assert outbox.get(away) == b"while it is away"
        server.start()
        with outbox.flushing(every=60):
            pass
        assert outbox.waiting().items >= 1, "it rests, and is not asked at once"
        outbox.flush()
        assert outbox.waiting() == Waiting()
        assert sorted(remote.hashes()) == sorted([*digests, away])
        assert all(remote.get(digests[n]) == body(2, n) for n in range(60))


def test_a_full_outbox_takes_no_more_until_some_have_left(
    remote: S3Store, proxy: HarmfulProxy, tmp_path: Path
) -> None:
    sizes = [len(body(0, n)) for n in range(6)]
    outbox = OutboxStore(remote, tmp_path / "outbox", limit=sum(sizes[:5]) + 200)
    digests = fill(outbox, proxy, 5)
    with pytest.raises(StorageError, match="full with 5 bodies") as caught:
        outbox.put(body(0, 5) * 2)
    assert caught.value.reason is Reason.STORAGE
    assert "SlowDown" in caught.value.detail
    assert outbox.put(body(0, 0)) == digests[0], "what waits already takes no room"
    assert len(files(tmp_path)) == 5
    outbox.flush()
    proxy.harm = lambda _: BUSY
    assert outbox.get(outbox.put(b"new")) == b"new"


def test_the_bound_holds_for_several_processes(
    remote: S3Store, proxy: HarmfulProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_outbox, "COUNT_SECONDS", 0.0)
    one, other = (OutboxStore(remote, tmp_path / "outbox", limit=200_000) for _ in range(2))
    proxy.harm = lambda _: BUSY
    with ThreadPoolExecutor(4) as threads:
        puts = [threads.submit((one, other)[n % 2].put, body(3, n)) for n in range(100)]
    assert {type(put.exception()) for put in puts} == {type(None), StorageError}
    # Those that were being written while others counted may pass it.
    assert 100_000 < one.waiting().size <= 200_000 + 4 * 60_000


def test_a_body_that_was_harmed_on_the_disk_is_set_aside(
    server: S3Server, outbox: OutboxStore, proxy: HarmfulProxy, tmp_path: Path
) -> None:
    digests = fill(outbox, proxy, 3)
    harmed = tmp_path / "outbox" / f"{digests[1].hex()}.zst"
    harmed.write_bytes(harmed.read_bytes()[:-1] + b"!")
    assert outbox.flush() == 2
    assert outbox.get(digests[1]) is None
    assert sorted(server.versions()) == sorted(keys([digests[0], digests[2]]))
    assert files(tmp_path) == [f"{digests[1].hex()}.damaged"]
    assert outbox.waiting() == Waiting()


def test_what_else_lies_in_the_folder_is_let_be(
    outbox: OutboxStore, proxy: HarmfulProxy, tmp_path: Path
) -> None:
    fill(outbox, proxy, 1)
    for name in ("notes.zst", f"{'0' * 63}.zst", "old.damaged"):
        (tmp_path / "outbox" / name).write_bytes(b"ours")
    assert outbox.waiting().items == 1
    assert outbox.flush() == 1
    assert len(files(tmp_path)) == 3


def test_a_folder_that_cannot_be_used_is_our_own_fault(
    remote: S3Store, proxy: HarmfulProxy, tmp_path: Path
) -> None:
    (tmp_path / "outbox").write_text("a file where the folder should be")
    outbox = OutboxStore(remote, tmp_path / "outbox", limit=LIMIT)
    proxy.harm = lambda _: BUSY
    for ask in (lambda: outbox.put(b"a page"), outbox.waiting, outbox.flush):
        with pytest.raises(StorageError, match="outbox") as caught:
            ask()
        assert caught.value.reason is Reason.STORAGE


def test_what_a_killed_write_left_is_removed_in_time(
    outbox: OutboxStore, proxy: HarmfulProxy, tmp_path: Path
) -> None:
    fill(outbox, proxy, 1)
    old, fresh = (tmp_path / "outbox" / f".{digit * 32}" for digit in "ab")
    for part in (old, fresh):
        part.write_bytes(b"half")
    os.utime(old, (0, time.time() - PART_SECONDS - 60))
    assert outbox.waiting().items == 1
    outbox.flush()
    with outbox.flushing():
        pass
    assert files(tmp_path) == [fresh.name]
    os.utime(fresh, (0, time.time() - PART_SECONDS - 60))
    assert outbox.remove_parts() == 1
    assert files(tmp_path) == []


def test_removing_them_asks_nothing_of_s3(outbox: OutboxStore, proxy: HarmfulProxy) -> None:
    fill(outbox, proxy, 1)
    assert outbox.remove_parts() == 0
    assert outbox.last_error is not None, "the body still waits"


@contextmanager
def held_upload(proxy: HarmfulProxy) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Yield an event for an upload that is under way, and one that lets it end."""
    begun, go_on = threading.Event(), threading.Event()

    def wait(request: Request) -> None:
        if request.method == "PUT":
            begun.set()
            go_on.wait(30)

    proxy.harm = wait
    try:
        yield begun, go_on
    finally:
        go_on.set()


def test_bytes_can_be_read_while_they_are_sent_and_what_is_deleted_stays_gone(
    outbox: OutboxStore, proxy: HarmfulProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_outbox, "REST_SECONDS", 0.0)
    [digest] = fill(outbox, proxy, 1)
    with held_upload(proxy) as (begun, go_on), ThreadPoolExecutor(2) as threads:
        sent = threads.submit(outbox.flush)
        assert begun.wait(30)
        assert outbox.get(digest) == body(0, 0)
        deleted = threads.submit(outbox.delete, digest, untouched=0)
        go_on.set()
        sent.result()
        deleted.result()
    assert outbox.get(digest) is None
    assert digest not in set(outbox.hashes())
    assert outbox.waiting() == Waiting()


@pytest.mark.parametrize("put_again", [False, True])
def test_what_another_sent_between_the_opening_and_the_lock_is_let_be(
    outbox: OutboxStore,
    proxy: HarmfulProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    put_again: bool,
) -> None:
    [digest] = fill(outbox, proxy, 1)
    path = tmp_path / "outbox" / f"{digest.hex()}.zst"
    lock = fcntl.flock

    def late(file: BinaryIO, operation: int) -> None:
        path.unlink()
        if put_again:
            outbox.put(body(0, 0))
        lock(file, operation)

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", late)
        assert outbox.flush() == 0
    assert uploads(proxy) == []
    assert outbox.flush() == int(put_again)


def test_the_background_sends_what_waits(
    remote: S3Store, proxy: HarmfulProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_outbox, "REST_SECONDS", 0.0)
    outbox = OutboxStore(remote, tmp_path / "outbox", limit=LIMIT)
    digests = fill(outbox, proxy, 3)
    sent = threading.Event()

    def watch(_: Request) -> None:
        if len(proxy.requests) == 3:
            sent.set()

    proxy.harm = watch
    with outbox.flushing(every=0.01):
        assert sent.wait(30)
    assert outbox.waiting() == Waiting()
    assert sorted(remote.hashes()) == sorted(digests)


def test_the_background_outlives_a_store_that_is_away(
    remote: S3Store, proxy: HarmfulProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_outbox, "REST_SECONDS", 0.0)
    outbox = OutboxStore(remote, tmp_path / "outbox", limit=LIMIT)
    fill(outbox, proxy, 3)
    failed = threading.Event()

    def fail_at_first(_: Request) -> Harm | None:
        if len(proxy.requests) > 4:
            failed.set()
            return None
        return BUSY

    proxy.harm = fail_at_first
    with outbox.flushing(every=0.01):
        assert failed.wait(30)
    assert outbox.waiting() == Waiting()


def test_an_upload_that_hangs_does_not_hold_up_the_end(
    outbox: OutboxStore, proxy: HarmfulProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_outbox, "REST_SECONDS", 0.0)
    monkeypatch.setattr(raw_outbox, "STOP_SECONDS", 0.1)
    fill(outbox, proxy, 2)
    with held_upload(proxy) as (begun, go_on):
        started = time.monotonic()
        with outbox.flushing(every=0.01):
            assert begun.wait(30)
            started = time.monotonic()
        assert time.monotonic() - started < 5
        [thread] = [t for t in threading.enumerate() if t.name == "raw-outbox"]
        go_on.set()
        thread.join()
    assert outbox.waiting().items == 1, "what was not begun is left for the next process"


def test_an_outbox_stands_before_any_store(tmp_path: Path) -> None:
    place = tmp_path / "raw"
    place.write_text("a disk that is away")
    outbox = OutboxStore(FolderStore(place), tmp_path / "outbox", limit=LIMIT)
    digest = outbox.put(b"a page")
    assert outbox.get(digest) == b"a page"
    place.unlink()
    assert outbox.flush() == 1
    assert FolderStore(place).get(digest) == b"a page"


def test_what_a_process_said_is_kept_survives_its_kill(
    server: S3Server, outbox: OutboxStore, remote: S3Store, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{taken.getsockname()[1]}"
        promised: dict[str, bytes] = {}
        for seed, count in enumerate((1, 15, 40)):
            with child("put", tmp_path / "outbox", server.bucket, away, seed) as process:
                said = lines(process, count)
                process.kill()
                assert process.stdout is not None
                # It went on until it was killed; a last line may be cut.
                rest = process.stdout.read().split("\n")[:-1]
            for number, digest in enumerate([*said, *rest]):
                promised[digest] = body(seed, number)
    for digest, content in promised.items():
        assert outbox.get(bytes.fromhex(digest)) == content
    outbox.flush()
    assert outbox.waiting() == Waiting()
    arrived = [digest.hex() for digest in remote.hashes()]
    assert len(arrived) == len(set(arrived))
    assert set(promised) <= set(arrived)
    assert len(arrived) <= len(promised) + 3, "at most the one that each was at"
    for digest in arrived:
        assert remote.get(bytes.fromhex(digest)) is not None


def test_a_flush_that_is_killed_goes_on_where_it_was(
    server: S3Server,
    outbox: OutboxStore,
    remote: S3Store,
    proxy: HarmfulProxy,
    tmp_path: Path,
) -> None:
    """Before an upload, in the middle of it, and when it has arrived but nobody knows."""
    digests = fill(outbox, proxy, 40)
    ends = [BUSY, Harm(cut=10), Harm(lose=True)]
    for harm in ends:
        proxy.requests.clear()
        with child("flush", tmp_path / "outbox", server.bucket, proxy.url) as process:
            assert lines(process, 1) == ["ready"]

            def kill(_: Request, harm: Harm = harm, pid: int = process.pid) -> Harm | None:
                if len(proxy.requests) < 6:
                    return None
                os.kill(pid, signal.SIGKILL)
                return harm

            proxy.harm = kill
            process.communicate("go\n")
            assert process.returncode == -signal.SIGKILL
    proxy.harm = lambda _: None
    assert outbox.waiting().items == 40 - 3 * 5
    assert [outbox.get(digest) for digest in digests[15:]] == [body(0, n) for n in range(15, 40)]
    assert outbox.flush() == 25
    assert sorted(remote.hashes()) == sorted(digests)
    assert [remote.get(digest) for digest in digests] == [body(0, n) for n in range(40)]


def test_several_processes_send_each_body_once(
    server: S3Server, outbox: OutboxStore, proxy: HarmfulProxy, tmp_path: Path
) -> None:
    digests = fill(outbox, proxy, 60)
    with (
        child("flush", tmp_path / "outbox", server.bucket, proxy.url) as one,
        child("flush", tmp_path / "outbox", server.bucket, proxy.url) as other,
        ThreadPoolExecutor(4) as threads,
    ):
        assert lines(one, 1) == lines(other, 1) == ["ready"]
        said = [threads.submit(process.communicate, "go\n") for process in (one, other)]
        ours = [threads.submit(outbox.flush) for _ in range(2)]
        sent = [int(answer.result()[0]) for answer in said] + [answer.result() for answer in ours]
    assert sum(sent) == 60
    assert sorted(server.versions()) == sorted(keys(digests))
    assert outbox.waiting() == Waiting()
