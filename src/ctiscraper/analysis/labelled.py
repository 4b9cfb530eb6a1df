"""Articles with what a good answer about them holds: the sets that models are measured by."""

import hashlib
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ctiscraper.analysis.analysed import AnalysedText

FILES = ("reports.yaml", "negatives.yaml")
Words = Annotated[str, Field(min_length=1)]


class LabelledArticle(BaseModel):
    """An article, and what a reader found in it.

    `facts` and `traces` are words of the text. `watched` tells of things whether it is about them,
    `english` has words of a good translation of the title.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Words
    title: Words
    text: Words
    language: str = "en"
    facts: tuple[Words, ...] = ()
    traces: tuple[Words, ...] = ()
    techniques: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    watched: dict[str, bool] = {}
    english: tuple[str, ...] = ()

    def shown(self) -> AnalysedText:
        """Return it as it is given to a model."""
        return AnalysedText(
            title=self.title, text=self.text, language=self.language, watched=tuple(self.watched)
        )


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Some labelled articles; two with one `version` are the same."""

    articles: tuple[LabelledArticle, ...] = field(repr=False)
    version: str


def bundled_set() -> LabelledSet:
    """Return the articles that come along."""
    folder = files("ctiscraper.analysis").joinpath("sets")
    texts = [folder.joinpath(name).read_text("utf-8") for name in FILES]
    digest = hashlib.sha256("".join(texts).encode()).hexdigest()
    reader = TypeAdapter(tuple[LabelledArticle, ...])
    articles = (one for text in texts for one in reader.validate_python(yaml.safe_load(text)))
    return LabelledSet(tuple(articles), f"bundled-{digest[:10]}")
