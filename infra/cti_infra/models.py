"""Language models: what the product is told of them, and under which condition one is asked.

All of it hangs on parameters, so that a pipeline that knows no deployment file keeps what was set.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import aws_cdk as cdk

from cti_infra.config import Environment
from cti_infra.containers import SECRETS, Secret
from cti_infra.layer import Document, Layer, statement
from cti_infra.model_settings import KEY_FIELD, MODEL, SETTINGS, URL, Setting
from cti_infra.network import OLLAMA

ASKED, WITH_KEY = "ModelIsAsked", "ModelKey"
NAMESPACE = "cti-scraper.internal"
OLLAMA_NAME = "ollama"
WORKER = "model-worker"
KEY_FILE = f"{SECRETS}/model-key"


class Models:
    """What is set of models in a stack; in one of an environment without, nothing is asked."""

    def __init__(self, stack: Layer) -> None:
        self._stack = stack
        environment = stack.environment_settings
        self._values = {
            setting.variable: _given(stack, setting, _default(setting, environment))
            for setting in SETTINGS
        }
        self._key_arn = stack.given(
            # A parameter that calls itself a secret is taken for one.
            "ModelKeyArn",
            KEY_FIELD,
            description="Language model: ARN of the secret with the key that the server asks for",
            pattern=r"(arn:aws:secretsmanager:\S{20,300})?",
            default="",
        )
        self.asked = _set(stack, ASKED, self._values[MODEL.variable])
        _set(stack, WITH_KEY, self._key_arn)
        if not environment.ollama:
            self._refuse_a_model_of_nobody()

    def _refuse_a_model_of_nobody(self) -> None:
        assertion = cdk.Fn.condition_or(
            cdk.Fn.condition_equals(self._stack.resolve({"Ref": MODEL.parameter}), ""),
            cdk.Fn.condition_not(
                cdk.Fn.condition_equals(self._stack.resolve({"Ref": URL.parameter}), "")
            ),
        )
        cdk.CfnRule(
            self._stack,
            "ModelHasAServer",
            assertions=[
                cdk.CfnRuleAssertion(
                    assert_=assertion,
                    assert_description="There is no server of models here: name it in ModelUrl",
                )
            ],
        )

    @property
    def values(self) -> Mapping[str, str]:
        """What every process of the product is told."""
        return self._values

    @property
    def told(self) -> Mapping[str, tuple[str, str]]:
        """What those are told who ask the server, each value under its condition."""
        return {"CTISCRAPER_MODEL_KEY_FILE": (WITH_KEY, KEY_FILE)}

    @property
    def key(self) -> Secret:
        """The key that the server asks for, as a file."""
        return Secret(
            variable="MODEL_KEY",
            arn=self._key_arn,
            file=KEY_FILE.rpartition("/")[2],
            under=WITH_KEY,
        )


def model_is_asked(stack: Layer) -> cdk.CfnCondition:
    """Return the condition of a stack that has none of this but the name of the model."""
    return _set(stack, ASKED, _given(stack, MODEL, MODEL.default))


def protect_own_tasks(stack: Layer, cluster: str) -> Document:
    """Return the right to ask that tasks of the cluster be left alone for a while."""
    tasks = f"arn:aws:ecs:{stack.region}:{stack.account}:task/{cluster}/*"
    return statement(["ecs:UpdateTaskProtection"], [tasks], sid="OwnProtection")


@contextmanager
def only_where_asked(stack: Layer, condition: cdk.CfnCondition) -> Iterator[None]:
    """Have all that is added to a stack meanwhile be there under a condition alone."""
    before = {child.node.id for child in stack.node.children}
    yield
    for child in stack.node.children:
        if isinstance(child, cdk.CfnResource) and child.node.id not in before:
            child.cfn_options.condition = condition


def _default(setting: Setting, environment: Environment) -> str:
    if setting is URL and environment.ollama:
        return f"http://{OLLAMA_NAME}.{NAMESPACE}:{OLLAMA}"
    return setting.default


def _given(stack: Layer, setting: Setting, default: str) -> str:
    return stack.given(
        setting.parameter,
        setting.field,
        description=f"Language model: {setting.says}",
        pattern=setting.pattern,
        default=default,
    )


def _set(stack: Layer, name: str, value: str) -> cdk.CfnCondition:
    unset = cdk.Fn.condition_equals(value, "")
    return cdk.CfnCondition(stack, name, expression=cdk.Fn.condition_not(unset))
