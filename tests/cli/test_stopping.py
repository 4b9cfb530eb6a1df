"""Commands that a signal ends in order."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest
import typer

from ctiscraper import loop
from ctiscraper.cli.exits import Exit
from ctiscraper.cli.stopping import run_stoppable
from ctiscraper.errors import Reason, StorageError


@pytest.fixture
def no_terminal() -> Iterator[None]:
    """What `nohup` does before a program starts."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGHUP, before)


async def told(number: signal.Signals) -> int:
    """What is given by work that hears a signal while it is at it."""
    os.kill(os.getpid(), number)
    # A signal that was heard is told within a few turns.
    for _ in range(20):
        await asyncio.sleep(0)
    return 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_command_as_interrupted(number: signal.Signals) -> None:
    with pytest.raises(typer.Exit) as ended:
        run_stoppable(told(number))
    assert ended.value.exit_code == Exit.INTERRUPTED


@pytest.mark.usefixtures("no_terminal")
def test_the_end_of_a_terminal_is_nothing_to_a_command_that_was_given_none() -> None:
    assert run_stoppable(told(signal.SIGHUP)) == 7
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_command_that_missed_the_signal_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "AGAIN_SECONDS", 0.01)
    missed: list[str] = []

    async def miss_one() -> None:
        try:
            await told(signal.SIGTERM)
        except asyncio.CancelledError:
            missed.append("the first")
        await asyncio.Event().wait()

    with pytest.raises(typer.Exit):
        run_stoppable(miss_one())
    assert missed == ["the first"]


def test_what_fails_while_a_command_ends_is_told_with_its_cause() -> None:
    async def fail_at_the_end() -> None:
        try:
            await told(signal.SIGTERM)
        finally:
            raise StorageError(Reason.STORAGE, "the folder stays")

    with pytest.raises(StorageError, match="the folder stays"):
        run_stoppable(fail_at_the_end())
