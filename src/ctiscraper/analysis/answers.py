"""What an answer to each task must look like."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MOST_SAID = 400
"""Characters of a claim's words."""

Said = Annotated[str, StringConstraints(min_length=1, max_length=MOST_SAID)]
Named = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Quoted = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Quotes = Annotated[list[Quoted], Field(min_length=1, max_length=3)]


class Entity(StrEnum):
    """What somebody or something in a relation is."""

    ACTOR = "actor"
    MALWARE = "malware"
    TOOL = "tool"
    VULNERABILITY = "vulnerability"
    TARGET = "target"
    SECTOR = "sector"
    COUNTRY = "country"


class Verb(StrEnum):
    """What somebody does to somebody."""

    USES = "uses"
    TARGETS = "targets"
    EXPLOITS = "exploits"
    DELIVERS = "delivers"
    ATTRIBUTED_TO = "attributed_to"
    LOCATED_IN = "located_in"


class Trace(StrEnum):
    """Where what somebody did leaves traces."""

    PROCESS = "process"
    NETWORK = "network"
    FILE = "file"
    REGISTRY = "registry"
    IDENTITY = "identity"
    EMAIL = "email"
    CLOUD = "cloud"
    OTHER = "other"


class Degree(StrEnum):
    """How much an article concerns something that is watched."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Saying(_Strict):
    """One claim as it is answered. What proves it comes first, as models write in order."""

    quotes: Quotes

    def words(self) -> str:
        """Return what is said, for people."""
        raise NotImplementedError

    def fields(self) -> dict[str, str]:
        """Return what is asked for beside the words."""
        return {}

    def names(self) -> tuple[str, ...]:
        """Return what is named in fields, and must stand in the article."""
        return ()


class Sentence(Saying):
    """A sentence of a summary, a key point or a translated title."""

    text: Said

    def words(self) -> str:
        """Return the sentence."""
        return self.text


class Relation(Saying):
    """Who does what to whom."""

    subject: Named
    subject_kind: Entity
    verb: Verb
    object: Named
    object_kind: Entity

    def words(self) -> str:
        """Return the relation as it is read."""
        return f"{self.subject} {self.verb.replace('_', ' ')} {self.object}"

    def fields(self) -> dict[str, str]:
        """Return the two sides and what is between them."""
        return {
            "subject": self.subject,
            "subject_kind": self.subject_kind.value,
            "verb": self.verb.value,
            "object": self.object,
            "object_kind": self.object_kind.value,
        }

    def names(self) -> tuple[str, ...]:
        """Return the two sides."""
        return (self.subject, self.object)


class TechniqueUse(Saying):
    """A technique of ATT&CK, and how it was used."""

    technique: Annotated[str, StringConstraints(pattern=r"^T[0-9]{4}(\.[0-9]{3})?$")]
    text: Said

    def words(self) -> str:
        """Return how it was used."""
        return self.text

    def fields(self) -> dict[str, str]:
        """Return its id."""
        return {"technique": self.technique}


class Detection(Saying):
    """Something that a defender can look for."""

    trace: Trace
    text: Said

    def words(self) -> str:
        """Return what to look for."""
        return self.text

    def fields(self) -> dict[str, str]:
        """Return where to look for it."""
        return {"trace": self.trace.value}


class Relevance(Saying):
    """How an article concerns something that is watched."""

    watched: Named
    degree: Degree
    text: Said

    def words(self) -> str:
        """Return why."""
        return self.text

    def fields(self) -> dict[str, str]:
        """Return what is concerned, and how much."""
        return {"watched": self.watched, "degree": self.degree.value}


class Answer(Protocol):
    """A whole answer: some claims."""

    @property
    def claims(self) -> Sequence[Saying]:
        """What is claimed."""
        ...


class Summary(_Strict):
    """Three sentences at the most."""

    claims: Annotated[list[Sentence], Field(min_length=1, max_length=3)]


class KeyPoints(_Strict):
    """What somebody should know who does not read the article."""

    claims: Annotated[list[Sentence], Field(max_length=6)]


class Relations(_Strict):
    """Who did what to whom."""

    claims: Annotated[list[Relation], Field(max_length=8)]


class Techniques(_Strict):
    """What intruders did, by ATT&CK."""

    claims: Annotated[list[TechniqueUse], Field(max_length=10)]


class Detections(_Strict):
    """What defenders can look for."""

    claims: Annotated[list[Detection], Field(max_length=6)]


class Relevances(_Strict):
    """How an article concerns what is watched."""

    claims: Annotated[list[Relevance], Field(max_length=8)]


class Title(_Strict):
    """A title in English, proved by the whole of the original."""

    claims: Annotated[list[Sentence], Field(max_length=1)]


def schema_of(answer: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of an answer, without references and titles.

    Servers differ in what they make of the rest of JSON schema; all of them take this.
    """
    whole = answer.model_json_schema()
    made = _flat(whole, whole.get("$defs", {}))
    if not isinstance(made, dict):
        raise TypeError(answer.__name__)
    return made


def _flat(part: object, known: Mapping[str, object]) -> object:
    if isinstance(part, list):
        return [_flat(one, known) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _flat(known[part["$ref"].rpartition("/")[2]], known)
    if isinstance(properties := part.get("properties"), dict):
        # A field may have the name of a keyword.
        named = {name: _flat(one, known) for name, one in properties.items()}
        return {**_flat_keywords(part, known), "properties": named}
    return _flat_keywords(part, known)


def _flat_keywords(part: Mapping[str, object], known: Mapping[str, object]) -> dict[str, object]:
    left_out = {"$defs", "title", "description", "properties"}
    return {name: _flat(one, known) for name, one in part.items() if name not in left_out}
