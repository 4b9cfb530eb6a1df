"""The program's own HTTP server: on loopback, over TLS, or behind proxies that were named."""

import asyncio
import os
import resource
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path

import structlog
import uvicorn
from fastapi import FastAPI

from ctiscraper.errors import SettingsError
from ctiscraper.web.connections import Busy, Connection, Crowd, Guest, Limits
from ctiscraper.web.live import Live

# Of TLS 1.2, with forward secrecy and authenticated; those of 1.3 are all so. Nginx has the same.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
_CERT, _KEY = "CTISCRAPER_TLS_CERT or --tls-cert", "CTISCRAPER_TLS_KEY or --tls-key"
_NAMES = {"localhost": "127.0.0.1"}
_GRACE_SECONDS = 5
_BACKLOG = 512
# What the process opens besides connections: the database's, sites that it reads, its own files.
_OTHER_FILES = 500
_PAUSE_SECONDS = 0.1
# In ticks of the server, which are a tenth of a second.
_TOLD_EVERY = 100

_log = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    """A server that counts connections from when they are accepted.

    It leaves signals to the program it runs in.
    """

    def __init__(self, config: uvicorn.Config, crowd: Crowd) -> None:
        super().__init__(config)
        self._crowd = crowd
        self._accepting: list[asyncio.Task[None]] = []
        self._greeting: set[asyncio.Task[None]] = set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: the program decides when to stop."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        await self.lifespan.startup()
        self.servers = []
        self._accepting = [asyncio.create_task(self._accept(each)) for each in sockets or ()]
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        """Return whether the server is to end. Raises what ended the accepting of connections."""
        for task in self._accepting:
            if task.done():
                task.result()
        if counter % _TOLD_EVERY == 0 and (count := self._crowd.count_put_out()):
            _log.warning("web.crowded", count=count)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let nobody in any more, and wait for those who are being answered."""
        ending = {*self._accepting, *self._greeting}
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending)
        await super().shutdown(sockets)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        listening.settimeout(0)
        while True:
            try:
                accepted, address = await loop.sock_accept(listening)
            except OSError as error:
                # No file is left for another, or who asked has gone already.
                _log.warning("web.not_accepted", detail=os.strerror(error.errno or 0))
                self._crowd.make_room()
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            guest = self._crowd.admit(address[0])
            if guest is None:
                accepted.close()
            else:
                task = asyncio.create_task(self._greet(guest, accepted))
                guest.hang_up = task.cancel
                self._greeting.add(task)
                task.add_done_callback(self._greeting.discard)
            # However many come at once, those who are in already are answered in between.
            await asyncio.sleep(0)

    async def _greet(self, guest: Guest, accepted: socket.socket) -> None:
        """Have a guest spoken with, once TLS is; he may leave before, or speak none."""
        tls, limits = self.config.ssl, self._crowd.limits
        connection = Connection(self.config, self.server_state, guest, self._crowd)
        try:
            with suppress(OSError):
                await asyncio.get_running_loop().connect_accepted_socket(
                    lambda: connection,
                    accepted,
                    ssl=tls,
                    ssl_handshake_timeout=limits.head_seconds if tls else None,
                    ssl_shutdown_timeout=limits.close_seconds if tls else None,
                )
        finally:
            # A handshake that ends without one is not always an error here.
            if not connection.is_made:
                self._crowd.leave(guest)


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


async def serve(
    app: FastAPI,
    listening: socket.socket,
    entrance: Entrance = LOCAL,
    *,
    limits: Limits | None = None,
) -> None:
    """Serve on a socket of `listen` until cancelled; open answers get a few seconds to end."""
    limits = limits or Limits()
    crowd = Crowd(replace(limits, most=_with_files_for(limits.most)), hops=entrance.hops)
    config = uvicorn.Config(
        Busy(app, crowd),
        # Whatever other libraries somebody has installed beside: connections are ours.
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        h11_max_incomplete_event_size=32_768,
        ssl_certfile=entrance.cert,
        ssl_keyfile=entrance.key,
        ssl_ciphers=CIPHERS,
    )
    server = _Server(config, crowd)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        server.should_exit = True
        _end_streams(app)
        await running
        raise


def _with_files_for(most: int) -> int:
    """Return how many connections there may be; as many files may be opened afterwards."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + _OTHER_FILES
    if soft == resource.RLIM_INFINITY:
        return most
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(most, max(soft - _OTHER_FILES, soft // 2))


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
        raise SettingsError(f"TLS needs both a certificate ({_CERT}) and its key ({_KEY})")
    for setting, file in ((_CERT, entrance.cert), (_KEY, entrance.key)):
        try:
            file.read_bytes()
        except OSError as error:
            raise SettingsError(f"{setting}: {file} cannot be read: {error.strerror}") from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(entrance.cert, entrance.key)
    except OSError as error:
        raise SettingsError(
            f"TLS cannot be spoken with {entrance.cert} and {entrance.key}: {error}; name a "
            f"certificate with its chain in {_CERT} and the key to it in {_KEY}, both as PEM files"
        ) from error
