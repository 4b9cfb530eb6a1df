"""What a worker holds: renewed, owed and taken back over a real queue, by a clock of the test."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from psycopg.errors import DataError
from structlog.testing import capture_logs

import make
from ctiscraper.db.queue import Held
from ctiscraper.db.session import Database
from ctiscraper.errors import Reason, StorageError
from ctiscraper.tasks.holding import Contact, Holding
from ctiscraper.types import FetchJob, Retry
from db.stage import Stage

URL = "https://acme.example/a/1"
LEASE = 40.0
AWAY = StorageError(Reason.DATABASE, "away")


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Keeping(Stage):
    """The holding of one worker."""

    clock: Clock = field(default_factory=Clock)
    away: bool = False

    def __post_init__(self) -> None:
        Stage.__post_init__(self)
        self.holding = self.another()

    def another(self) -> Holding:
        return Holding(self.queue, self.put_back, uuid4(), LEASE, self.clock)

    async def put_back(self, job: FetchJob, error: StorageError) -> None:
        if self.away:
            raise AWAY
        await self.queue.give_back(job, Retry(reason=error.reason, refund=True))

    async def take(self, holding: Holding) -> FetchJob:
        """Let a worker have the item."""
        job = await self.queue.claim("acme.example", holding.worker, seconds=LEASE)
        assert job is not None
        holding.hold(job)
        return job

    async def pass_time(self, seconds: float) -> None:
        """Let time go by here and at the database."""
        self.clock.now += seconds
        await self.run(
            f"UPDATE fetch_job SET lease_until = lease_until - interval '{seconds} seconds'"
        )

    async def be_there(self, holding: Holding, seconds: float) -> None:
        """Let a worker take its turns for so long."""
        for _ in range(int(seconds)):
            await self.pass_time(1)
            await holding.turn(0)

    async def item(self) -> tuple[object, ...]:
        [row] = await self.rows("SELECT state, attempts FROM fetch_job")
        return row


@pytest_asyncio.fixture
async def keeping(database: str) -> AsyncIterator[Keeping]:
    async with Database(database) as opened:
        keeping = Keeping(opened)
        await keeping.announce([make.announced(URL)])
        yield keeping
        assert (await keeping.accounting()).balanced


def test_contact_lasts_until_a_gap_in_which_leases_may_run_out() -> None:
    clock = Clock()
    contact = Contact(10.0, clock)
    assert contact.seconds == 0.0
    for _ in range(5):
        contact.made()
        clock.now += 10.0
    assert contact.seconds == 50.0
    clock.now += 0.1
    contact.made()
    assert contact.seconds == 0.0


async def test_what_a_gone_worker_held_is_taken_as_soon_as_its_lease_is_over(
    keeping: Keeping,
) -> None:
    await keeping.be_there(keeping.holding, LEASE)
    await keeping.take(keeping.another())
    await keeping.be_there(keeping.holding, LEASE - 5)
    assert await keeping.item() == ("leased", 1)
    await keeping.be_there(keeping.holding, 6)
    assert await keeping.item() == ("pending", 1)


async def test_after_an_outage_the_living_are_given_time_and_only_the_gone_lose_theirs(
    keeping: Keeping,
) -> None:
    await keeping.be_there(keeping.holding, LEASE)
    other = keeping.another()
    await keeping.take(other)
    await other.turn(0)
    await keeping.pass_time(LEASE + 20)
    await keeping.be_there(keeping.holding, keeping.holding.spare_seconds - 1)
    assert await keeping.item() == ("leased", 1), "its lease is over, and it is spared"
    await other.turn(0)
    await keeping.be_there(keeping.holding, LEASE / 2)
    assert await keeping.item() == ("leased", 1), "it lives"
    await keeping.be_there(keeping.holding, LEASE)
    assert await keeping.item() == ("pending", 1), "it is gone"


async def test_who_has_just_begun_takes_nothing_at_first(keeping: Keeping) -> None:
    await keeping.take(keeping.another())
    await keeping.pass_time(LEASE + 1)
    await keeping.be_there(keeping.holding, keeping.holding.spare_seconds)
    assert await keeping.item() == ("leased", 1)
    await keeping.be_there(keeping.holding, 1)
    assert await keeping.item() == ("pending", 1)


async def test_what_is_owed_stays_in_hand_and_is_given_back_before_anything_is_taken(
    keeping: Keeping,
) -> None:
    await keeping.be_there(keeping.holding, LEASE)
    job = await keeping.take(keeping.holding)
    keeping.away = True
    await keeping.holding.repay(job, AWAY)
    keeping.holding.let_go(job)
    assert keeping.holding.owes
    for _ in range(3):
        await keeping.pass_time(LEASE)
        await keeping.holding.turn(0)
        assert await keeping.item() == ("leased", 1)
    keeping.away = False
    await keeping.holding.turn(0)
    assert await keeping.item() == ("pending", 0)
    assert not keeping.holding.owes
    assert not keeping.holding.held.jobs


async def test_what_others_took_meanwhile_is_owed_no_longer(keeping: Keeping) -> None:
    job = await keeping.take(keeping.holding)
    keeping.away = True
    await keeping.holding.repay(job, AWAY)
    await keeping.pass_time(LEASE + 1)
    await keeping.queue.reap()
    await keeping.take(keeping.another())
    keeping.away = False
    await keeping.holding.turn(0)
    assert not keeping.holding.owes
    assert await keeping.item() == ("leased", 2)


async def test_what_nobody_foresaw_in_one_step_keeps_no_other_from_its_turn(
    keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keeping.be_there(keeping.holding, LEASE)
    await keeping.take(keeping.another())

    async def broken(worker: UUID, held: Held, *, pid: int, seconds: float, done: int) -> None:
        del worker, held, pid, seconds, done
        raise DataError("integer out of range")

    monkeypatch.setattr(keeping.queue, "renew", broken)
    with capture_logs() as logs:
        await keeping.be_there(keeping.holding, LEASE + 1)
    assert await keeping.item() == ("pending", 1)
    assert {entry["step"] for entry in logs if entry["event"] == "upkeep_broke"} == {"renew"}
    assert keeping.holding.silence > LEASE / 2, "who cannot renew is to be ended"


async def test_a_debt_that_is_refused_for_good_is_forgotten(
    keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await keeping.take(keeping.holding)
    keeping.away = True
    await keeping.holding.repay(job, AWAY)

    async def refused(job: FetchJob, error: StorageError) -> None:
        del job, error
        raise DataError("no such reason")

    monkeypatch.setattr(keeping.holding, "put_back", refused)
    with capture_logs() as logs:
        await keeping.holding.turn(0)
    assert [entry["step"] for entry in logs if entry["event"] == "upkeep_broke"] == ["give_back"]
    assert not keeping.holding.owes
    assert not keeping.holding.held.jobs


async def test_who_waits_for_the_database_is_not_silent(
    keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(worker: UUID, held: Held, *, pid: int, seconds: float, done: int) -> None:
        del worker, held, pid, seconds, done
        raise AWAY

    monkeypatch.setattr(keeping.queue, "renew", away)
    with capture_logs() as logs:
        await keeping.be_there(keeping.holding, 3 * LEASE)
    assert {entry["event"] for entry in logs} == {"database_unreachable"}
    assert keeping.holding.silence == 0.0
