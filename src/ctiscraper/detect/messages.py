"""What is sent to the process that works on rules, and the names it answers to."""

import msgspec

from ctiscraper.detect.drafted import Event, Material, Target

# The child alone imports the modules behind these names, and pySigma with them.
CALLS = {
    "draft": "ctiscraper.detect.calls:draft",
    "check": "ctiscraper.detect.calls:checked",
    "convert": "ctiscraper.detect.calls:converted",
    "answer": "ctiscraper.detect.calls:answered",
}
WARM_UP = "ctiscraper.detect.calls:warm_up"

Techniques = dict[str, str]


class DraftMessage(msgspec.Struct, frozen=True, kw_only=True):
    """An article that rules are drafted from."""

    material: Material
    techniques: Techniques | None = None


class CheckMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, and the events it is tried on: these, or all those of an article."""

    yaml: str
    events: tuple[Event, ...] = ()
    material: Material | None = None
    techniques: Techniques | None = None


class ConvertMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, and the language it is wanted in."""

    yaml: str
    target: Target


class AnswerMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What a model answered to an article."""

    answer: str
    material: Material
    model: str
    prompt: str
    techniques: Techniques | None = None
