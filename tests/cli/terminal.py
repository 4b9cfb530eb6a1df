"""The program as a person or a script runs it, and a fake internet that goes on meanwhile."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from ctiscraper.cli import main
from ctiscraper.collect.catalog import dump_catalog
from internet.world import FakeInternet
from logs import own_logs

PROGRAM = (sys.executable, "-m", "ctiscraper.cli")
PATIENCE = 60.0


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the command printed
        """The one document that was printed."""
        [line] = self.out.splitlines()
        return json.loads(line)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The documents that were printed, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Terminal:
    """Runs commands with an environment of their own."""

    environment: Mapping[str, str]

    def run(self, *arguments: str, stdin: bytes = b"", code: int | None = 0) -> Ended:
        """How a command ends that runs in this process, on pipes."""
        out, err, keyboard = (io.TextIOWrapper(io.BytesIO(body)) for body in (b"", b"", stdin))
        with (
            own_logs(),
            mock.patch.dict(os.environ, self.environment),
            mock.patch.object(sys, "argv", ["ctiscraper", *arguments]),
            mock.patch.object(sys, "stdin", keyboard),
            redirect_stdout(out),
            redirect_stderr(err),
            pytest.raises(SystemExit) as ending,
        ):
            main()
        ended = Ended(int(ending.value.code or 0), _written(out), _written(err))
        assert code is None or ended.code == code, ended
        return ended

    def noted(self) -> list[str]:
        """The actions that the audit log has, the first one first."""
        page = self.run("audit", "list", "--limit", "200", "--json").json
        return [entry["action"] for entry in reversed(page["entries"])]

    @contextmanager
    def running(self, *arguments: str) -> Iterator["Running"]:
        """A command that goes on; whatever happens it is gone at the end."""
        with subprocess.Popen(
            [*PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **self.environment},
            text=True,
        ) as process:
            killer = threading.Timer(PATIENCE, process.kill)
            killer.start()
            try:
                yield Running(process)
            finally:
                killer.cancel()
                if process.poll() is None:
                    process.terminate()
                    process.communicate(timeout=PATIENCE)


@dataclass(frozen=True)
class Running:
    """A command that goes on, talking JSON."""

    process: "subprocess.Popen[str]"

    def until(self, event: str, **wanted: object) -> dict[str, Any]:
        """The first message of this kind from now on whose `progress` has these values."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message: dict[str, Any] = json.loads(line)
            progress = message.get("progress", {})
            if message["event"] == event and wanted.items() <= progress.items():
                return message
        raise AssertionError(f"ended without {event}: {self._errors()}")

    def stop(self, number: signal.Signals = signal.SIGINT) -> Ended:
        """How it ends by a signal."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        return Ended(self.process.returncode, out, err)

    def _errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()


class Background:
    """A fake internet in a thread of its own, so that commands can be waited for here."""

    def __init__(self, net: FakeInternet) -> None:
        self.net = net
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    def __enter__(self) -> FakeInternet:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self.net

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(PATIENCE)
        self._loop.close()

    async def _run(self) -> None:
        async with self.net:
            self._ready.set()
            await self._over.wait()


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()


def environment(database: str, folder: Path, net: FakeInternet | None = None) -> dict[str, str]:
    """What the settings of a command are read from."""
    settings = {
        "DATABASE_URL": database,
        "CTISCRAPER_DATA_DIR": str(folder),
        # Recognisers take seconds to make; what they find is tested elsewhere.
        "CTISCRAPER_ENRICH": "false",
    }
    if net is None:
        return settings
    return settings | {
        "CTISCRAPER_MIN_GAP": "0",
        "CTISCRAPER_WORKERS": "1",
        "CTISCRAPER_LEASE_SECONDS": "2",
        "CTISCRAPER_EGRESS_ALLOW_CIDRS": ",".join(map(str, net.networks)),
        "CTISCRAPER_EGRESS_ALLOW_PORTS": ",".join(map(str, net.ports)),
    }


def catalogue_of(net: FakeInternet, folder: Path) -> str:
    """A catalogue file of all the sites."""
    file = folder / "sites.yaml"
    file.write_text(dump_catalog(net.sources()), "utf-8")
    return str(file)
