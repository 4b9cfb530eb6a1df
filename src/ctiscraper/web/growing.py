"""Pages that tell while they work: sent piece by piece, so that no script is needed to see it."""

from collections.abc import AsyncIterator, Callable
from html import escape
from typing import TypeVar

import structlog
from starlette.responses import Response, StreamingResponse

from ctiscraper.errors import CTIScraperError, FetchError, ParseError
from ctiscraper.web.problems import told
from ctiscraper.web.search_words import sentence

T = TypeVar("T")

# Where the pieces go in a page; no page has it otherwise.
MARK = "<!-- what is done goes here -->"

_log = structlog.get_logger(__name__)


def live(
    page: Response, steps: AsyncIterator[str | T], shown: Callable[[T], str]
) -> StreamingResponse:
    """Return a page that grows: a line for each step in words, then `shown` of what came of it.

    What stands in the way is told at its place: the answer has begun by then.
    """
    head, found, tail = bytes(page.body).decode().partition(MARK)
    assert found, "the template says where its pieces go"

    async def pieces() -> AsyncIterator[str]:
        yield f'{head}<div role="log" aria-label="What is being done"><ol class="steps">'
        result = ""
        try:
            async for step in steps:
                if isinstance(step, str):
                    yield f"<li>{escape(step)}</li>\n"
                else:
                    result = shown(step)
        except CTIScraperError as error:
            result = _problem(error)
        yield f"</ol></div>{result}{tail}"

    # A proxy that waits for the end would show nothing until then.
    headers = {"cache-control": page.headers["cache-control"], "x-accel-buffering": "no"}
    return StreamingResponse(pieces(), media_type="text/html; charset=utf-8", headers=headers)


def _problem(error: CTIScraperError) -> str:
    if isinstance(error, FetchError | ParseError):
        words = told(error)
    else:
        _log.warning("web.live", detail=str(error))
        words = sentence(str(error))
    return f'<p class="notice wrong" role="alert">{escape(words)}</p>'
