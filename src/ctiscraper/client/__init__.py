"""A typed client of the API: `Client("https://cti.example", "cti_…")`."""

from ctiscraper.client.accounting import AccountingCalls
from ctiscraper.client.articles import ArticlesCalls
from ctiscraper.client.entities import EntitiesCalls
from ctiscraper.client.operations import OperationsCalls
from ctiscraper.client.queue import QueueCalls
from ctiscraper.client.sources import SourcesCalls
from ctiscraper.client.stories import StoriesCalls
from ctiscraper.client.techniques import TechniquesCalls
from ctiscraper.client.transport import ApiError, UnreachableError
from ctiscraper.client.verdicts import VerdictsCalls
from ctiscraper.client.watchlist import WatchlistCalls

__all__ = ["ApiError", "Client", "UnreachableError"]


class Client(
    ArticlesCalls,
    EntitiesCalls,
    TechniquesCalls,
    VerdictsCalls,
    QueueCalls,
    StoriesCalls,
    SourcesCalls,
    WatchlistCalls,
    AccountingCalls,
    OperationsCalls,
):
    """All that the API offers, each operation by its name."""
