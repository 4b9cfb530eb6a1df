"""Each setting of a process with where its value comes from, without the secrets among them."""

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pydantic.fields import FieldInfo

from ctiscraper.config import PREFIX, Settings, given_variables
from ctiscraper.setting_texts import variables_of

_SECRET = re.compile(r"secret|password|token|key|^(?:database_url|redis_url|proxy)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSetting:
    """A setting as it may be shown; `origin` is default, environment, file or command line.

    `variable` is what sets it. Of a secret `value` says only whether it is set, with the end of
    its hash, by which two can be told apart.
    """

    name: str
    variable: str
    value: str
    origin: str
    description: str
    secret: bool = False


def shown_settings(settings: Settings) -> tuple[ShownSetting, ...]:
    """Return every setting of this process, by name."""
    given = given_variables()
    return tuple(
        _shown(settings, name, field, given)
        for name, field in sorted(type(settings).model_fields.items())
    )


def _shown(settings: Settings, name: str, field: FieldInfo, given: frozenset[str]) -> ShownSetting:
    value = getattr(settings, name)
    variables = list(variables_of(PREFIX, name, field))
    secret = _SECRET.search(name) is not None and not name.endswith("_file")
    return ShownSetting(
        name=name,
        variable=next((one for one in variables if one in given), variables[0]),
        value=_without_secret(value) if secret else _plain(value),
        origin=_origin(settings, name, variables, given),
        description=field.description or "",
        secret=secret,
    )


def _origin(settings: Settings, name: str, variables: list[str], given: frozenset[str]) -> str:
    if getattr(settings, f"{name.removesuffix('_url')}_password_file", None) is not None:
        return "environment, with the password of a file"
    if any(variable in given for variable in variables):
        return "environment"
    return "command line" if name in settings.model_fields_set else "default"


def _without_secret(value: object) -> str:
    if value in {None, ""}:
        return "not set"
    return f"set, …{sha256(str(value).encode()).hexdigest()[-4:]}"


def _plain(value: object) -> str:
    """Return a value as its variable would hold it, in words where that is empty."""
    if isinstance(value, dict):
        return ", ".join(f"{name}={part}" for name, part in value.items()) or "none"
    if isinstance(value, tuple | frozenset):
        return ", ".join(map(str, sorted(value, key=str))) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Path):
        return str(value)
    return "not set" if value is None or value == "" else str(value)
