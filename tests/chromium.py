"""One Chromium for all tests of a process: a start takes a second of processor time.

Each test has a context of its own, which shares neither cookies nor stored things with others.
"""

import os
import shutil

import pytest
from playwright.async_api import Browser, Error, Playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def _program() -> str | None:
    given = os.environ.get("CTISCRAPER_TEST_CHROMIUM")
    return given or shutil.which("chromium") or shutil.which("chromium-browser")


class Chromium:
    """A browser that is started when it is first asked for, and again if it has ended."""

    def __init__(self, playwright: Playwright) -> None:
        self._playwright = playwright
        self._browser: Browser | None = None

    async def browser(self) -> Browser:
        """The browser; skips a test where none starts."""
        if self._browser is None or not self._browser.is_connected():
            found = _program()
            if found is None:
                pytest.skip(
                    "no Chromium on this machine: install it, or set CTISCRAPER_TEST_CHROMIUM"
                )
            try:
                self._browser = await self._playwright.chromium.launch(
                    executable_path=found, args=list(FLAGS)
                )
            except Error as error:
                pytest.skip(f"Chromium does not start here: {error.message[:200]}")
        return self._browser

    async def aclose(self) -> None:
        if self._browser is not None:
            await self._browser.close()
