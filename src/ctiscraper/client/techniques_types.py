"""Types of techniques; written from the description of the API, not by hand."""

from msgspec import Struct

from ctiscraper.client.shared_types import EntitySummary


class TechniqueCount(Struct, frozen=True, kw_only=True):
    """A technique, and how many of the asked articles name it."""

    technique: EntitySummary
    articles: int
