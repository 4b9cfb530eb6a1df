"""A hostile server of models: what it does instead of answering, and what that should be called."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from ctiscraper.errors import ModelFault
from loopback import Asked, read_request, reply, served

Turn = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]
Reply = bytes | Turn

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n"
MEMORY = "model requires more system memory (5.6 GiB) than is available (3.1 GiB)"
FULL = "server busy, please try again.  maximum pending requests exceeded"
LONG = "the input length exceeds the context length"


@dataclass
class EvilServer:
    """What it replies to every request, whom it heard, and how many it still has on the line.

    What it says of a model is apart, and those who ask for that are not among the heard.
    """

    answer: Reply = b""
    shown: Reply = field(default_factory=lambda: reply(b"{}"))
    shows: int = 0
    port: int = 0
    open: int = 0
    asked: list[Asked] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Do to one connection what it does to all."""
        self.open += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                request = await read_request(reader)
                body = await reader.readexactly(int(request.headers.get("content-length", "0")))
                does = self.shown if request.path == "/api/show" else self.answer
                self._hear(request, body)
                await self._turn(does, request, reader, writer)
        finally:
            # What was written still goes out, and the end of it after that.
            writer.close()
            self.open -= 1

    def _hear(self, request: Asked, body: bytes) -> None:
        if request.path == "/api/show":
            self.shows += 1
            return
        self.asked.append(request)
        self.bodies.append(body)

    async def _turn(
        self,
        does: Reply,
        request: Asked,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if not callable(does):
            writer.write(does)
            await writer.drain()
            return
        turn = asyncio.ensure_future(does(request, writer))
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({turn, gone}, return_when=asyncio.FIRST_COMPLETED)
            await writer.drain()
        finally:
            turn.cancel()
            gone.cancel()
            await asyncio.gather(turn, gone, return_exceptions=True)


@asynccontextmanager
async def evil_server() -> AsyncIterator[EvilServer]:
    """Yield a running one."""
    evil = EvilServer()
    async with served(evil.serve) as evil.port:
        yield evil


def ollama_says(*parts: str, reason: str = "stop", prompt: int = 7) -> bytes:
    """A whole answer by Ollama's API."""
    lines = [{"message": {"role": "assistant", "content": part}, "done": False} for part in parts]
    end = {"done": True, "done_reason": reason, "prompt_eval_count": prompt}
    end |= {"message": {"role": "assistant", "content": ""}, "eval_count": len(parts)}
    return reply("".join(json.dumps(line) + "\n" for line in [*lines, end]).encode())


def openai_says(*parts: str, reason: str = "stop") -> bytes:
    """A whole answer by OpenAI's routes."""
    events = [{"choices": [{"index": 0, "delta": {"content": part}}]} for part in parts]
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    usage = {"prompt_tokens": 7, "completion_tokens": len(parts)}
    lines = [json.dumps(event) for event in [*events, {"choices": [], "usage": usage}]]
    body = "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"])
    return reply(body.encode(), {"Content-Type": "text/event-stream"})


def error(status: int, words: str) -> bytes:
    """Ollama's word that it will not."""
    return reply(json.dumps({"error": words}).encode(), status=status)


