"""A host ledger in memory, with a clock of its own."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ctiscraper.types import RobotsRecord


@dataclass
class Ledger:
    """What workers share about hosts; `slots` are the seconds at which requests may go."""

    now: datetime = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    records: dict[str, RobotsRecord] = field(default_factory=dict)
    saved: list[RobotsRecord] = field(default_factory=list)
    gaps: list[tuple[str, float]] = field(default_factory=list)
    slots: dict[str, list[float]] = field(default_factory=dict)
    answered: list[str] = field(default_factory=list)
    _next: dict[str, datetime] = field(default_factory=dict)
    began: datetime = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def clock(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def reserve(self, host: str, gap: float, most: float) -> float | None:
        slot = max(self._next.get(host, self.now), self.now)
        if (slot - self.now).total_seconds() > most:
            return None
        self.gaps.append((host, gap))
        self._next[host] = slot + timedelta(seconds=gap)
        self.slots.setdefault(host, []).append((slot - self.began).total_seconds())
        return (slot - self.now).total_seconds()

    async def succeeded(self, host: str) -> None:
        self.answered.append(host)

    async def robots(self, origin: str) -> RobotsRecord | None:
        return self.records.get(origin)

    async def save_robots(self, record: RobotsRecord) -> None:
        self.saved.append(record)
        self.records[record.origin] = record
