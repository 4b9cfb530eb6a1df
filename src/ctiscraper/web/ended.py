"""What is done with all ended items of a kind at once."""

from starlette.requests import Request

from ctiscraper.db.items import Items
from ctiscraper.db.queue import Queue
from ctiscraper.web.auditing import in_steps, tell
from ctiscraper.web.schemas import AllItems

# So many rows are changed by one statement.
BATCH = 1_000


async def act(request: Request, queue: Queue, items: Items, given: AllItems) -> int:
    """Return how many items of a state, a source or a cause were put back or set aside."""
    acts = {"retry": queue.retry, "discard": queue.discard, "release": queue.release}
    numbers = await items.numbers(given.state, given.source, given.reason)
    count = 0
    narrowed = {"state": given.state, "source": given.source, "reason": given.reason}
    with in_steps(request, act=given.action, **narrowed):
        for start in range(0, len(numbers), BATCH):
            count += await acts[given.action](numbers[start : start + BATCH])
            tell(request, count=count)
    return count
