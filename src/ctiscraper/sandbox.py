"""Parsers in a child process that may crash, hang or eat memory without harm.

A nursery process imports the parsers once; the workers that serve calls are forked from it, so
that a killed one is replaced in milliseconds. Nothing but bytes crosses the border.
"""

import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from typing import Self, TypeVar

import msgspec

from ctiscraper.errors import CTIScraperError, ParseError, Reason, StorageError
from ctiscraper.nursery import HEADER, ORDER, REPLY, STATUS, Answer, Limits, Order, receive
from ctiscraper.tracing import span

_IMPORT_SECONDS = 60.0
_ORDER_SECONDS = 10.0
_END_SECONDS = 5.0
_FIRST_READ = 256 * 1024
_LARGE = 1024 * 1024
# Nothing of our own environment, where secrets may be; one thread, since a fork keeps no others.
_ENVIRONMENT = {
    "PATH": os.defpath,
    "LC_ALL": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
}
# The same modules are found as here, and none in the working directory.
_BOOT = "import sys; sys.path[:] = sys.argv[2:]; from ctiscraper.nursery import main; main()"
# Signals that say something of the machine or its operator, not of the bytes.
_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}


Value = TypeVar("Value")


@dataclass(slots=True, eq=False)
class _Worker:
    """A forked process and our end of its socket."""

    pid: int
    link: socket.socket
    calls: int = 0