async def hang(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Say nothing, for as long as somebody is there."""
    del writer
    await asyncio.Event().wait()


def then(head: bytes, after: Turn) -> Turn:
    """Begin well."""

    async def turn(request: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await writer.drain()
        await after(request, writer)

    return turn


def over_and_over(block: bytes, seconds: float = 0.0) -> Turn:
    """Never end."""

    async def turn(_: Asked, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(block)
            await writer.drain()
            await asyncio.sleep(seconds)

    return turn


async def repeat_the_key(request: Asked, writer: asyncio.StreamWriter) -> None:
    """Give away what it was told in confidence."""
    writer.write(error(400, f"what is {request.headers['authorization']}?"))


def _piece(text: str) -> bytes:
    return json.dumps({"message": {"content": text}, "done": False}).encode() + b"\n"


class Evil(NamedTuple):
    """One malformed reply to a chat by Ollama's API, and the fault that it is."""

    name: str
    answer: Reply
    fault: ModelFault
    says: str = ""


_BROKE, _BAD, _SLOW = ModelFault.BROKE_OFF, ModelFault.BAD_ANSWER, ModelFault.TIMEOUT
_AWAY = ModelFault.AWAY
_BOMB = gzip.compress(b" " * 30_000_000)
_NESTED = b'{"message": ' + b"[" * 100_000 + b"\n"

EVILS = [
    Evil("hangs at accept", hang, _SLOW, "CTISCRAPER_MODEL_SECONDS"),
    Evil("hangs after the headers", then(STREAM, hang), _SLOW),
    Evil("hangs in the answer", then(STREAM + _piece("so"), hang), _SLOW),
    Evil("drips white space", then(STREAM, over_and_over(b" ", 0.02)), _SLOW),
    Evil("drips the head", then(b"HTTP/1.1 200 OK\r\nX: ", over_and_over(b"a", 0.02)), _SLOW),
    Evil("drips an answer", then(STREAM, over_and_over(_piece("a"), 0.02)), _SLOW),
    Evil("says nothing and closes", b"", _BROKE, "see that it runs"),
    Evil("promises more than it sends", reply(b"{").replace(b": 1", b": 900"), _BROKE),
    Evil("promises less than it sends", reply(b"x" * 60).replace(b": 60", b": 5"), _BAD),
    Evil("a length that is none", reply(b"{}").replace(b": 2", b": -2"), _BAD),
    Evil("two lengths", reply(b"{}", {"content-length": "9"}), _BAD),
    Evil("promises too much", reply(b"{}").replace(b": 2", b": 99999999999"), _BAD),
    Evil("endless white space", then(STREAM, over_and_over(b" " * 65_536)), _BAD),
    Evil("endless lines that are empty", then(STREAM, over_and_over(b"\n" * 65_536)), _BAD),
    Evil("one endless line", then(STREAM + b'{"x":"', over_and_over(b"a" * 65_536)), _BAD),
    Evil("endless words", then(STREAM, over_and_over(_piece("word " * 900))), _BAD),
    Evil("endless blank words", then(STREAM, over_and_over(_piece("\n  \t"))), _BAD, "white space"),
    Evil("endless headers", then(b"HTTP/1.1 200 OK\r\n", over_and_over(b"A: b\r\n" * 9_000)), _BAD),
    Evil("endless interim answers", over_and_over(b"HTTP/1.1 103 Hi\r\n\r\n" * 9_000), _BAD),
    Evil("no HTTP", b"SSH-2.0-OpenSSH_9.6\r\n\r\n", _BAD),
    Evil(
        "JSON that is none", reply(b'{"message": {"content": "a"}, done}\n'), _BAD, "not as agreed"
    ),
    Evil("a page of HTML", reply(b"<html><h1>Welcome to nginx!</h1></html>"), _BAD, "nginx"),
    Evil("JSON of no object", reply(b"[]\n5\nnull\n"), _BAD),
    Evil("an object that says nothing", reply(b"{}\n"), _BAD, "says nothing"),
    Evil("a message that is a number", reply(b'{"message": 5}\n'), _BAD, "message"),
    Evil("words that are a list", reply(b'{"message": {"content": ["a"]}}\n'), _BAD),
    Evil("counts below nothing", reply(b'{"done": true, "eval_count": -1}\n'), _BAD),
    Evil("counts beyond all", reply(b'{"done": true, "eval_count": 1e400}\n'), _BAD),
    Evil("nested without end", reply(_NESTED), _BAD),
    Evil("bytes that are no text", reply(b'{"message": {"content": "\xff\xfe"}}\n'), _BAD),
    Evil("half a character", reply(b'{"message": {"content": "\\ud800"}}\n'), _BAD),
    Evil("a gzip bomb", reply(_BOMB, {"Content-Encoding": "gzip"}), _BAD, "too_large"),
    Evil("gzip that is none", reply(b"plain", {"Content-Encoding": "gzip"}), _BAD),
    Evil("a coding nobody asked for", reply(b"x", {"Content-Encoding": "br"}), _BAD),
    Evil("ends in the middle", reply(_piece("so far")), _BROKE, "before it was whole"),
    Evil("a fault of its own", error(500, "runner exploded"), _BROKE, "runner exploded"),
    Evil("a fault without words", reply(b"", status=500), _BROKE, "500"),
    Evil("a gateway before nobody", reply(b"", status=502), _AWAY, "502"),
    Evil("a gateway that waited in vain", reply(b"<h1>504</h1>", status=504), _AWAY, "504"),
    Evil(
        "a fault that goes on", then(b"HTTP/1.1 500 X\r\n\r\n", over_and_over(b"a" * 9_000)), _BROKE
    ),
    Evil("breaks off with a fault", reply(_piece("a") + b'{"error":"eh"}\n'), _BROKE, "eh"),
    Evil(
        "no such model",
        error(404, "model 'evil:1b' not found"),
        ModelFault.MODEL_MISSING,
        "`ollama pull evil:1b`",
    ),
    Evil("no such route", reply(b"404 page not found", status=404), ModelFault.MODEL_MISSING),
    Evil("no memory", error(500, MEMORY), ModelFault.OUT_OF_MEMORY, "smaller model"),
    Evil(
        "killed for its memory",
        reply(_piece("a") + b'{"error": "llama runner process has terminated: signal: killed"}\n'),
        ModelFault.OUT_OF_MEMORY,
    ),
    Evil("a text too long", error(400, LONG), ModelFault.TOO_LONG, "CTISCRAPER_MODEL_CONTEXT"),
    Evil("a text cut in silence", ollama_says("a", prompt=512), ModelFault.TOO_LONG, "512"),
    Evil("more to do than it can", error(503, FULL), ModelFault.BUSY),
    Evil("too many questions", error(429, "slow down"), ModelFault.BUSY),
    Evil("a wrong key", error(401, "who are you"), ModelFault.REFUSED, "MODEL_KEY_FILE"),
    Evil("nothing left to pay with", error(429, "you exceeded your quota"), ModelFault.REFUSED),
    Evil("what it does not know", error(400, "invalid format"), ModelFault.REFUSED),
    Evil("repeats the key", repeat_the_key, ModelFault.REFUSED, "Bearer ***"),
    Evil(
        "leads elsewhere",
        reply(b"", {"Location": "http://127.0.0.1:1/api/chat"}, status=307),
        ModelFault.REFUSED,
        "elsewhere",
    ),
    Evil(
        "leads to metadata",
        reply(b"", {"Location": "http://169.254.169.254/latest"}, status=302),
        ModelFault.REFUSED,
    ),
]
