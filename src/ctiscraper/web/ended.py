"""What is done with all ended items of a kind at once."""

from ctiscraper.db.items import Items
from ctiscraper.db.queue import Queue
from ctiscraper.web.schemas import AllItems

# So many rows are changed by one statement.
BATCH = 1_000


async def act(queue: Queue, items: Items, given: AllItems) -> int:
    """Return how many items of a state, a source or a cause were put back or set aside."""
    acts = {"retry": queue.retry, "discard": queue.discard, "release": queue.release}
    numbers = await items.numbers(given.state, given.source, given.reason)
    batches = [numbers[start : start + BATCH] for start in range(0, len(numbers), BATCH)]
    return sum([await acts[given.action](batch) for batch in batches])
