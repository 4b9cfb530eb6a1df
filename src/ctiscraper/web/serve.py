"""The program's own HTTP server, on a loopback address only."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import uvicorn
from fastapi import FastAPI

from ctiscraper.errors import SettingsError
from ctiscraper.web.live import Live

_NAMES = {"localhost": "127.0.0.1"}
_GRACE_SECONDS = 5
_BACKLOG = 512


class _Server(uvicorn.Server):
    """A server that leaves signals to the program it runs in."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: the program decides when to stop."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket on a loopback address.

    Raises SettingsError for an address that others can reach, since there is no access
    control yet, and for a port that is taken. Port 0 takes any free one.
    """
    address = _loopback_address(host)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {address} port {port}: {os.strerror(error.errno or 0)}; stop the "
            "program that has it (another 'ctiscraper up'?) or choose another with --port"
        ) from error


async def serve(app: FastAPI, listening: socket.socket) -> None:
    """Serve on a socket of `listen` until cancelled; open answers get a few seconds to end."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        limit_concurrency=500,
        h11_max_incomplete_event_size=32_768,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        server.should_exit = True
        _end_streams(app)
        await running
        raise


def _end_streams(app: FastAPI) -> None:
    """Let nobody who listens without an end be waited for."""
    live = getattr(app.state, "live", None)
    if isinstance(live, Live):
        live.stop()


def _loopback_address(host: str) -> str:
    name = host.strip().lower()
    try:
        address = ip_address(_NAMES.get(name, name.strip("[]")))
    except ValueError:
        raise SettingsError(f"'{host}' is not an address to listen on; use 127.0.0.1") from None
    if not address.is_loopback:
        raise SettingsError(
            f"the pages have no login, so they are served on this machine alone, not on {host}; "
            "use 127.0.0.1, and an SSH tunnel to read from elsewhere"
        )
    return str(address)
