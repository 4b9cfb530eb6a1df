"""The sandbox with parsers that crash, hang, hoard and lie."""

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from unittest import mock

import psutil
import pytest
import pytest_asyncio

from ctiscraper import sandbox as sandboxes
from ctiscraper.errors import CTIScraperError, ParseError, Reason, StorageError
from ctiscraper.sandbox import Sandbox
from sandbox_targets import ENTRIES

LINUX = sys.platform.startswith("linux")
HOLDER = """
import asyncio, sys
from ctiscraper.sandbox import Sandbox
sys.path[:] = sys.argv[1:]
from sandbox_targets import ENTRIES

async def main():
    async with Sandbox(ENTRIES, seconds=600, processes=2) as sandbox:
        hanging = asyncio.create_task(sandbox.call("hang", b""))
        await asyncio.sleep(0)
        await sandbox.call("echo", b"")
        print(*sandbox.pids, flush=True)
        await hanging

asyncio.run(main())
"""


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(ENTRIES, seconds=0.5, processes=2, recycle_after=50) as opened:
        yield opened


async def failure(sandbox: Sandbox, name: str, payload: bytes = b"") -> ParseError:
    with pytest.raises(ParseError) as caught:
        await sandbox.call(name, payload)
    assert await sandbox.call("echo", b"alive") == b"alive"
    return caught.value


@pytest.mark.parametrize("size", [0, 1, 90_000, 5_000_000])
async def test_bytes_come_back_whole(sandbox: Sandbox, size: int) -> None:
    payload = os.urandom(size)
    assert await sandbox.call("echo", payload) == payload


@pytest.mark.parametrize(
    ("name", "reason", "transient", "detail"),
    [
        ("segfault", Reason.PARSER_CRASH, False, "SIGSEGV"),
        ("abort", Reason.PARSER_CRASH, False, "SIGABRT"),
        ("leave", Reason.PARSER_CRASH, True, "exit"),
        ("hang", Reason.PARSER_TIMEOUT, True, "more than 0.5 s of a processor"),
        ("refuse", Reason.NOT_A_FEED, True, "no root element"),
        ("fail", Reason.PARSER_ERROR, False, "ValueError: a surprise"),
        ("recurse", Reason.PARSER_ERROR, False, "RecursionError"),
    ],
)
async def test_each_failure_is_told_and_the_next_call_served(
    sandbox: Sandbox, name: str, reason: Reason, transient: bool, detail: str
) -> None:
    error = await failure(sandbox, name)
    assert (error.reason, error.transient) == (reason, transient)
    assert detail in error.detail


async def test_an_answer_has_the_shape_that_was_asked_for(sandbox: Sandbox) -> None:
    assert await sandbox.ask("echo", ["a", "b"], list[str]) == ["a", "b"]
    with pytest.raises(ParseError, match="unreadable answer") as caught:
        await sandbox.ask("echo", ["a", "b"], list[int])
    assert (caught.value.reason, caught.value.transient) == (Reason.PARSER_CRASH, False)


@pytest.mark.skipif(not LINUX, reason="only Linux limits the address space")
async def test_a_gigabyte_is_refused(sandbox: Sandbox) -> None:
    error = await failure(sandbox, "hoard")
    assert (error.reason, error.transient) == (Reason.PARSER_MEMORY, False)


async def test_a_huge_answer_is_refused() -> None:
    async with Sandbox(ENTRIES, answer_bytes=1_000_000) as sandbox:
        assert len(await sandbox.call("grow", b"1000000")) == 1_000_000
        error = await failure(sandbox, "grow", b"1000001")
    assert (error.reason, "too large" in error.detail) == (Reason.PARSER_ERROR, True)


async def test_one_hanging_call_does_not_hold_up_the_others(sandbox: Sandbox) -> None:
    async def echoes() -> int:
        return sum([len(await sandbox.call("echo", b"x")) for _ in range(100)])

    hanging, done = await asyncio.gather(
        sandbox.call("hang", b""), echoes(), return_exceptions=True
    )
    assert isinstance(hanging, ParseError)
    assert done == 100


async def test_time_without_a_processor_is_not_the_parsers_own() -> None:
    async with Sandbox(ENTRIES, seconds=0.1, patience=60) as sandbox:
        assert await sandbox.call("rest", b"0.3") == b"0.3"


