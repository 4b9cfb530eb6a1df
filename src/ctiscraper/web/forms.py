"""Forms that pages send, read strictly."""

from typing import TypeVar
from urllib.parse import parse_qs

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

FIELDS_MOST = 1000
CSRF_FIELD = "csrf"

Model = TypeVar("Model", bound=BaseModel)


async def read_form(request: Request, model: type[Model]) -> Model:
    """Return the form as `model`, whose list fields take every value of their name.

    Raises RequestValidationError.
    """
    try:
        sent = parse_qs(
            (await request.body()).decode(),
            keep_blank_values=True,
            max_num_fields=FIELDS_MOST,
        )
        # The guard has read it.
        sent.pop(CSRF_FIELD, None)
        values = {
            name: given if _is_list(model, name) else given[-1] for name, given in sent.items()
        }
        return model.model_validate(values)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_context=False)) from error
    except ValueError as error:
        fault = {"loc": ("body",), "msg": "the form could not be read", "type": "form"}
        raise RequestValidationError([fault]) from error


def _is_list(model: type[BaseModel], name: str) -> bool:
    field = model.model_fields.get(name)
    return field is not None and "list" in str(field.annotation)
