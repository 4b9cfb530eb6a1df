"""Parsers that behave and misbehave, for the sandbox to call."""

import ctypes
import errno
import os
import resource
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Never

from ctiscraper.errors import ParseError, Reason


def echo(payload: bytes) -> bytes:
    return payload


def grow(payload: bytes) -> bytes:
    """As many bytes as the payload says."""
    return b"x" * int(payload)


def segfault(_: bytes) -> bytes:
    return ctypes.string_at(0)


def abort(_: bytes) -> Never:
    os.abort()


def hang(_: bytes) -> Never:
    while True:
        pass


def rest(payload: bytes) -> bytes:
    """Take seconds of the clock, and none of a processor."""
    time.sleep(float(payload))
    return payload


def hoard(_: bytes) -> bytes:
    return b"%d" % len(bytearray(1 << 30))


def refuse(_: bytes) -> Never:
    raise ParseError(Reason.NOT_A_FEED, "no root element", transient=True)


def fail(_: bytes) -> Never:
    raise ValueError("a surprise \ud800")


def recurse(payload: bytes) -> bytes:
    return recurse(payload)


def leave(_: bytes) -> Never:
    raise SystemExit(7)


def who(_: bytes) -> bytes:
    return b"%d" % os.getpid()


def write(payload: bytes) -> bytes:
    Path(payload.decode()).write_bytes(b"escaped")
    return b""


def dial(payload: bytes) -> bytes:
    """Connect to a port of this machine."""
    with socket.create_connection(("127.0.0.1", int(payload)), timeout=2):
        return b"connected"


def environment(_: bytes) -> bytes:
    return "\n".join(os.environ).encode()


def limits(_: bytes) -> bytes:
    kinds = (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NOFILE)
    return " ".join(str(resource.getrlimit(kind)[0]) for kind in kinds).encode()


_warm: list[int] = []


def warm(_: bytes) -> bytes:
    """Tell which process came here first."""
    _warm.append(os.getpid())
    return b"%d" % _warm[0]


_remembered: list[bytes] = [b""]


def remember(payload: bytes) -> bytes:
    """Tell what came with the last call that brought something; trip over one thing."""
    if payload == b"bad":
        raise ValueError("this cannot be remembered")
    if payload:
        _remembered[0] = payload
    return _remembered[0]


def forbid(payload: bytes) -> bytes:
    """Let this process have no children from now on, and those that it has none either."""

    def refuse() -> Never:
        raise BlockingIOError(errno.EAGAIN, "no more processes")

    os.fork = refuse
    return payload


def _named() -> dict[str, Callable[[bytes], bytes]]:
    parsers = (
        *(echo, grow, segfault, abort, hang, rest, hoard, refuse, fail),
        *(recurse, leave, who, write, dial, environment, limits, warm, remember, forbid),
    )
    return {parser.__name__: parser for parser in parsers}


ENTRIES = {name: f"{__name__}:{name}" for name in _named()}
