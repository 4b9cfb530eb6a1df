"""Keeping what recognises names on the data packs in use: made at start, renewed on a change."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import structlog

from ctiscraper.db.known_names import KnownNames
from ctiscraper.db.touched import Touched
from ctiscraper.errors import CTIScraperError, PackError, StorageError
from ctiscraper.packs.shelf import Shelf
from ctiscraper.reference import Reference
from ctiscraper.sandbox import Sandbox

# How soon a process notices that other packs are in use.
LOOK_SECONDS = 60.0
# When nobody looks through a text with older packs any more, what they change is queued.
KNOWN_SECONDS = 2 * LOOK_SECONDS
# How long a default that cannot be built is let be, where older packs can be used.
BUILD_AGAIN_SECONDS = 3600.0

log = structlog.get_logger()


@dataclass(slots=True)
class Recognition:
    """The parsers' process and the packs that its recognisers were made of."""

    reference: Reference
    shelf: Shelf
    sandbox: Sandbox
    touched: Touched
    names: KnownNames
    _used: Mapping[str, Path] | None = None
    _looked_at: float = field(default=float("-inf"))
    _build_at: float = field(default=float("-inf"))

    async def refresh(self) -> bool:
        """Return whether the recognisers are made of the packs in use, made anew if need be.

        Asks the database once a minute. Raises StorageError; a pack that cannot be used leaves
        the recognisers as they were, which may be that there are none.
        """
        if time.monotonic() - self._looked_at < LOOK_SECONDS:
            return self._used is not None
        await self._install_defaults()
        try:
            await self.names.renew()
            places = await self.reference.fill(self.shelf)
            if places != self._used:
                told = {name: str(path) for name, path in places.items()}
                await self.sandbox.renew(msgspec.json.encode(told))
                self._used = places
                log.info("packs_in_use", packs=sorted(places))
            await self._queue_touched()
        except StorageError:
            raise
        except CTIScraperError as error:
            log.error("packs_unusable", error=str(error))  # noqa: TRY400 - names cause and way out
        self._looked_at = time.monotonic()
        return self._used is not None

    async def _install_defaults(self) -> None:
        if time.monotonic() < self._build_at:
            return
        try:
            await self.reference.install_defaults(patient=False)
        except PackError as error:
            log.error("default_packs_missing", error=str(error))  # noqa: TRY400 - names cause and way out
            if await self.reference.can_wait():
                self._build_at = time.monotonic() + BUILD_AGAIN_SECONDS

    async def _queue_touched(self) -> None:
        """Have texts looked through again for what came into use and everybody knows by now."""
        while due := await self.reference.due_change(older_than=KNOWN_SECONDS):
            told, change = due
            if change.extractors:
                count = await self.touched.queue(change)
                log.info("texts_queued_again", pack=change.pack, version=change.new, texts=count)
            await self.reference.end_change(told)
