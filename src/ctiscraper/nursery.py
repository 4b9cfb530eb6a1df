"""The child's side of the sandbox: imports parsers, forks limited workers, serves their calls.

`ctiscraper.sandbox` starts it with the number of a socket as first argument. Orders and answers
are fixed-size headers in native byte order, both ends being one machine and one program.
"""

import contextlib
import ctypes
import errno
import gc
import importlib
import json
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Never, TypedDict

from ctiscraper.allocator import give_back_large_blocks
from ctiscraper.errors import CTIScraperError, ParseError

HEADER = struct.Struct("=HI")  # of a call: index of the parser, length of its payload
STATUS = struct.Struct("=BI")  # of an answer: its kind, length of what follows
ORDER = struct.Struct("=Bi")  # to the nursery: what to do, with which process
REPLY = struct.Struct("=i")

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_OPEN_FILES = 64
_DETAIL = 500

Parser = Callable[[bytes], bytes]


class Order(IntEnum):
    """What the nursery is told."""

    FORK = 1
    REAP = 2


class Answer(IntEnum):
    """What kind of answer follows: a result, or which sort of failure."""

    RESULT = 0
    PARSE_ERROR = 1
    MEMORY = 2
    ERROR = 3


class Limits(TypedDict):
    """What the nursery is started with; sizes in bytes, bytes as Latin-1.

    `seconds` is the processor time of a call, `alarm` its wall time.
    """

    entries: list[str]
    warm_up: str
    warm_with: str
    memory: int
    answer: int
    seconds: float
    alarm: float


def main() -> None:
    """Serve until the other end closes."""
    give_back_large_blocks()
    control = socket.socket(fileno=int(sys.argv[1]))
    limits: Limits = json.loads(receive(control, STATUS.unpack(receive(control, STATUS.size))[1]))
    _leave_network()
    _die_with(os.getppid())
    try:
        parsers = [_load(entry) for entry in limits["entries"]]
        if limits["warm_up"]:
            _load(limits["warm_up"])(limits["warm_with"].encode("latin-1"))
        _check_room(limits["memory"])
    except Exception as error:  # noqa: BLE001 - whatever an import raises is told to the parent
        _send(control, Answer.ERROR, f"{type(error).__name__}: {error}".encode())
        return
    # Objects made so far are shared with every worker; unfrozen, its collector would copy them.
    gc.collect()
    gc.freeze()
    _send(control, Answer.RESULT, b"")
    _obey(control, parsers, limits)


def receive(link: socket.socket, size: int) -> bytes:
    """Return exactly `size` bytes; raises `EOFError` when the other end is gone."""
    data = link.recv(size, socket.MSG_WAITALL) if size else b""
    while len(data) < size:
        more = link.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _send(link: socket.socket, kind: Answer, data: bytes) -> None:
    # A large answer is not copied once more where memory is short.
    link.sendall(STATUS.pack(kind, len(data)))
    link.sendall(data)


def _obey(control: socket.socket, parsers: list[Parser], limits: Limits) -> None:
    """Fork workers and tell how they ended, until the parent is gone."""
    nursery = os.getpid()
    while True:
        data, files, _, _ = socket.recv_fds(control, ORDER.size, 1)
        if len(data) < ORDER.size:
            return
        order, number = ORDER.unpack(data)
        if order == Order.FORK:
            number = _forked()
            if number == 0:
                control.close()
                _work(socket.socket(fileno=files[0]), parsers, limits, nursery)
            os.close(files[0])
        else:
            number = _ending(number)
        control.sendall(REPLY.pack(number))


def _forked() -> int:
    """Return what `os.fork` does, or without a process its error's number below zero."""
    try:
        return os.fork()
    except OSError as error:
        return -(error.errno or errno.EAGAIN)


def _ending(worker: int) -> int:
    """Return the worker's wait status, -1 while it lives."""
    try:
        found, status = os.waitpid(worker, os.WNOHANG)
    except ChildProcessError:
        return 0
    return status if found else -1


def _work(link: socket.socket, parsers: list[Parser], limits: Limits, nursery: int) -> Never:
    """Be a worker, and end as one."""
    code = 1
    try:
        _die_with(nursery)
        _limit(limits["memory"])
        _serve(link, parsers, limits)
    except (EOFError, ConnectionError):
        code = 0
    finally:
        os._exit(code)


def _serve(link: socket.socket, parsers: list[Parser], limits: Limits) -> Never:
    """Answer calls until the other end closes."""
    while True:
        index, length = HEADER.unpack(receive(link, HEADER.size))
        # The last resort against a hanging call where nobody is left to kill this process.
        signal.setitimer(signal.ITIMER_REAL, limits["alarm"])
        signal.setitimer(signal.ITIMER_PROF, limits["seconds"])
        kind, data = _answer(parsers[index], receive(link, length))
        if len(data) > limits["answer"]:
            kind, data = Answer.ERROR, f"an answer of {len(data)} bytes is too large".encode()
        _send(link, kind, data)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _answer(parser: Parser, payload: bytes) -> tuple[Answer, bytes]:
    try:
        return Answer.RESULT, parser(payload)
    except ParseError as error:
        told = {
            "reason": error.reason,
            "detail": error.detail[:_DETAIL],
            "transient": error.transient,
        }
        return Answer.PARSE_ERROR, json.dumps(told).encode()
    except MemoryError:
        return Answer.MEMORY, b""
    except Exception as error:  # noqa: BLE001 - the border: any failure of a parser is an answer
        return Answer.ERROR, f"{type(error).__name__}: {error}"[:_DETAIL].encode(errors="replace")


def _load(entry: str) -> Parser:
    module, _, name = entry.partition(":")
    parser: Parser = getattr(importlib.import_module(module), name)
    return parser


def _check_room(memory: int) -> None:
    """Raise when the imported code alone leaves less than half of the address space."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return
    used = int(statm.read_text("ascii").split()[0]) * resource.getpagesize()
    if used * 2 > memory:
        raise CTIScraperError(f"the parsers alone take {used} of {memory} bytes")


def _limit(memory: int) -> None:
    """Take away what a parser does not need: memory, files to write, core dumps."""
    linux = sys.platform.startswith("linux")
    for kind, value in (
        (resource.RLIMIT_AS if linux else resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        # Other systems refuse a limit below what is in use.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))


def _leave_network() -> None:
    """Enter an empty network, where the kernel allows it: a parser has no one to talk to."""
    if sys.platform.startswith("linux"):
        libc = ctypes.CDLL(None)
        if libc.unshare(_CLONE_NEWNET) != 0:
            libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def _die_with(parent: int) -> None:
    """End when the parent does (prctl(2)); elsewhere the closed socket and the alarm do it."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