async def test_a_call_that_never_ends_ends_by_the_clock() -> None:
    async with Sandbox(ENTRIES, seconds=0.1, patience=0.1) as sandbox:
        error = await failure(sandbox, "rest", b"60")
    assert (error.reason, error.transient) == (Reason.PARSER_TIMEOUT, True)
    assert "longer than 0.2 s" in error.detail


async def test_a_worker_killed_from_outside_may_be_tried_again(sandbox: Sandbox) -> None:
    busy = int(await sandbox.call("who", b""))
    hanging = asyncio.create_task(sandbox.call("hang", b""))
    await asyncio.sleep(0)
    await sandbox.call("echo", b"")
    os.kill(busy, signal.SIGKILL)
    with pytest.raises(ParseError) as caught:
        await hanging
    assert caught.value.reason is Reason.PARSER_CRASH
    assert caught.value.transient


async def test_an_idle_worker_that_was_killed_is_replaced(sandbox: Sandbox) -> None:
    idle = psutil.Process(int(await sandbox.call("who", b"")))
    idle.kill()
    await asyncio.to_thread(_wait_for_end, idle)
    assert await sandbox.call("echo", b"x") == b"x"


async def test_a_killed_nursery_is_replaced(sandbox: Sandbox) -> None:
    await sandbox.call("echo", b"x")
    processes = [psutil.Process(pid) for pid in sandbox.pids]
    processes[0].kill()
    for process in processes:
        await asyncio.to_thread(_wait_for_end, process)
    assert await sandbox.call("echo", b"x") == b"x"


async def test_a_nursery_that_stands_still_is_replaced_and_its_late_words_are_not_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sandboxes, "_ORDER_SECONDS", 0.2)
    async with Sandbox(ENTRIES) as sandbox:
        await sandbox.call("echo", b"x")
        nursery, busy = sandbox.pids
        hanging = asyncio.create_task(sandbox.call("rest", b"60"))
        await asyncio.sleep(0)
        os.kill(nursery, signal.SIGSTOP)
        os.kill(busy, signal.SIGKILL)
        with pytest.raises(ParseError) as caught:
            await hanging
        assert caught.value.reason is Reason.PARSER_CRASH
        assert await sandbox.call("echo", b"y") == b"y"
        assert nursery not in sandbox.pids
        assert all(pid > 0 for pid in sandbox.pids)
        served = int(await sandbox.call("who", b""))
        assert served in sandbox.pids


async def lacking(sandbox: Sandbox) -> StorageError:
    with pytest.raises(StorageError) as caught:
        await sandbox.call("echo", b"")
    assert (caught.value.reason, caught.value.transient) == (Reason.MEMORY, True)
    return caught.value


async def test_that_the_nursery_has_no_more_processes_is_our_own_lack() -> None:
    async with Sandbox(ENTRIES, warm_up=ENTRIES["forbid"]) as sandbox:
        pids = sandbox.pids
        assert "Resource temporarily unavailable" in (await lacking(sandbox)).detail
        assert sandbox.pids == pids, "it lives on, with whoever works there"


@pytest.mark.parametrize("call", ["socketpair", "create_subprocess_exec"])
async def test_what_this_machine_lacks_is_told_and_passes(
    monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    error = OSError(errno.EMFILE, "Too many open files")
    async with AsyncExitStack() as stack:
        sandbox = Sandbox(ENTRIES)
        stack.push_async_callback(sandbox.aclose)
        with monkeypatch.context() as patched:
            patched.setattr(
                socket if call == "socketpair" else asyncio,
                call,
                mock.Mock(side_effect=error),
            )
            assert "Too many open files" in (await lacking(sandbox)).detail
        assert await sandbox.call("echo", b"x") == b"x"


async def test_parsers_that_take_too_long_to_load_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sandboxes, "_IMPORT_SECONDS", 0.0)
    sandbox = Sandbox(ENTRIES)
    assert "not loaded within 0 s" in (await lacking(sandbox)).detail
    await sandbox.aclose()


async def test_a_cancelled_call_leaves_no_busy_worker(sandbox: Sandbox) -> None:
    busy = psutil.Process(int(await sandbox.call("who", b"")))
    hanging = asyncio.create_task(sandbox.call("hang", b""))
    await asyncio.sleep(0)
    await sandbox.call("echo", b"")
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    await asyncio.to_thread(_wait_for_end, busy)


async def test_a_worker_serves_its_number_of_calls(sandbox: Sandbox) -> None:
    served = [await sandbox.call("who", b"") for _ in range(120)]
    assert [served.count(pid) for pid in dict.fromkeys(served)] == [50, 50, 20]


