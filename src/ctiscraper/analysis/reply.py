"""What a model wrote, read as the answer that was asked for, or what is wrong with it."""

import json
import re
from typing import NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

MOST_CHARACTERS = 200_000
_MOST_DEEP = 12
_MOST_PROBLEMS = 6
_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)

Model = TypeVar("Model", bound=BaseModel)


class UnusableError(ValueError):
    """An answer that cannot be used; `problems` say why in words that a model may be told.

    They hold nothing of the answer but names of fields, as an answer may repeat an article.
    """

    def __init__(self, problems: list[str]) -> None:
        """Keep each problem."""
        super().__init__("; ".join(problems))
        self.problems = problems


def read_reply(raw: str, wanted: type[Model]) -> Model:
    """Return the answer that a model wrote, whatever it wrote around it.

    Raises UnusableError.
    """
    if len(raw) > MOST_CHARACTERS:
        raise UnusableError(["The answer is far too long."])
    text = _THOUGHT.sub("", raw.removeprefix("\ufeff"))
    start = text.find("{")
    if start < 0:
        raise UnusableError(["There is no JSON object in the answer."])
    document = _decoded(text, start)
    try:
        return wanted.model_validate_json(json.dumps(document))
    except ValidationError as error:
        told = error.errors(include_url=False, include_context=False, include_input=False)[
            :_MOST_PROBLEMS
        ]
        raise UnusableError([_told(one["loc"], one["msg"]) for one in told]) from None


def _decoded(text: str, start: int) -> object:
    """The first object of a text; one that is nested deeply is refused before it is read."""
    deep = 0
    for found in _BRACKETS.finditer(text, start):
        deep += (found[0] in "[{") - (found[0] in "]}")
        if deep > _MOST_DEEP:
            raise UnusableError(["The answer is nested too deeply."])
        if deep == 0:
            break
    decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_number)
    try:
        document: object = decoder.raw_decode(text, start)[0]
    except json.JSONDecodeError as error:
        raise UnusableError([f"The answer is no valid JSON: {error.msg}."]) from None
    except RecursionError:
        raise UnusableError(["The answer is nested too deeply."]) from None
    except ValueError as error:
        raise UnusableError([str(error)]) from None
    return document


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise UnusableError(["An object has the same field twice."])
    return made


def _no_number(constant: str) -> NoReturn:
    raise UnusableError([f"{constant} is no number of JSON."])


def _told(place: tuple[str | int, ...], message: str) -> str:
    names = ".".join(str(one) if isinstance(one, int) else _name(one) for one in place)
    return f"{names or 'answer'}: {message}"


def _name(field: str) -> str:
    """The name of a field as it may be told: what an article could have made it is left out."""
    return field if re.fullmatch(r"[a-z_]{1,20}", field) else "a field that is not asked for"
