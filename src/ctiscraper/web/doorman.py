"""Who asks, as known a moment ago: the database is not asked with every picture of a page."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ctiscraper.access.tokens import TokenKey
from ctiscraper.db.principals import Principals
from ctiscraper.db.session import Database
from ctiscraper.errors import StorageError
from ctiscraper.identity import Principal

# After so long another process's logout, or a role that was taken, counts here too.
FRESH_SECONDS = 1.0
# While the database is away, whoever was let in lately may still see that it is.
REMEMBERED_SECONDS = 900.0
MOST = 1000


@dataclass(frozen=True, slots=True)
class _Seen:
    principal: Principal
    at: float


class Doorman:
    """Those who were let in by this process."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._principals = Principals(database)
        self._clock = clock
        self._seen: OrderedDict[bytes | TokenKey, _Seen] = OrderedDict()

    async def admit(
        self, key: bytes | TokenKey, *, without_database: bool = False
    ) -> Principal | None:
        """Return whose session or token this is, None when it lets nobody in.

        With `without_database` a database that is away does not matter to whoever was here lately.
        Raises StorageError.
        """
        seen, now = self._seen.get(key), self._clock()
        if seen is not None and now - seen.at < FRESH_SECONDS:
            return seen.principal
        try:
            found = await self._ask(key)
        except StorageError:
            if without_database and seen is not None and now - seen.at < REMEMBERED_SECONDS:
                return seen.principal
            raise
        self._seen.pop(key, None)
        if found is not None:
            self._seen[key] = _Seen(found, now)
            while len(self._seen) > MOST:
                self._seen.popitem(last=False)
        return found

    async def is_set_up(self) -> bool:
        """Return whether there is anybody who may log in."""
        return await self._principals.is_set_up()

    def forget(self) -> None:
        """Ask the database anew for everybody: somebody left, or may do something else now."""
        self._seen.clear()

    def _ask(self, key: bytes | TokenKey) -> Awaitable[Principal | None]:
        if isinstance(key, bytes):
            return self._principals.of_session(key)
        return self._principals.of_token(key)
