"""Parameters of the busiest routes, read at once: the framework looks at each field anew."""

from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from ctiscraper.web.forms import FIELDS_MOST

Model = TypeVar("Model", bound=BaseModel)

_REFS = "#/components/schemas/{model}"


def read_parameters(request: Request, model: type[Model]) -> Model:
    """Return the parameters of a route that describes them with `described`.

    The last of a name counts. Raises RequestValidationError.
    """
    try:
        given = parse_qsl(
            request.scope["query_string"].decode("latin-1"),
            keep_blank_values=True,
            max_num_fields=FIELDS_MOST,
        )
        return model.model_validate(dict(given))
    except ValidationError as error:
        faults = error.errors(include_context=False, include_url=False)
        raise RequestValidationError(
            [{**fault, "loc": ("query", *fault["loc"])} for fault in faults]
        ) from error
    except ValueError as error:
        fault = {"loc": ("query",), "msg": "the parameters are too many", "type": "query"}
        raise RequestValidationError([fault]) from error


def described(model: type[BaseModel]) -> dict[str, Any]:
    """Return what the description of a route says of the parameters that `model` has."""
    schema = model.model_json_schema(ref_template=_REFS)
    required = set(schema.get("required", ()))
    parameters = []
    for name, field in schema["properties"].items():
        parameter = {"name": name, "in": "query", "required": name in required, "schema": field}
        if "description" in field:
            parameter["description"] = field["description"]
        parameters.append(parameter)
    return {"parameters": parameters}
