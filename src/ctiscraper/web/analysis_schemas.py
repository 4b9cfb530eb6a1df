"""What callers may ask and send about what models say of articles."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ctiscraper.analysis.analysed import TaskName
from ctiscraper.errors import ModelFault
from ctiscraper.model_views import AnalysisState
from ctiscraper.web.schemas import Cursor, Limit

ModelName = Annotated[
    str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["llama3.2:3b"])
]
ClaimNumber = Annotated[int, Field(ge=1, le=1000)]
Seen = Annotated[str, Field(max_length=4_000)]
Note = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]


class AnalysisAsked(BaseModel):
    """What a model is to do; without a model it is the one that is configured."""

    model_config = ConfigDict(extra="forbid")

    tasks: Annotated[list[TaskName], Field(min_length=1, max_length=len(TaskName))]
    model: ModelName = ""
    again: bool = Field(
        default=False, description="ask anew what has an answer already, from the same words too"
    )


class RulesAsked(BaseModel):
    """Which model is asked for rules; without one it is the one that is configured."""

    model_config = ConfigDict(extra="forbid")

    model: ModelName = ""
    again: bool = Field(default=False, description="ask anew what has an answer already")


class JudgementIn(BaseModel):
    """What somebody thinks of a claim: good, bad, or null to take it back."""

    model_config = ConfigDict(extra="forbid")

    claim: ClaimNumber
    good: bool | None
    note: Note = ""
    seen: Seen = Field(
        default="",
        description="the words of the claim as you read them: refused where it has others by now",
    )


class AnalysisParameters(BaseModel):
    """Which analyses are listed."""

    model_config = ConfigDict(extra="forbid")

    state: AnalysisState | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class RetryParameters(BaseModel):
    """Which of those that failed are asked once more: with this fault, or all."""

    model_config = ConfigDict(extra="forbid")

    fault: ModelFault | None = None


class CompareParameters(BaseModel):
    """Which two models are compared; without names the one that is configured and another."""

    model_config = ConfigDict(extra="forbid")

    left: ModelName = ""
    right: ModelName = ""


class ComparePage(BaseModel):
    """The same of the page; what it does not know is left aside."""

    model_config = ConfigDict(extra="ignore")

    left: ModelName = ""
    right: ModelName = ""


class AskForm(BaseModel):
    """What a reader has a model do."""

    model_config = ConfigDict(extra="forbid")

    tasks: Annotated[list[TaskName], Field(max_length=len(TaskName))] = Field(default_factory=list)
    model: ModelName = ""
    again: bool = False


def _thumb(value: object) -> object:
    """The button that was pressed: up, down, or the one that takes it back."""
    return {"up": True, "down": False, "none": None}.get(str(value), value)


class JudgementForm(BaseModel):
    """What a reader thinks of a claim."""

    model_config = ConfigDict(extra="forbid")

    claim: ClaimNumber
    thumb: Annotated[bool | None, BeforeValidator(_thumb)]
    seen: Seen = ""


class RetryForm(BaseModel):
    """Which of those that failed an operator has asked once more."""

    model_config = ConfigDict(extra="forbid")

    fault: ModelFault | None = None


class NoFields(BaseModel):
    """A form that is a button alone."""

    model_config = ConfigDict(extra="forbid")
