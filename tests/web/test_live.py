"""Listeners over real connections: what they are told, who may listen, and how it ends."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import httpx2
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

import patience
from ctiscraper.access.cookies import session_key
from ctiscraper.access.tokens import new_token
from ctiscraper.db.live import LiveReader, Waiting
from ctiscraper.db.session import Database
from ctiscraper.db.tokens import Tokens
from ctiscraper.identity import Permission
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from ctiscraper.web.live import LISTENERS_OF_ONE, Live
from ctiscraper.web.serve import listen, serve
from people import person, session_of, token_of
from web.shelf import Shelf

PATIENCE = 20


@dataclass
class Event:
    name: str
    data: dict[str, object]
    number: str = ""


@dataclass
class Place:
    """A served app, whose state of listeners a test may look at."""

    live: Live
    address: str
    serving: asyncio.Task[None]

    @asynccontextmanager
    async def asked(
        self, path: str = "", **headers: str
    ) -> AsyncIterator[tuple[httpx2.Response, AsyncIterator[str]]]:
        async with (
            httpx2.AsyncClient(base_url=self.address, timeout=PATIENCE) as client,
            client.stream("GET", f"/api/v1/events{path}", headers=headers) as answer,
        ):
            yield answer, answer.aiter_lines()


async def event(lines: AsyncIterator[str]) -> Event:
    """The next event, comments passed over."""
    found = Event("", {})
    async for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            found.name = value
        elif field == "id":
            found.number = value
        elif field == "data":
            found.data = json.loads(value)
        elif not line and found.name:
            return found
    raise EOFError


async def until(lines: AsyncIterator[str], name: str) -> Event:
    while (found := await event(lines)).name != name:
        pass
    return found


@pytest_asyncio.fixture
async def place(database: str) -> AsyncIterator[Place]:
    async with Database(database, size=4) as opened:
        with listen("127.0.0.1", 0) as listening:
            app = create_app(WebServices(database=opened))
            app.state.live = Live(opened, look=0.05, heartbeat=0.1, most=8)
            serving = asyncio.create_task(serve(app, listening))
            address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            yield Place(app.state.live, address, serving)
            serving.cancel()
            await asyncio.wait({serving})


@pytest_asyncio.fixture
async def token(opened: Database, admin: int) -> str:
    return f"Bearer {await token_of(opened, admin)}"


async def test_new_articles_are_told_to_all_who_listen(
    place: Place, shelf: Shelf, token: str
) -> None:
    shelf.article("old")
    async with place.asked(authorization=token) as (answer, one):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-accel-buffering"] == "no"
        assert answer.headers["cache-control"] == "no-store"
        first = await until(one, "articles")
        assert (first.data, first.number) == ({"added": 0}, "1")
        async with place.asked(authorization=token) as (_, other):
            await until(other, "articles")
            shelf.article("new")
            shelf.article("newer")
            for lines in (one, other):
                added = 0
                while added < 2:
                    found = await until(lines, "articles")
                    added += int(str(found.data["added"]))
                assert (added, found.number) == (2, "3")


async def test_who_has_only_come_is_not_told_of_what_his_page_has(
    place: Place, shelf: Shelf, token: str
) -> None:
    shelf.article("old")
    async with place.asked(authorization=token) as (_, one):
        await until(one, "articles")
        for title in ("new", "newer"):
            shelf.run(
                "INSERT INTO outbox (topic, article_id, revision) VALUES ('article', %s, 1)",
                (shelf.article(title),),
            )
        async with place.asked(authorization=token) as (_, other):
            first = await until(other, "articles")
            assert (first.data, first.number) == ({"added": 0}, "3")
            shelf.run("DELETE FROM outbox")
            shelf.article("newest")
            added, found = 0, first
            while found.number != "4":
                found = await until(other, "articles")
                added += int(str(found.data["added"]))
            assert added == 1
        told = 0
        while told < 3:
            told += int(str((await until(one, "articles")).data["added"]))


@pytest.mark.parametrize("way", ["header", "parameter"])
async def test_who_was_cut_off_hears_what_came_meanwhile(
    place: Place, shelf: Shelf, token: str, way: str
) -> None:
    for number in range(4):
        shelf.article(f"n{number}")
    path, headers = ("?after=1", {}) if way == "parameter" else ("", {"last-event-id": "1"})
    async with place.asked(path, authorization=token, **headers) as (_, lines):
        found = await until(lines, "articles")
        assert (found.data, found.number) == ({"added": 3}, "4")


async def test_long_work_is_told_with_its_progress(place: Place, shelf: Shelf, token: str) -> None:
    for number in range(4):
        shelf.job("acme", f"https://acme.example/{number}", "pending")
    shelf.run("UPDATE source_state SET health = 'ok'")
    async with place.asked(authorization=token) as (_, lines):
        found = await until(lines, "work")
        assert found.data == {"works": [{"name": "items", "done": 0, "total": 4}]}
        shelf.run("UPDATE fetch_job SET state = 'failed' WHERE id <= 3")
        found = await until(lines, "work")
        assert found.data == {"works": [{"name": "items", "done": 3, "total": 4}]}
        shelf.run("UPDATE fetch_job SET state = 'failed'")
        assert (await until(lines, "work")).data == {"works": []}


async def test_a_stream_ends_with_its_session(
    place: Place, opened: Database, admin: int, shelf: Shelf
) -> None:
    secret = await session_of(opened, admin)
    async with place.asked(cookie=f"ctiscraper={secret}") as (_, lines):
        await until(lines, "articles")
        shelf.run("DELETE FROM user_session WHERE id = %s", (session_key(secret),))
        assert (await until(lines, "end")).data == {}
        with pytest.raises(EOFError):
            await event(lines)


async def test_a_stream_ends_with_its_token_and_keeps_no_session_alive(
    place: Place, opened: Database, admin: int, shelf: Shelf, token: str
) -> None:
    secret = await session_of(opened, admin)
    shelf.run("UPDATE user_session SET seen_at = now() - interval '7 hours 50 minutes'")
    async with (
        place.asked(authorization=token) as (_, mine),
        place.asked(cookie=f"ctiscraper={secret}") as (_, idle),
    ):
        await until(mine, "articles")
        await until(idle, "articles")
        # Asking for the stream was work, listening is none.
        shelf.run("UPDATE user_session SET seen_at = now() - interval '8 hours'")
        assert (await until(idle, "end")).name == "end"
        shelf.run("UPDATE api_token SET revoked_at = now()")
        assert (await until(mine, "end")).name == "end"


async def test_nobody_listens_in_more_places_than_he_may(
    place: Place, opened: Database, token: str, shelf: Shelf
) -> None:
    other = f"Bearer {await token_of(opened, await person(opened, login='other'))}"
    async with asyncio.TaskGroup() as group:
        held = [group.create_task(_hold(place, token)) for _ in range(LISTENERS_OF_ONE)]
        await _listening(place, LISTENERS_OF_ONE)
        async with place.asked(authorization=token) as (answer, lines):
            assert answer.status_code == 429
            said = json.loads("".join([line async for line in lines]))
            assert "in 6 places already" in said["detail"]
            assert answer.headers["retry-after"] == "30"
        held += [group.create_task(_hold(place, other)) for _ in range(2)]
        await _listening(place, 8)
        async with place.asked(authorization=other) as (answer, _):
            assert answer.status_code == 503
        for task in held:
            task.cancel()
    await _listening(place, 0)
    async with place.asked(authorization=token) as (answer, _):
        assert answer.status_code == 200
    open_ones = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE state = 'idle in transaction' AND datname = current_database()"
    )

    async def are_none() -> bool:
        return bool(shelf.run(open_ones)[0] == 0)

    await patience.until(are_none)


async def _hold(place: Place, token: str) -> None:
    async with place.asked(authorization=token) as (_, lines):
        async for _line in lines:
            pass


async def _listening(place: Place, count: int) -> None:
    async def holds() -> bool:
        return place.live.listeners == count

    await patience.until(holds, seconds=PATIENCE)


async def test_who_may_not_see_the_work_hears_of_articles_alone(
    place: Place, opened: Database, shelf: Shelf
) -> None:
    given, key = new_token()
    await Tokens(opened).add(key, name="reader", scopes=[Permission.ARTICLE_READ], user_id=None)
    shelf.job("acme", "https://acme.example/1", "pending")
    async with place.asked(authorization=f"Bearer {given}") as (_, lines):
        assert (await event(lines)).name == "articles"
        shelf.article("new")
        assert (await event(lines)).name == "articles"


async def test_a_database_that_goes_away_and_comes_back_ends_no_stream(
    place: Place, shelf: Shelf, token: str
) -> None:
    async with place.asked(authorization=token) as (_, lines):
        await until(lines, "articles")
        shelf.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        shelf.article("new")
        assert (await until(lines, "articles")).data == {"added": 1}


async def test_open_streams_do_not_delay_a_stop(place: Place, token: str) -> None:
    async with place.asked(authorization=token) as (_, lines):
        await until(lines, "articles")
        place.serving.cancel()
        async with asyncio.timeout(3):
            await asyncio.wait({place.serving})
            # The page asks again by itself: it is not told that its session is over.
            with pytest.raises(EOFError):
                await until(lines, "end")


async def test_a_silent_stream_shows_that_it_lives(place: Place, token: str) -> None:
    async with place.asked(authorization=token) as (_, lines):
        async with asyncio.timeout(PATIENCE):
            async for line in lines:
                if line == ": still here":
                    break


async def test_nobody_is_looked_for_when_nobody_listens(place: Place, token: str) -> None:
    assert place.live.listeners == 0
    async with place.asked(authorization=token) as (_, lines):
        await until(lines, "articles")
        assert place.live.listeners == 1
    await _listening(place, 0)
    with socket.create_connection(("127.0.0.1", int(place.address.rpartition(":")[2]))):
        assert not place.serving.done()


class DeafReader(LiveReader):
    """One that goes on when it is told to end, as waiting for a connection may before 3.12."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.begun = asyncio.Event()

    async def newest(self) -> int:
        self.begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return await super().newest()


