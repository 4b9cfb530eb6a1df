"""The program's own HTTP server: on loopback, over TLS, or behind proxies that were named."""

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """How the pages are reached: over TLS of their own, through proxies at `hops`, or neither."""

    cert: Path | None = None
    key: Path | None = None
    hops: tuple[IPv4Network | IPv6Network, ...] = ()

    @property
    def scheme(self) -> str:
        """What an address of the pages begins with."""
        return "https" if self.cert else "http"


LOCAL = Entrance()


def listen(host: str, port: int, entrance: Entrance = LOCAL) -> socket.socket:
    """Return a listening socket.

    Raises SettingsError for an address that others can reach when passwords would cross the
    network in the clear, for a certificate that cannot be used, and for a port that is taken.
    Port 0 takes any free one.
    """
    _check_certificate(entrance)
    address = _address(host, entrance)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {address} port {port}: {os.strerror(error.errno or 0)}; stop the "
            "program that has it (another 'ctiscraper up'?) or choose another with --port"
        ) from error


async def serve(app: FastAPI, listening: socket.socket, entrance: Entrance = LOCAL) -> None:
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
        ssl_certfile=entrance.cert,
        ssl_keyfile=entrance.key,
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


def _address(host: str, entrance: Entrance) -> str:
    name = host.strip().lower()
    try:
        address = ip_address(_NAMES.get(name, name.strip("[]")))
    except ValueError:
        raise SettingsError(f"'{host}' is not an address to listen on; use 127.0.0.1") from None
    if not (address.is_loopback or entrance.cert or entrance.hops):
        raise SettingsError(
            f"on {host} passwords would cross the network for all to read: give a certificate "
            "(--tls-cert and --tls-key), or name the proxies before it that speak TLS "
            "(--behind-proxy 10.0.0.0/24), or use 127.0.0.1 and an SSH tunnel"
        )
    return str(address)


def _check_certificate(entrance: Entrance) -> None:
    """Raise SettingsError for half a certificate, or one that TLS cannot be spoken with."""
    if entrance.cert is None and entrance.key is None:
        return
    if entrance.cert is None or entrance.key is None:
        raise SettingsError("TLS needs both a certificate (--tls-cert) and its key (--tls-key)")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(entrance.cert, entrance.key)
    except OSError as error:
        raise SettingsError(
            f"TLS cannot be spoken with {entrance.cert} and {entrance.key}: {error}"
        ) from error
