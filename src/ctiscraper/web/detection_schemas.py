"""What callers of the API and the forms of the pages send of detections."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ctiscraper.db.detections import DetectionQuery
from ctiscraper.detect.drafted import DraftState, Grade, Origin, Target
from ctiscraper.web.analysis_schemas import ModelName
from ctiscraper.web.schemas import Cursor, Limit, RowId

RULE_LONGEST = 64 << 10
_TECHNIQUE = r"^[Tt]\d{4}(?:\.\d{3})?$"
# Browsers end lines with two characters; a rule of this length is still one.
_FORM_LONGEST = RULE_LONGEST + 8_000


def _none(value: object) -> object:
    """An empty field of a form is one that was left open."""
    return None if isinstance(value, str) and not value.strip() else value


def _capitals(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


_Open = BeforeValidator(_none)
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
Level = Literal["informational", "low", "medium", "high", "critical"]
Text = Annotated[str, Field(min_length=1, max_length=RULE_LONGEST, examples=["title: A rule"])]


class DetectionFilters(BaseModel):
    """What a list of detections is narrowed to; empty is everything."""

    model_config = ConfigDict(extra="forbid")

    article: Annotated[RowId | None, _Open] = None
    state: Annotated[DraftState | None, _Open] = None
    origin: Annotated[Origin | None, _Open] = None
    level: Annotated[Level | None, _Open] = None
    grade: Annotated[Grade | None, _Open] = None
    category: Annotated[
        Annotated[
            str,
            Field(max_length=60, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["process_creation"]),
        ]
        | None,
        _Open,
    ] = None
    technique: Annotated[
        Annotated[str, BeforeValidator(_capitals), Field(pattern=_TECHNIQUE)] | None, _Open
    ] = None

    def query(self) -> DetectionQuery:
        """Return what the store is asked."""
        return DetectionQuery(
            article=self.article,
            state=self.state,
            origin=self.origin,
            level=self.level,
            grade=self.grade,
            category=self.category,
            technique=self.technique,
        )

    def chosen(self) -> dict[str, object]:
        """Return the filters that are set, as an address has them."""
        names = DetectionFilters.model_fields
        found = {name: getattr(self, name) for name in names}
        return {name: value for name, value in found.items() if value is not None}


class DetectionParameters(DetectionFilters):
    """A page of a list of detections."""

    cursor: Cursor | None = None
    limit: Limit = 50


class DetectionPageFilters(DetectionFilters):
    """The list of detections as a page."""

    model_config = ConfigDict(extra="ignore")

    cursor: Annotated[Cursor | None, _Open] = None


class DetectionView(BaseModel):
    """What of a detection's page is shown, and what was done before it."""

    model_config = ConfigDict(extra="ignore")

    target: Annotated[Target, Field(alias="as")] = Target.SPLUNK
    done: Literal["saved", "decided", ""] = ""


class DraftedNote(BaseModel):
    """What drafting gave before the page of an article's detections is shown again."""

    model_config = ConfigDict(extra="ignore")

    added: Annotated[int | None, _Open, Field(ge=0)] = None


class RuleIn(BaseModel):
    """A rule as YAML, and the article whose events it is tried on."""

    model_config = ConfigDict(extra="forbid")

    yaml: Text
    article: RowId | None = None


class RuleToConvert(BaseModel):
    """A rule as YAML, and the language it is wanted in."""

    model_config = ConfigDict(extra="forbid")

    yaml: Text
    target: Target


class RuleText(BaseModel):
    """Another text of a detection."""

    model_config = ConfigDict(extra="forbid")

    yaml: Text


class DecisionIn(BaseModel):
    """What is decided of a detection, and the version of it that was read."""

    model_config = ConfigDict(extra="forbid")

    state: DraftState
    version: Version


class VersionParameters(BaseModel):
    """The version of a detection that was read, where it is not sent as If-Match."""

    model_config = ConfigDict(extra="forbid")

    version: Version | None = None


class RuleForm(BaseModel):
    """The form of a detection: its text, and whether it is saved or only checked."""

    model_config = ConfigDict(extra="forbid")

    yaml: Annotated[str, Field(max_length=_FORM_LONGEST)]
    version: Version
    action: Literal["check", "save"] = "check"

    def text(self) -> str:
        """Return the rule with the line ends that files have."""
        return self.yaml.replace("\r\n", "\n")


class DecisionForm(BaseModel):
    """The form by which a detection is accepted, rejected or opened again."""

    model_config = ConfigDict(extra="forbid")

    state: DraftState
    version: Version


class RulesForm(BaseModel):
    """The form by which a model is asked for rules."""

    model_config = ConfigDict(extra="forbid")

    model: ModelName = ""
    again: bool = False


class NoFields(BaseModel):
    """A form that has nothing to fill in."""

    model_config = ConfigDict(extra="forbid")