class Sandbox:
    """Named parsers, `module:function` from bytes to bytes, called in limited processes.

    `seconds` is the processor time of one call, which may take `patience` seconds longer by the
    wall clock: that a machine has much to do is no fault of a page. `memory_bytes` is the address
    space of a process, which serves `recycle_after` calls. Up to `processes` of them work at once.
    `warm_up` names a parser that is called once with `warm_with`, so that no process has to load
    again what it loads. Use a sandbox from one loop.
    """

    def __init__(  # noqa: PLR0913 - each is a limit of its own
        self,
        entries: Mapping[str, str],
        *,
        memory_bytes: int = 1 << 30,
        seconds: float = 5.0,
        patience: float = 15.0,
        processes: int = 1,
        recycle_after: int = 500,
        answer_bytes: int = 64 << 20,
        warm_up: str = "",
        warm_with: bytes = b"",
    ) -> None:
        """Keep the limits; processes start with the first call."""
        self._index = {name: index for index, name in enumerate(entries)}
        self._limits = Limits(
            entries=list(entries.values()),
            warm_up=warm_up,
            warm_with=warm_with.decode("latin-1"),
            memory=memory_bytes,
            answer=answer_bytes,
            seconds=seconds,
            alarm=seconds + patience + _END_SECONDS,
        )
        self._seconds, self._wall_seconds = seconds, seconds + patience
        self._recycle_after = recycle_after
        self._processes = processes
        self._places = asyncio.Semaphore(processes)
        self._starting, self._renewing = asyncio.Lock(), asyncio.Lock()
        self._nursery: _Nursery | None = None
        self._idle: list[_Worker] = []

    async def __aenter__(self) -> Self:
        """Import the parsers, and give the sandbox."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.aclose()

    @property
    def pids(self) -> tuple[int, ...]:
        """The process numbers of the nursery and of every worker that lives."""
        return self._nursery.pids if self._nursery else ()

    async def start(self) -> None:
        """Have the parsers imported; raises `CTIScraperError` when that fails."""
        async with self._starting:
            if self._nursery is not None and self._nursery.process.returncode is None:
                return
            await self.aclose()
            self._nursery = await _open_nursery(self._limits)

    async def renew(self, warm_with: bytes) -> None:
        """Let calls from now on find parsers that were made ready with this.

        Calls that are being answered end as they began. Raises `CTIScraperError` when the parsers
        cannot be made ready; then those before serve on.
        """
        async with self._renewing:
            limits: Limits = {**self._limits, "warm_with": warm_with.decode("latin-1")}
            fresh: _Nursery | None = await _open_nursery(limits)
            try:
                async with AsyncExitStack() as every_place:
                    for _ in range(self._processes):
                        await every_place.enter_async_context(self._places)
                    async with self._starting:
                        self._forget()
                        fresh, self._nursery, self._limits = self._nursery, fresh, limits
            finally:
                if fresh is not None:
                    await fresh.close()

    async def aclose(self) -> None:
        """End every process."""
        nursery, self._nursery = self._nursery, None
        self._forget()
        if nursery is not None:
            await nursery.close()

    async def ask(self, name: str, message: object, answer: type[Value]) -> Value:
        """Return what the parser of this name makes of a message.

        Raises `ParseError` as `call` does, and `parser_crash` for an answer of another shape.
        """
        data = await self.call(name, msgspec.msgpack.encode(message))
        try:
            return msgspec.msgpack.decode(data, type=answer)
        except msgspec.DecodeError as error:
            raise ParseError(Reason.PARSER_CRASH, f"unreadable answer: {error}") from error

    async def call(self, name: str, payload: bytes) -> bytes:
        """Return what the parser of this name makes of the payload.

        Raises the parser's own `ParseError`, or one with the reason `parser_timeout`,
        `parser_memory`, `parser_crash`, or for any other exception `parser_error`; and
        `StorageError` where this machine has no process for it.
        """
        with span("parse", parser=name, bytes=len(payload)):
            return await self._call(name, payload)

    async def _call(self, name: str, payload: bytes) -> bytes:
        async with self._places:
            worker = await self._worker()
            worker.calls += 1
            fit = False
            try:
                async with asyncio.timeout(self._wall_seconds):
                    kind, data = await self._exchange(worker, self._index[name], payload)
                fit = kind is not Answer.MEMORY and worker.calls < self._recycle_after
            except TimeoutError as error:
                detail = f"{name} took longer than {self._wall_seconds:g} s"
                raise ParseError(Reason.PARSER_TIMEOUT, detail, transient=True) from error
            except (EOFError, ConnectionError) as error:
                raise await self._crash(worker, name) from error
            finally:
                if fit:
                    self._idle.append(worker)
                else:
                    self._drop(worker)
        if kind is Answer.RESULT:
            return data
        raise _failure(kind, data, name)

    async def _worker(self) -> _Worker:
        """Return an idle worker, or a new one."""
        while self._idle:
            worker = self._idle.pop()
            if not _has_ended(worker):
                return worker
            self._drop(worker)
        for _ in range(2):
            try:
                await self.start()
                if self._nursery is None:
                    break
                return self._nursery.fork()
            except _TooManyError as error:
                raise _no_process(str(error)) from error
            except ConnectionError:
                # The nursery itself was killed: a new one takes its place.
                await self.aclose()
            except OSError as error:
                await self.aclose()
                late = f"the parsers were not loaded within {_IMPORT_SECONDS:g} s"
                raise _no_process(str(error) or late) from error
        raise _no_process("they end at once")

    async def _exchange(self, worker: _Worker, index: int, payload: bytes) -> tuple[Answer, bytes]:
        """Send a call and return its answer; raises `EOFError` when the worker ends first."""
        loop = asyncio.get_running_loop()
        head = HEADER.pack(index, len(payload))
        if len(payload) > _LARGE:
            # Not joined: that would be one more copy of the largest feeds.
            await loop.sock_sendall(worker.link, head)
            await loop.sock_sendall(worker.link, payload)
        else:
            await loop.sock_sendall(worker.link, head + payload)
        return await _read_answer(worker.link, self._limits["answer"])

    async def _crash(self, worker: _Worker, name: str) -> ParseError:
        """Return the error that tells how the worker ended."""
        status = await self._nursery.ending(worker) if self._nursery else signal.SIGKILL
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if number == signal.SIGPROF:
            detail = f"{name} took more than {self._seconds:g} s of a processor's time"
            return ParseError(Reason.PARSER_TIMEOUT, detail, transient=True)
        how = signal.Signals(number).name if number else f"exit {os.waitstatus_to_exitcode(status)}"
        transient = not number or number in _FROM_OUTSIDE
        return ParseError(Reason.PARSER_CRASH, f"{name} ended with {how}", transient=transient)

    def _drop(self, worker: _Worker) -> None:
        worker.link.close()
        if self._nursery is not None:
            self._nursery.kill(worker)

    def _forget(self) -> None:
        while self._idle:
            self._drop(self._idle.pop())


class _Nursery:
    """The process that forks workers, its control socket, and the workers it has."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self.process = process
        self._control = control
        self._living: set[_Worker] = set()
        self._killed: set[int] = set()

    @property
    def pids(self) -> tuple[int, ...]:
        return (self.process.pid, *(worker.pid for worker in self._living))

    def fork(self) -> _Worker:
        """Return a new worker.

        Raises `ConnectionError` when the nursery is gone, and `_TooManyError` when it lives and no
        process can be had.
        """
        self._killed = {pid for pid in self._killed if self._order(Order.REAP, pid) < 0}
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise _TooManyError(error.errno, error.strerror) from error
        ours.settimeout(0)
        with theirs:
            try:
                pid = self._order(Order.FORK, 0, theirs.fileno())
            except OSError:
                ours.close()
                raise
        if pid <= 0:
            ours.close()
            code = -pid or errno.EAGAIN
            raise _TooManyError(code, os.strerror(code))
        worker = _Worker(pid, ours)
        self._living.add(worker)
        return worker

    def kill(self, worker: _Worker) -> None:
        """End a worker; its number stays taken until the nursery reaps it, so no other is hit."""
        if worker not in self._living:
            return
        self._living.remove(worker)
        self._killed.add(worker.pid)
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)

    async def ending(self, worker: _Worker) -> int:
        """Return the wait status of a worker whose socket has closed."""
        self.kill(worker)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _END_SECONDS
        while loop.time() < deadline:
            try:
                status = self._order(Order.REAP, worker.pid)
            except OSError:
                await self.close()
                break
            if status >= 0:
                self._killed.discard(worker.pid)
                return status
            await asyncio.sleep(0.001)
        return signal.SIGKILL

    async def close(self) -> None:
        """End the nursery and with it every worker."""
        for worker in list(self._living):
            self.kill(worker)
        self._control.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    def _order(self, order: Order, pid: int, *files: int) -> int:
        """Return the nursery's reply, which takes it milliseconds.

        Raises `ConnectionError` without one: what came later would be taken for the next.
        """
        data = ORDER.pack(order, pid)
        try:
            socket.send_fds(self._control, [data], files)
            reply: int = REPLY.unpack(receive(self._control, REPLY.size))[0]
        except (EOFError, OSError) as error:
            raise ConnectionResetError("the nursery is gone") from error
        return reply


