"""What happens while pages are open, told to all listeners of this process from one look each."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec
import structlog

from ctiscraper.access.tokens import TokenKey
from ctiscraper.db.live import LiveReader, Waiting
from ctiscraper.db.session import Database
from ctiscraper.errors import StorageError

LOOK_SECONDS = 2.0
HEARTBEAT_SECONDS = 15.0
LISTENERS_MOST = 200
LISTENERS_OF_ONE = 6
# Counting what waits may take this share of the time.
SHARE = 0.02
# Whoever shows neither session nor token is let in anew now and then.
_KEYLESS_SECONDS = 300.0
_RETRY_MILLISECONDS = 3000

log = structlog.get_logger()

Key = bytes | TokenKey
_encoder = msgspec.json.Encoder()


class TooManyListenersError(Exception):
    """That this process, or one user, has as many open streams as there may be."""

    def __init__(self, *, of_one: bool) -> None:
        super().__init__()
        self.of_one = of_one


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A work under way: of `total` units that waited since it began `done` are over."""

    name: str
    done: int
    total: int


@dataclass(eq=False, slots=True)
class Listener:
    """An open page: whose it is, and what it was told last."""

    owner: object
    key: Key | None
    sees_work: bool
    resumes: int | None
    began: float = field(default_factory=time.monotonic)
    told: int | None = None
    # The last article that his page has, until what came behind it was counted for him alone.
    behind: int | None = None
    works: tuple[Work, ...] | None = None
    ended: bool = False


class Live:
    """The state that listeners are told; looked at only while there are any."""

    def __init__(
        self,
        database: Database,
        *,
        look: float = LOOK_SECONDS,
        heartbeat: float = HEARTBEAT_SECONDS,
        most: int = LISTENERS_MOST,
        share: float = SHARE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = LiveReader(database)
        self._look, self.heartbeat, self._most, self._clock = look, heartbeat, most, clock
        self._share = share
        self._listeners: set[Listener] = set()
        self._changed = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._newest: int | None = None
        self._stored = 0
        self._works: tuple[Work, ...] = ()
        self._peaks: Counter[str] = Counter()
        self._checked = 0.0
        self._stopping = False

    @property
    def listeners(self) -> int:
        """Return how many streams are open."""
        return len(self._listeners)

    @contextmanager
    def listener(
        self, owner: object, key: Key | None, *, sees_work: bool, resumes: int | None
    ) -> Iterator[Listener]:
        """Yield a place among the listeners, resuming behind an article where one is given.

        Raises TooManyListenersError.
        """
        if sum(one.owner == owner for one in self._listeners) >= LISTENERS_OF_ONE:
            raise TooManyListenersError(of_one=True)
        if len(self._listeners) >= self._most:
            raise TooManyListenersError(of_one=False)
        one = Listener(owner, key, sees_work, resumes)
        self._listeners.add(one)
        if self._looking is None or self._looking.done():
            # Nobody looked meanwhile: what there is now is where the first begins.
            self._newest = None
            self._looking = asyncio.create_task(self._go_on_looking())
        try:
            yield one
        finally:
            self._listeners.discard(one)
            if not self._listeners and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def stream(self, one: Listener) -> AsyncIterator[bytes]:
        """Yield what a listener is told, until he may listen no more."""
        yield f"retry: {_RETRY_MILLISECONDS}\n\n".encode()
        while True:
            changed = self._changed
            for event in await self._news(one):
                yield event
            if one.ended:
                yield _event("end", {})
                return
            if self._stopping:
                return
            try:
                async with asyncio.timeout(self.heartbeat):
                    await changed.wait()
            except TimeoutError:
                yield b": still here\n\n"

    def stop(self) -> None:
        """End every stream: the program stops, and pages ask again once it is back."""
        self._stopping = True
        self._tell()

    async def _news(self, one: Listener) -> list[bytes]:
        """What a listener was not told yet; nothing before there was a first look."""
        newest = self._newest
        if newest is None or one.ended:
            return []
        events: list[bytes] = []
        # The first event only has the number to resume from, where nothing came.
        is_first = one.told is None
        added = await self._added(one, newest)
        if added or is_first:
            number = max(newest, one.behind or 0)
            events.append(_event("articles", {"added": added}, number=number))
        if one.sees_work and one.works != self._works:
            one.works = self._works
            events.append(_event("work", {"works": one.works}))
        return events

    async def _added(self, one: Listener, newest: int) -> int:
        """How many articles came since a listener was told; a new one begins from now on."""
        told, stored = one.told, self._stored
        if told is not None and one.behind is None:
            one.told = stored
            return stored - told
        try:
            count = await self._added_for(one, newest)
        except StorageError:
            return 0
        one.told = stored
        return count

    async def _added_for(self, one: Listener, newest: int) -> int:
        """How many came behind what the page has of one who was cut off, or who has only come."""
        if one.behind is None:
            there = await self._reader.newest()
            one.behind = there if one.resumes is None else min(one.resumes, there)
        if newest < one.behind:
            # What may repeat another article is not counted yet, and the page has it.
            return 0
        count = (await self._reader.added(one.behind, until=newest))[0]
        one.behind = None
        return count

    async def _go_on_looking(self) -> None:
        # A cancellation may be lost, and another has begun to look since.
        while self._looking is asyncio.current_task():
            began = self._clock()
            pause = self._look
            try:
                await self._look_once()
            except StorageError as error:
                log.warning("live_look_failed", detail=str(error))
            except Exception:
                # The boundary of this task: streams live on, and nobody else looks for them.
                log.exception("live_look_broke")
                pause = self.heartbeat
            spent = self._clock() - began
            await asyncio.sleep(max(pause, spent / self._share))

    async def _look_once(self) -> None:
        newest, added = self._newest, 0
        if newest is None:
            newest = await self._reader.newest()
        else:
            added, newest = await self._reader.added(newest)
        works = self._progress(await self._reader.waiting())
        if self._clock() - self._checked >= self.heartbeat:
            await self._end_strangers()
            self._checked = self._clock()
        is_news = newest != self._newest or works != self._works
        self._stored += added
        self._newest, self._works = newest, works
        if is_news:
            self._tell()

    async def _end_strangers(self) -> None:
        """End the streams of those whose session or token lets nobody in any more."""
        # Whoever comes while the database is asked was not asked about.
        asked_about = tuple(self._listeners)
        keys = {one.key for one in asked_about if one.key is not None}
        there = await self._reader.still_there(keys)
        now = time.monotonic()
        for one in asked_about:
            is_gone = one.key not in there
            if one.key is None:
                is_gone = now - one.began > _KEYLESS_SECONDS
            if is_gone:
                one.ended = True
                self._tell()

    def _progress(self, waiting: Waiting) -> tuple[Work, ...]:
        """What is under way, each held against the most of it that waited since it began."""
        works = []
        for name, count in (
            ("sources", waiting.sources),
            ("items", waiting.items),
            ("texts", waiting.texts),
        ):
            if not count:
                del self._peaks[name]
                continue
            self._peaks[name] = max(self._peaks[name], count)
            works.append(Work(name=name, done=self._peaks[name] - count, total=self._peaks[name]))
        return tuple(works)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _event(name: str, data: object, *, number: int | None = None) -> bytes:
    numbered = "" if number is None else f"id: {number}\n"
    return f"event: {name}\n{numbered}data: ".encode() + _encoder.encode(data) + b"\n\n"
