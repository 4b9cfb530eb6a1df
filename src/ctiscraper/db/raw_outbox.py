"""A raw store that may be away: what it does not take waits in a local folder and follows later."""

import fcntl
import hashlib
import heapq
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import structlog

from ctiscraper.db.raw import UNTOUCHED_SECONDS, RawStore, pack, remove_parts, unpack, write_whole
from ctiscraper.errors import Reason, StorageError

FLUSH_SECONDS = 5.0
# How long a store that failed is let be: every process asks it once in that time.
REST_SECONDS = 10.0
# The same when only somebody can mend it.
LONG_REST_SECONDS = 60.0
# A worker has ten seconds from the order to stop to its end by force.
STOP_SECONDS = 3.0
# How old a count of the folder may be that lets one more in: other processes write there too.
COUNT_SECONDS = 1.0

_NAME = re.compile(r"[0-9a-f]{64}\.zst")

log = structlog.get_logger()

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What an outbox holds: how many bodies, and their bytes on the disk."""

    items: int = 0
    size: int = 0


class OutboxStore:
    """A raw store over another; all processes of a machine share one `folder`.

    A body that waits is a file under its hash, written whole or not at all. Who uploads it
    holds a lock on that file, which the kernel frees however the holder ends, and removes
    the file once the remote store has the bytes: they are always in one of the two.
    """

    def __init__(self, remote: RawStore, folder: Path, *, limit: int) -> None:
        self.remote = remote
        self._folder = folder
        self._limit = limit
        self._standing = _Standing(str(remote))
        self._lock = threading.Lock()
        self._counted = Waiting()
        self._counted_at = -COUNT_SECONDS

    @property
    def last_error(self) -> StorageError | None:
        """Why this process could not reach the remote store last, None since it could."""
        return self._standing.error

    def put(self, body: bytes) -> bytes:
        """Return the hash under which `body` now stands, there or here.

        Raises StorageError when the remote store is away and the outbox full.
        """
        try:
            return self._ask(lambda: self.remote.put(body))
        except StorageError as error:
            return self._keep(body, error)

    def get(self, sha256: bytes) -> bytes | None:
        """Return the bytes of a hash, None when they are gone or damaged. Raises StorageError.

        Looks here first: what leaves here in the meantime is there already.
        """
        body = None
        with self._disk(), suppress(FileNotFoundError):
            body = unpack(self._path(sha256).read_bytes(), sha256)
        return body if body is not None else self._ask(lambda: self.remote.get(sha256))

    def delete(self, sha256: bytes, *, untouched: float = UNTOUCHED_SECONDS) -> bool:
        """Return whether the bytes of a hash are gone, here and there.

        What still waits to be sent was put a short time ago: it stays, unless `untouched` is 0.
        Raises StorageError.
        """
        path = self._path(sha256)
        with self._disk(), _held(path, wait=True):
            if untouched and path.exists():
                return False
            # Nobody uploads it now, nor will anybody who waits for the lock.
            path.unlink(missing_ok=True)
        return self._ask(lambda: self.remote.delete(sha256, untouched=untouched))

    def hashes(self, after: bytes = b"") -> Iterator[bytes]:
        """Return the hashes that are kept here and there, in order, from the first past `after`.

        Raises StorageError.
        """
        here = sorted({bytes.fromhex(path.stem) for path in self._oldest_first()})
        last = None
        for digest in heapq.merge((one for one in here if one > after), self.remote.hashes(after)):
            if digest != last:
                yield digest
            last = digest

    def remove_parts(self) -> int:
        """Return how many half-written files of killed processes were removed.

        Raises StorageError.
        """
        # Whatever the remote store does for it tells nothing of whether bodies arrive.
        return self._remove_own_parts() + self.remote.remove_parts()

    def _remove_own_parts(self) -> int:
        with self._disk():
            return remove_parts(self._folder, ".*", time.time())

    def waiting(self) -> Waiting:
        """Return what waits here. Raises StorageError."""
        sizes = [entry.st_size for _, entry in self._entries()]
        return Waiting(len(sizes), sum(sizes))

    def flush(self, abandoned: threading.Event | None = None) -> int:
        """Send what waits, oldest first; return how many arrived. Raises StorageError.

        What another process is sending is left to it; when `abandoned`, so is the rest.
        """
        sent = 0
        for path in self._oldest_first():
            if abandoned is not None and abandoned.is_set():
                break
            sent += self._send(path)
        return sent

    @contextmanager
    def flushing(self, *, every: float = FLUSH_SECONDS) -> Iterator[None]:
        """Send what waits in the background while the block lasts, and once more at its end."""
        stopping, abandoned = threading.Event(), threading.Event()
        # A daemon, since a wait for the network must not hold up the end of the process.
        thread = threading.Thread(
            target=self._keep_flushing,
            args=(every, stopping, abandoned),
            name="raw-outbox",
            daemon=True,
        )
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join(STOP_SECONDS)
            abandoned.set()

    def _keep_flushing(
        self, every: float, stopping: threading.Event, abandoned: threading.Event
    ) -> None:
        while not stopping.wait(every):
            self._flush_if_due(abandoned)
        self._flush_if_due(abandoned)

    def _flush_if_due(self, abandoned: threading.Event) -> None:
        """Flush unless the remote store is let be; what fails is told and tried again."""
        if self._standing.rests:
            return
        try:
            self._remove_own_parts()
            if next(self._entries(), None) and self._standing.admits():
                self.flush(abandoned)
        except StorageError as error:
            log.debug("outbox_waits", detail=error.detail)
        except Exception:
            # The boundary of a thread that nobody watches: it has to live.
            log.exception("outbox_failed", folder=str(self._folder))

    def _ask(self, ask: Callable[[], Answer]) -> Answer:
        """Return what the remote store answers; it is not asked while it is let be."""
        if not self._standing.admits():
            raise self._standing.refusal()
        return self._tell(ask)

    def _tell(self, ask: Callable[[], Answer]) -> Answer:
        try:
            answer = ask()
        except StorageError as error:
            self._standing.failed(error)
            raise
        self._standing.answered()
        return answer

    def _keep(self, body: bytes, why: StorageError) -> bytes:
        """Return the hash of a body that now waits here."""
        digest = hashlib.sha256(body).digest()
        path = self._path(digest)
        with self._disk():
            if not path.exists():
                packed = pack(body)
                self._make_room(len(packed), why)
                write_whole(str(path), packed)
        return digest

    def _make_room(self, size: int, why: StorageError) -> None:
        """Count a body in. Raises StorageError when it would pass the limit."""
        with self._lock:
            fresh = time.monotonic() - self._counted_at < COUNT_SECONDS
            if not fresh or self._counted.size + size > self._limit:
                self._counted = self.waiting()
                self._counted_at = time.monotonic()
            held = self._counted
            if held.size + size > self._limit:
                raise StorageError(
                    Reason.STORAGE,
                    f"the outbox {self._folder} is full with {held.items} bodies of "
                    f"{held.size:,} bytes, and the raw store does not take more "
                    f"({why.detail}); items are tried again once it does",
                    transient=why.transient,
                )
            self._counted = Waiting(held.items + 1, held.size + size)

    def _send(self, path: Path) -> bool:
        """Return whether a body that waited has arrived; the file goes with it."""
        with self._disk(), _held(path, wait=False) as file:
            if file is None:
                return False
            body = unpack(file.read(), bytes.fromhex(path.stem))
            if body is None:
                path.replace(path.with_suffix(".damaged"))
                log.error("outbox_damaged", file=str(path))
                return False
            self._tell(lambda: self.remote.put(body))
            path.unlink(missing_ok=True)
        return True

    def _oldest_first(self) -> list[Path]:
        entries = sorted((entry.st_mtime_ns, path) for path, entry in self._entries())
        return [path for _, path in entries]

    def _entries(self) -> Iterator[tuple[Path, os.stat_result]]:
        """Return the bodies that wait, in no order."""
        with self._disk():
            if not self._folder.exists():
                return
            for path in self._folder.iterdir():
                if _NAME.fullmatch(path.name):
                    # Another process may have sent it by now.
                    with suppress(FileNotFoundError):
                        yield path, path.stat()

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                Reason.STORAGE, f"the outbox {self._folder} cannot be used: {error.strerror}"
            ) from error

    def _path(self, digest: bytes) -> Path:
        return self._folder / f"{digest.hex()}.zst"


class _Standing:
    """Whether the remote store answers; after a failure one request at a time finds out."""

    def __init__(self, name: str) -> None:
        self.error: StorageError | None = None
        self._name = name
        self._rests_until = 0.0
        self._lock = threading.Lock()

    @property
    def rests(self) -> bool:
        """Whether it is let be for the moment."""
        return self.error is not None and time.monotonic() < self._rests_until

    def admits(self) -> bool:
        """Return whether to ask now; who is let in while it is away finds out for the others."""
        with self._lock:
            if self.rests:
                return False
            self._rest()
            return True

    def refusal(self) -> StorageError:
        """Return why it is not asked."""
        last = self.error or StorageError(Reason.STORAGE, f"{self._name} is asked again shortly")
        return StorageError(last.reason, last.detail, transient=last.transient)

    def failed(self, error: StorageError) -> None:
        """Let it be for a while, and longer when only somebody can mend it."""
        with self._lock:
            first, self.error = self.error is None, error
            self._rest()
        if first:
            say = log.warning if error.transient else log.error
            say("raw_store_away", store=self._name, detail=error.detail)

    def answered(self) -> None:
        """Ask it as usual again."""
        with self._lock:
            away, self.error = self.error, None
        if away is not None:
            log.info("raw_store_back", store=self._name)

    def _rest(self) -> None:
        passing = self.error is None or self.error.transient
        self._rests_until = time.monotonic() + (REST_SECONDS if passing else LONG_REST_SECONDS)


@contextmanager
def _held(path: Path, *, wait: bool) -> Iterator[BinaryIO | None]:
    """Yield a file that nobody else holds, None when it is held or gone."""
    try:
        # Locks over NFS need a file that is open for writing.
        file = path.open("r+b")
    except FileNotFoundError:
        yield None
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield None
            return
        # Whoever held it before us may have sent and removed it.
        yield file if _is_at(path, file) else None


def _is_at(path: Path, file: BinaryIO) -> bool:
    """Return whether an open file is still the one at this path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