async def test_closing_leaves_no_process() -> None:
    sandbox = Sandbox(ENTRIES, processes=2)
    hanging = asyncio.create_task(sandbox.call("hang", b""))
    await asyncio.sleep(0)
    await sandbox.call("echo", b"")
    processes = [psutil.Process(pid) for pid in sandbox.pids]
    assert len(processes) == 3
    await sandbox.aclose()
    with pytest.raises(ParseError):
        await hanging
    for process in processes:
        await asyncio.to_thread(_wait_for_end, process)


@pytest.mark.skipif(not LINUX, reason="elsewhere a busy worker ends by its alarm")
async def test_a_killed_parent_leaves_no_process() -> None:
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLDER, *sys.path), stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    processes = [psutil.Process(int(pid)) for pid in (await holder.stdout.readline()).split()]
    holder.kill()
    await holder.wait()
    assert len(processes) == 3
    for process in processes:
        await asyncio.to_thread(_wait_for_end, process)


async def test_a_parser_gets_no_files_secrets_or_network(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTISCRAPER_SECRET", "word")
    async with Sandbox(ENTRIES) as fresh:
        assert b"SECRET" not in await fresh.call("environment", b"")
    error = await failure(sandbox, "write", os.fsencode(tmp_path / "file"))
    assert "File too large" in error.detail
    assert (await sandbox.call("limits", b"")).split() == [b"0", b"0", b"64"]


@pytest.mark.skipif(not LINUX, reason="only Linux has empty networks")
async def test_a_parser_reaches_no_server_of_this_machine(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = b"%d" % server.getsockname()[1]
        try:
            await sandbox.call("dial", port)
        except ParseError as error:
            assert "OSError" in error.detail  # noqa: PT017 - both ends are right
        else:
            pytest.skip("this kernel gives no network namespaces")


async def test_what_is_warmed_up_is_shared_by_all_workers() -> None:
    async with Sandbox(ENTRIES, recycle_after=1, warm_up=ENTRIES["warm"]) as sandbox:
        nursery = sandbox.pids[0]
        assert [int(await sandbox.call("warm", b"")) for _ in range(2)] == [nursery] * 2


async def test_parsers_are_made_ready_anew_while_calls_go_on() -> None:
    async with Sandbox(
        ENTRIES, processes=2, warm_up=ENTRIES["remember"], warm_with=b"\xffone"
    ) as sandbox:
        assert await sandbox.call("remember", b"") == b"\xffone"
        calls = [asyncio.create_task(sandbox.call("echo", b"%d" % n)) for n in range(50)]
        await asyncio.gather(sandbox.renew(b"two"), sandbox.renew(b"three"))
        assert [await call for call in calls] == [b"%d" % n for n in range(50)]
        assert await sandbox.call("remember", b"") in {b"two", b"three"}
        assert len({await sandbox.call("who", b"") for _ in range(3)}) <= 2
    assert sandbox.pids == ()


async def test_what_cannot_be_made_ready_leaves_the_parsers_as_they_were() -> None:
    async with Sandbox(ENTRIES, warm_up=ENTRIES["remember"], warm_with=b"one") as sandbox:
        with pytest.raises(CTIScraperError, match="this cannot be remembered"):
            await sandbox.renew(b"bad")
        assert await sandbox.call("remember", b"") == b"one"


@pytest.mark.parametrize("entry", ["no_such_module:f", "sandbox_targets:no_such_function"])
async def test_a_parser_that_cannot_be_loaded_is_named(entry: str) -> None:
    sandbox = Sandbox({"it": entry})
    with pytest.raises(CTIScraperError, match="no_such"):
        await sandbox.call("it", b"")


@pytest.mark.skipif(not LINUX, reason="only Linux tells the address space")
async def test_limits_below_what_the_parsers_need_are_told() -> None:
    sandbox = Sandbox(ENTRIES, memory_bytes=10_000_000)
    with pytest.raises(CTIScraperError, match="the parsers alone take"):
        await sandbox.start()


def _wait_for_end(process: psutil.Process) -> None:
    """Wait until the process is gone, or a zombie whose parent has not asked yet."""
    for _ in range(500):
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return
            process.wait(0.01)
        except psutil.TimeoutExpired:
            continue
        except psutil.NoSuchProcess:
            return
        else:
            return
    pytest.fail(f"{process} lives on")
