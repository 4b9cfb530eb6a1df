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
# How often a body is tried that the remote store refuses while it takes others.
ASIDE_SECONDS = 3600.0

_REFUSED = ".refused"
_NAME = re.compile(r"[0-9a-f]{64}\.(?:zst|refused)")

log = structlog.get_logger()

Answer = TypeVar("Answer")
Failed = Callable[[StorageError], None]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What an outbox holds: how many bodies, their bytes, and how many of them are set aside."""

    items: int = 0
    size: int = 0
    refused: int = 0


class OutboxStore:
    """A raw store over another; all processes of a machine share one `folder`.

    A body that waits is a file under its hash, written whole or not at all. Who uploads it
    holds a lock on that file, which the kernel frees however the holder ends, and removes
    the file once the remote store has the bytes: they are always in one of the two.

    A body that the remote store refuses while it takes others is set aside under another name,
    so that it holds up none, and is tried again seldom.
    """

    def __init__(self, remote: RawStore, folder: Path, *, limit: int) -> None:
        self.remote = remote
        self._folder = folder
        self._limit = limit
        self._standing = _Standing(str(remote))
        self._lock = threading.Lock()
        self._counted = Waiting()
        self._counted_at = -COUNT_SECONDS
        # How many had arrived when a body that waits was refused first, by its hash.
        self._refused: dict[str, int] = {}
        self._again_at: dict[str, float] = {}

    @property
    def last_error(self) -> StorageError | None:
        """Why this process could not reach the remote store last, None since it could."""
        return self._standing.error

    def put(self, body: bytes) -> bytes:
        """Return the hash under which `body` now stands, there or here.

        Raises StorageError when the remote store is away and the outbox full.
        """
        try:
            return self._ask(
                lambda: self.remote.put(body),
                lambda error: self._standing.refused(hashlib.sha256(body).digest(), error),
                arrives=True,
            )
        except StorageError as error:
            return self._keep(body, error)

    def get(self, sha256: bytes) -> bytes | None:
        """Return the bytes of a hash, None when they are gone or damaged. Raises StorageError.

        Looks here first: what leaves here in the meantime is there already.
        """
        for path in self._paths(sha256):
            with self._disk(), suppress(FileNotFoundError):
                body = unpack(path.read_bytes(), sha256)
                if body is not None:
                    return body
        return self._ask(lambda: self.remote.get(sha256))

    def delete(self, sha256: bytes, *, untouched: float = UNTOUCHED_SECONDS) -> bool:
        """Return whether the bytes of a hash are gone, here and there.

        What still waits to be sent was put a short time ago: it stays, unless `untouched` is 0.
        Raises StorageError.
        """
        # In the order in which a body goes from one to the other.
        for path in self._paths(sha256):
            with self._disk(), _held(path, wait=True) as file:
                if untouched and path.exists() and not _is_old(path, file, untouched):
                    return False
                # Nobody uploads it now, nor will anybody who waits for the lock.
                path.unlink(missing_ok=True)
        # A store that lets nothing go, or not this, takes bodies all the same.
        return self._ask(
            lambda: self.remote.delete(sha256, untouched=untouched),
            lambda error: self._standing.failed(error) if error.transient else None,
        )

    def hashes(self, after: bytes = b"") -> Iterator[bytes]:
        """Return the hashes that are kept here and there, in order, from the first past `after`.

        Raises StorageError.
        """
        here = sorted({bytes.fromhex(path.stem) for path, _ in self._entries()})
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
        entries = list(self._entries())
        refused = sum(path.suffix == _REFUSED for path, _ in entries)
        return Waiting(len(entries), sum(entry.st_size for _, entry in entries), refused)

    def flush(self, abandoned: threading.Event | None = None) -> int:
        """Send what waits, oldest first; return how many arrived. Raises StorageError.

        What was refused comes last. What another process is sending is left to it; when
        `abandoned`, so is the rest.
        """
        sent = 0
        for path in self._in_turn():
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
            if self._in_turn() and self._standing.admits():
                self.flush(abandoned)
        except StorageError as error:
            log.debug("outbox_waits", detail=error.detail)
        except Exception:
            # The boundary of a thread that nobody watches: it has to live.
            log.exception("outbox_failed", folder=str(self._folder))

    def _ask(
        self, ask: Callable[[], Answer], failed: Failed | None = None, *, arrives: bool = False
    ) -> Answer:
        """Return what the remote store answers; it is not asked while it is let be."""
        if not self._standing.admits():
            raise self._standing.refusal()
        return self._tell(ask, failed, arrives=arrives)

    def _tell(
        self, ask: Callable[[], Answer], failed: Failed | None = None, *, arrives: bool = False
    ) -> Answer:
        """Return what the remote store answers; a body `arrives` with that.

        What a fault says of the store is noted by `failed`.
        """
        try:
            answer = ask()
        except StorageError as error:
            (failed or self._standing.failed)(error)
            raise
        self._standing.answered(arrived=arrives)
        return answer

    def _keep(self, body: bytes, why: StorageError) -> bytes:
        """Return the hash of a body that now waits here."""
        digest = hashlib.sha256(body).digest()
        path, aside = self._paths(digest)
        with self._disk():
            if not path.exists() and not _freshened(aside):
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
            self._counted = Waiting(held.items + 1, held.size + size, held.refused)

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
            try:
                self._tell(
                    lambda: self.remote.put(body),
                    lambda error: self._judge(path, error),
                    arrives=True,
                )
            except StorageError as error:
                if error.of_one:
                    self._note_refused(path, error)
                if self._standing.error is error:
                    raise
                return False
            path.unlink(missing_ok=True)
        return True

    def _judge(self, path: Path, error: StorageError) -> None:
        """Note what it says of the remote store that it did not take a body that waits."""
        is_known = path.suffix == _REFUSED or self._outlasted(path)
        if not error.of_one or not is_known:
            self._standing.refused(bytes.fromhex(path.stem), error)

    def _note_refused(self, path: Path, error: StorageError) -> None:
        """Set a body aside that is refused again though others arrived since it was first."""
        pause = ASIDE_SECONDS
        if self._outlasted(path):
            aside = path.with_suffix(_REFUSED)
            path.replace(aside)
            log.error("outbox_refused", file=str(aside), detail=error.detail)
        elif path.suffix != _REFUSED:
            self._refused.setdefault(path.stem, self._standing.arrived)
            pause = LONG_REST_SECONDS
        self._again_at[path.stem] = time.monotonic() + pause

    def _outlasted(self, path: Path) -> bool:
        """Whether others arrived since a body that waits was refused first."""
        arrived = self._standing.arrived
        return path.suffix != _REFUSED and self._refused.get(path.stem, arrived) != arrived

    def _in_turn(self) -> list[Path]:
        """Return what is to be sent now; what was refused before comes seldom, and last."""
        now = time.monotonic()
        entries = list(self._entries())
        here = {path.stem for path, _ in entries}
        for noted in (self._refused, self._again_at):
            for name in noted.keys() - here:
                noted.pop(name, None)
        order = sorted(
            (path.stem in self._again_at, entry.st_mtime_ns, path)
            for path, entry in entries
            if now >= self._again_at.get(path.stem, now)
        )
        return [path for _, _, path in order]

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

    def _paths(self, digest: bytes) -> tuple[Path, Path]:
        """Return where a body waits, and where it is while it is set aside."""
        path = self._folder / f"{digest.hex()}.zst"
        return path, path.with_suffix(_REFUSED)


class _Standing:
    """Whether the remote store answers; after a failure one request at a time finds out."""

    def __init__(self, name: str) -> None:
        self.error: StorageError | None = None
        self.arrived = 0
        self._name = name
        self._refused: bytes | None = None
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

    def refused(self, digest: bytes, error: StorageError) -> None:
        """Let it be once it refuses a second body in a row: one alone is no fault of the store."""
        if not error.of_one:
            self.failed(error)
            return
        with self._lock:
            is_first = self._refused in {None, digest}
            # After its rest two are tried again, so that many of them are gone through sooner.
            self._refused = digest if is_first else None
        if not is_first:
            self.failed(error)

    def failed(self, error: StorageError) -> None:
        """Let it be for a while, and longer when only somebody can mend it."""
        with self._lock:
            first, self.error = self.error is None, error
            self._rest()
        if first:
            say = log.warning if error.transient else log.error
            say("raw_store_away", store=self._name, detail=error.detail)

    def answered(self, *, arrived: bool) -> None:
        """Ask it as usual again; a body that `arrived` tells that it takes others too."""
        with self._lock:
            if arrived:
                self.arrived += 1
                self._refused = None
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


def _freshened(path: Path) -> bool:
    """Whether a body is there, and was put just now."""
    with _held(path, wait=True) as file:
        if file is not None:
            os.utime(path)
        return file is not None


def _is_old(path: Path, file: BinaryIO | None, seconds: float) -> bool:
    """Whether a body that is set aside was put longer ago."""
    if path.suffix != _REFUSED or file is None:
        return False
    return time.time() - os.fstat(file.fileno()).st_mtime >= seconds


def _is_at(path: Path, file: BinaryIO) -> bool:
    """Return whether an open file is still the one at this path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