class _TooManyError(OSError):
    """The nursery lives, and no process can be had of the system."""


def _no_process(why: str) -> StorageError:
    return StorageError(Reason.MEMORY, f"no process for a parser could be started: {why}")


async def _open_nursery(limits: Limits) -> _Nursery:
    """Start a nursery and wait until it has imported the parsers."""
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    with ExitStack() as until_started, theirs:
        until_started.callback(ours.close)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-c", _BOOT, str(theirs.fileno()), *sys.path),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            env=_ENVIRONMENT,
            start_new_session=True,
        )
        until_started.pop_all()
    nursery = _Nursery(process, ours)
    try:
        async with asyncio.timeout(_IMPORT_SECONDS):
            await _introduce(ours, limits)
    except BaseException:
        await nursery.close()
        raise
    ours.settimeout(_ORDER_SECONDS)
    return nursery


async def _introduce(control: socket.socket, limits: Limits) -> None:
    """Tell the nursery its limits; raises `CTIScraperError` when it cannot import a parser."""
    told = json.dumps(limits).encode()
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(control, STATUS.pack(Answer.RESULT, len(told)) + told)
    try:
        kind, said = await _read_answer(control, limits["answer"])
    except (EOFError, ConnectionError):
        kind, said = Answer.ERROR, b"their process ended"
    if kind is not Answer.RESULT:
        raise CTIScraperError(f"the parsers cannot be loaded: {said.decode('utf-8', 'replace')}")


async def _read_answer(link: socket.socket, most: int) -> tuple[Answer, bytes]:
    """Return the next answer of at most `most` bytes; raises `EOFError` when none comes."""
    loop = asyncio.get_running_loop()
    data = bytearray()
    size = STATUS.size
    kind = 0
    while len(data) < size:
        more = await loop.sock_recv(link, max(_FIRST_READ, size - len(data)))
        if not more:
            raise EOFError
        data += more
        if size == STATUS.size <= len(data):
            kind, length = STATUS.unpack_from(data)
            size += length
            if length > most:
                raise ParseError(Reason.PARSER_CRASH, "a broken answer")
    return Answer(kind), bytes(memoryview(data)[STATUS.size : size])


def _has_ended(worker: _Worker) -> bool:
    """Whether an idle worker was killed meanwhile: its socket then has something to read."""
    try:
        worker.link.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _failure(kind: Answer, data: bytes, name: str) -> ParseError:
    """Return the error that an answer other than a result tells of."""
    if kind is Answer.PARSE_ERROR:
        told = json.loads(data)
        return ParseError(Reason(told["reason"]), told["detail"], transient=told["transient"])
    if kind is Answer.MEMORY:
        return ParseError(Reason.PARSER_MEMORY, f"{name} needs more memory than it may have")
    return ParseError(Reason.PARSER_ERROR, data.decode("utf-8", "replace"))