async def test_a_look_that_was_not_told_of_its_end_is_the_last(opened: Database) -> None:
    live = Live(opened, look=0.0)
    live._reader = reader = DeafReader(opened)
    with live.listener("ann", None, sees_work=False, resumes=None):
        await reader.begun.wait()
        looking = live._looking
        assert looking is not None
    done, _ = await asyncio.wait({looking}, timeout=PATIENCE)
    assert done == {looking}


class FaultyReader(LiveReader):
    """One whose next looks break by a fault of the program."""

    faults = 0

    async def waiting(self) -> Waiting:
        if self.faults:
            self.faults -= 1
            raise ValueError("a fault")
        return await super().waiting()


async def test_a_look_that_breaks_is_logged_and_made_again(
    place: Place, opened: Database, shelf: Shelf, token: str
) -> None:
    place.live._reader = reader = FaultyReader(opened)
    async with place.asked(authorization=token) as (_, lines):
        await until(lines, "articles")
        reader.faults = 2
        shelf.article("new")
        with capture_logs() as logs:
            async with asyncio.timeout(PATIENCE):
                assert (await until(lines, "articles")).data == {"added": 1}
    broke = [one for one in logs if one["event"] == "live_look_broke"]
    assert [(one["log_level"], one["exc_info"]) for one in broke] == [("error", True)] * 2


async def test_a_wrong_number_is_refused(place: Place, token: str) -> None:
    for wrong in ("?after=x", "?after=-1", "?before=1"):
        async with place.asked(wrong, authorization=token) as (answer, _):
            assert answer.status_code == 422
    async with place.asked(authorization=token, **{"last-event-id": "rubbish"}) as (_, lines):
        assert (await until(lines, "articles")).data == {"added": 0}
