"""Parameters of the busiest routes, read at once: the framework looks at each field anew."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from ctiscraper.web.forms import FIELDS_MOST

Model = TypeVar("Model", bound=BaseModel)

_REFS = "#/components/schemas/{model}"


def read_as(model: type[Model]) -> Callable[[Request], Coroutine[Any, Any, Model]]:
    """Return what gives a route its parameters, of which the last of a name counts.

    The route describes them with `described`.
    """

    async def read(request: Request) -> Model:
        try:
            given = parse_qsl(request.url.query, keep_blank_values=True, max_num_fields=FIELDS_MOST)
            return model.model_validate(dict(given))
        except ValidationError as error:
            faults = error.errors(include_context=False, include_url=False)
            raise RequestValidationError(
                [{**fault, "loc": ("query", *fault["loc"])} for fault in faults]
            ) from error
        except ValueError as error:
            fault = {"loc": ("query",), "msg": "the parameters are too many", "type": "query"}
            raise RequestValidationError([fault]) from error

    return read


def described(model: type[BaseModel]) -> dict[str, Any]:
    """Return what the description of a route says of the parameters that `model` reads."""
    schema = model.model_json_schema(ref_template=_REFS)
    required = set(schema.get("required", ()))
    parameters = []
    for name, field in schema["properties"].items():
        parameter = {"name": name, "in": "query", "required": name in required, "schema": field}
        if "description" in field:
            parameter["description"] = field["description"]
        parameters.append(parameter)
    return {"parameters": parameters}
