"""A server of Ollama's API in a thread, and processes that ask it, as tests end them by force."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ctiscraper.config import Settings
from ctiscraper.tasks.crew import Crew
from ctiscraper.tasks.model_run import COMMAND
from ctiscraper.tasks.run import write_order

MODEL = "small"


class Gate:
    """Answers wait until it is opened."""

    def __init__(self, said: str) -> None:
        self.said = said
        self.opened = threading.Event()
        self.asked = 0


def _ollama(gate: Gate) -> type[BaseHTTPRequestHandler]:
    class Ollama(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            known = {"/api/version": {"version": "0.12.6"}}
            tags = {"models": [{"name": MODEL, "size": 1, "digest": "d"}]}
            self._answer(known.get(self.path, tags))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/api/chat":
                self._answer({"model_info": {}})
                return
            gate.asked += 1
            gate.opened.wait(60)
            self._answer(
                {
                    "model": MODEL,
                    "message": {"role": "assistant", "content": gate.said},
                    "done": True,
                    "done_reason": "stop",
                    "prompt_eval_count": 70,
                    "eval_count": 7,
                }
            )

        def _answer(self, document: object) -> None:
            body = json.dumps(document).encode() + b"\n"
            self.send_response(200)
            self.send_header("Content-Type", "application/x-ndjson")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def handle(self) -> None:
            try:
                super().handle()
            except (BrokenPipeError, ConnectionResetError):
                # Whoever asked was ended.
                return

        def log_message(self, *args: object) -> None:
            del args

    return Ollama


@contextmanager
def answering(said: str) -> Iterator[tuple[str, Gate]]:
    """The address of a server, and what holds its answers back."""
    gate = Gate(said)
    with ThreadingHTTPServer(("127.0.0.1", 0), _ollama(gate)) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", gate
        gate.opened.set()
        server.shutdown()
        thread.join()


def settings_of(conninfo: str, folder: Path, address: str, **changes: object) -> Settings:
    values: dict[str, object] = {
        "data_dir": folder,
        "database_url": conninfo,
        "model_url": address,
        "model": MODEL,
        "lease_seconds": 2.0,
        **changes,
    }
    return Settings(**values)  # type: ignore[arg-type]  # a builder


def crew_of(settings: Settings, conninfo: str, size: int = 1) -> Crew:
    """Processes that ask models, started again when they end."""
    assert COMMAND[0] == sys.executable
    order = write_order(conninfo, settings)
    return Crew(COMMAND, order, size, settings.data_dir / "models.log")
