"""Work that failed together, done one by one: what the database fails at holds up no other."""

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from psycopg import DataError
from psycopg.errors import ProgramLimitExceeded

from ctiscraper.errors import StorageError

# When the database fails at so many in a row, and has done none, it is no item's doing.
FAILING = 2
FAULTS = (StorageError, DataError, ProgramLimitExceeded)
"""What a database says that is away, fails at one item or refuses it."""

Item = TypeVar("Item")


async def one_by_one(
    items: Sequence[Item],
    work: Callable[[Item], Awaitable[int]],
    leave: Callable[[Item, Exception], Awaitable[None]],
) -> int:
    """Return how much was done; what is failed at is told to `leave`, and the others go on.

    Raises one of FAULTS where it is no item's doing.
    """
    done, failed = 0, list[tuple[Item, Exception]]()
    # In no order, since those that it fails at may be the first of all.
    for one in random.sample(items, len(items)):
        try:
            done += await work(one)
        except FAULTS as error:
            failed.append((one, error))
            if not done and len(failed) >= FAILING:
                raise
    for one, fault in failed:
        await leave(one, fault)
    return done
