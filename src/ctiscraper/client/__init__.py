"""A typed client of the API: `Client("https://cti.example", "cti_…")`."""

from ctiscraper.client.access import AccessCalls
from ctiscraper.client.accounting import AccountingCalls
from ctiscraper.client.annotations import AnnotationsCalls
from ctiscraper.client.articles import ArticlesCalls
from ctiscraper.client.dashboard import DashboardCalls
from ctiscraper.client.detections import DetectionsCalls
from ctiscraper.client.entities import EntitiesCalls
from ctiscraper.client.events import EventsCalls
from ctiscraper.client.models import ModelsCalls
from ctiscraper.client.operations import OperationsCalls
from ctiscraper.client.questions import QuestionsCalls
from ctiscraper.client.queue import QueueCalls
from ctiscraper.client.searches import SearchesCalls
from ctiscraper.client.sources import SourcesCalls
from ctiscraper.client.stories import StoriesCalls
from ctiscraper.client.techniques import TechniquesCalls
from ctiscraper.client.transport import ApiError, UnreachableError
from ctiscraper.client.triage import TriageCalls
from ctiscraper.client.users import UsersCalls
from ctiscraper.client.verdicts import VerdictsCalls
from ctiscraper.client.watchlist import WatchlistCalls

__all__ = ["ApiError", "Client", "UnreachableError"]


class Client(
    ArticlesCalls,
    AnnotationsCalls,
    TriageCalls,
    ModelsCalls,
    SearchesCalls,
    EntitiesCalls,
    TechniquesCalls,
    VerdictsCalls,
    QueueCalls,
    StoriesCalls,
    DashboardCalls,
    EventsCalls,
    SourcesCalls,
    WatchlistCalls,
    DetectionsCalls,
    AccountingCalls,
    OperationsCalls,
    QuestionsCalls,
    UsersCalls,
    AccessCalls,
):
    """All that the API offers, each operation by its name."""
