"""What an operator may set of language models, and what of it cannot hold."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cti_infra.config import Environment
from cti_infra.given_secrets import secret_faults

if TYPE_CHECKING:
    from cti_infra.deployment import Deployment

# What security groups let out to others than the model of the environment.
_PORTS = {80, 443}
KEY_FIELD = "model_key_arn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting: its parameter, what it says, what it may be, and what it is by itself."""

    parameter: str
    says: str
    pattern: str
    default: str = ""
    least: float | None = None
    most: float | None = None

    @property
    def field(self) -> str:
        """Its name in the file of the deployment."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.parameter).lower()

    @property
    def variable(self) -> str:
        """The variable by which the product is told."""
        return f"CTISCRAPER_{self.field.upper()}"


_NAME = r"[0-9A-Za-z_./:-]"
_COUNT, _AMOUNT = r"\d{1,12}", r"\d{1,9}(\.\d{1,6})?"
MODEL = Setting(
    parameter="Model", says="name of the model there; empty, none is asked", pattern=_NAME + r"*"
)
URL = Setting(
    parameter="ModelUrl",
    says="address of the server",
    pattern=r"(https?://[A-Za-z0-9._:/\[\]-]{1,500})?",
)
# As the product has them (docs/reference/settings.md); a test compares.
SETTINGS = (
    URL,
    Setting(
        parameter="ModelKind",
        says="what the server speaks, ollama or openai",
        pattern="(ollama|openai)",
        default="ollama",
    ),
    MODEL,
    Setting(
        parameter="ModelTasks",
        says="what it does with each new article, comma separated, or none",
        pattern=r"[a-z_]+(, ?[a-z_]+)*",
        default="summary",
    ),
    Setting(
        parameter="ModelSlots",
        says="questions at a time",
        pattern=_COUNT,
        default="1",
        least=1,
        most=64,
    ),
    Setting(
        parameter="ModelSeconds",
        says="seconds that an answer may take",
        pattern=_AMOUNT,
        default="120.0",
        least=1,
        most=3600,
    ),
    Setting(
        parameter="ModelContext",
        says="tokens that it can take in at once",
        pattern=_COUNT,
        default="8192",
        least=512,
        most=1_000_000,
    ),
    Setting(
        parameter="ModelArticleTokens",
        says="tokens that an article may cost, 0 for no limit",
        pattern=_COUNT,
        default="300000",
        least=0,
    ),
    Setting(
        parameter="ModelSourceTokens",
        says="tokens that a source may cost a day, 0 for no limit",
        pattern=_COUNT,
        default="500000",
        least=0,
    ),
    Setting(
        parameter="ModelDayTokens",
        says="tokens that all may cost a day, 0 for no limit",
        pattern=_COUNT,
        default="5000000",
        least=0,
    ),
    Setting(
        parameter="ModelPriceIn",
        says="price of a million tokens that it is given",
        pattern=_AMOUNT,
        default="0.0",
        least=0,
    ),
    Setting(
        parameter="ModelPriceOut",
        says="price of a million tokens that it answers",
        pattern=_AMOUNT,
        default="0.0",
        least=0,
    ),
    Setting(
        parameter="ModelTlp",
        says="the most guarded text that a server elsewhere may get",
        pattern="(clear|green|amber|red)",
        default="green",
    ),
    Setting(
        parameter="Embedding",
        says="model of vectors: builtin, one that the server has, or none",
        pattern=_NAME + r"+",
        default="builtin",
    ),
)
# What makes no sense while there is no model; vectors are made without one.
_OF_A_MODEL = tuple(one for one in SETTINGS if one.field not in {"model", "embedding"})


def model_faults(deployment: "Deployment", environment: Environment) -> Iterator[str]:
    """Yield each fault with what to do."""
    for setting in SETTINGS:
        if value := getattr(deployment, setting.field):
            yield from _value_faults(setting, value)
    yield from secret_faults(KEY_FIELD, deployment.model_key_arn, deployment, environment)
    if deployment.model and not (deployment.model_url or environment.ollama):
        yield (
            f"model: {environment.name} has no server of models; name one in model_url, or give "
            "the environment Ollama in cti_infra/config.py"
        )
    if not deployment.model and deployment.embedding in {"", "builtin", "none"}:
        for field in (*(one.field for one in _OF_A_MODEL), KEY_FIELD):
            if getattr(deployment, field):
                yield f"{field}: there is no model beside it, so nothing is asked; add or remove"


def _value_faults(setting: Setting, value: str) -> Iterator[str]:
    if not re.fullmatch(setting.pattern, value):
        yield f"{setting.field}: {value!r} is no {setting.says}"
        return
    low, high = setting.least, setting.most
    if low is not None and not low <= float(value) <= (high or float("inf")):
        bounds = f"from {low:g} to {high:g}" if high else f"{low:g} or more"
        yield f"{setting.field}: {value} should be {bounds}"
    if setting is URL:
        yield from _address_faults(value)


def _address_faults(value: str) -> Iterator[str]:
    try:
        parts = urlsplit(value)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except ValueError:
        yield f"model_url: {value!r} has no port from 1 to 65535"
        return
    if port not in _PORTS:
        yield (
            f"model_url: tasks reach others on 80 and 443 alone, not on {port}; have the server "
            "listen there, or open that port of Worker and Web in cti_infra/network.py"
        )
