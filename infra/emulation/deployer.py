"""Makes stacks, resource by resource, and leaves their outputs where CloudFormation has them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from cti_infra.config import PROJECT, environment_of
from emulation import network_recipes, operations_recipes, service_recipes, storage_recipes
from emulation.calls import Calls, Task
from emulation.errors import DeploymentError
from emulation.intrinsics import Evaluator, Made
from emulation.recipes import Recipe
from emulation.templates import Document, rendered, resource_order, stack_order

RECIPES: Mapping[str, Recipe] = {
    **network_recipes.RECIPES,
    **storage_recipes.RECIPES,
    **service_recipes.RECIPES,
    **operations_recipes.RECIPES,
}
# The stack that stands in the other region.
COPIES = "dr"

# The service refuses, or an emulator answers what is no answer.
FAILURES = (ClientError, BotoCoreError, ResponseParserError, KeyError, ValueError)

Parameters = Mapping[str, Mapping[str, str]]
Outputs = dict[str, dict[str, str]]


def deploy(
    environment: str,
    stacks: Iterable[str],
    parameters: Parameters | None = None,
    *,
    endpoint: str,
    without: Iterable[str] = (),
) -> Outputs:
    """Return the outputs of stacks of an environment, by their short names.

    `without` names types that the emulator cannot make. Raises DeploymentError.
    """
    return Deployer(environment, endpoint, without=without).deploy(stacks, parameters)


class Deployer:
    """Deploys the stacks of one environment to one endpoint."""

    def __init__(
        self,
        environment: str,
        endpoint: str,
        *,
        templates: Mapping[str, Document] | None = None,
        without: Iterable[str] = (),
        backwards: bool = False,
    ) -> None:
        self.environment = environment_of(environment)
        self.endpoint = endpoint
        self.templates = rendered(environment) if templates is None else templates
        self.without = frozenset(without)
        self.backwards = backwards
        # By place, what was made, what it was made of, and why what is missing is.
        self.made: dict[str, Made] = {}
        self.evaluated: dict[str, Document] = {}
        self.unmade: dict[str, str] = {}
        self.unplaced: dict[str, list[str]] = {}
        self._calls: dict[str, Calls] = {}

    def region(self, stack: str) -> str:
        """Return where a stack stands."""
        other = self.environment.recovery_region
        return other if stack == COPIES and other else self.environment.region

    def calls(self, stack: str) -> Calls:
        """Return the services where a stack stands."""
        region = self.region(stack)
        return self._calls.setdefault(region, Calls(self.endpoint, region))

    @cached_property
    def account(self) -> str:
        """The account that the emulator says it is."""
        who = self.calls("").client("sts").get_caller_identity()
        return str(who["Account"])

    def deploy(self, stacks: Iterable[str], parameters: Parameters | None = None) -> Outputs:
        """Return the outputs of stacks, deployed each after those that it needs of these.

        Raises DeploymentError.
        """
        names = list(stacks)
        if unknown := set(names) - set(self.templates):
            known = ", ".join(self.templates)
            raise DeploymentError(", ".join(sorted(unknown)), f"no such stack; there are {known}")
        given = parameters or {}
        return {
            name: self._stack(name, given.get(name, {}))
            for name in stack_order(self.templates, names)
        }

    def _stack(self, stack: str, parameters: Mapping[str, str]) -> dict[str, str]:
        template = self.templates[stack]
        if self._stands(stack):
            raise DeploymentError(stack, "it stands already; an emulated stack is made once")
        here: dict[str, Made] = {}
        evaluator = Evaluator(
            stack=stack,
            values={**self._pseudo(stack), **_values(stack, template, parameters)},
            template=template,
            made=here,
            exported=self._exports(stack).get,
            zones=self._zones,
            secret=lambda arn, key: self._secret(stack, arn, key),
        )
        for name in resource_order(stack, template, backwards=self.backwards):
            resource = template["Resources"][name]
            if "Condition" in resource and not evaluator.condition(resource["Condition"]):
                continue
            here[name] = self._resource(stack, name, resource, evaluator)
        outputs = {
            name: {**output, "Value": str(evaluator(output["Value"]))}
            for name, output in template.get("Outputs", {}).items()
        }
        self._register(stack, template, outputs)
        return {name: output["Value"] for name, output in outputs.items()}

    def _resource(self, stack: str, name: str, resource: Document, evaluator: Evaluator) -> Made:
        place, kind = f"{stack}.{name}", resource["Type"].removeprefix("AWS::")
        if kind not in RECIPES:
            raise DeploymentError(place, f"there is no recipe for {kind}")
        try:
            properties = evaluator(resource.get("Properties", {}))
        except DeploymentError as error:
            raise DeploymentError(place, error.reason) from error
        task = Task(
            place=f"{self.stack_name(stack)}.{name}",
            type=kind,
            calls=self.calls(stack),
            account=self.account,
            properties=properties,
        )
        self.evaluated[place] = properties
        try:
            made = RECIPES[kind](task)
        except FAILURES as error:
            reason = f"{type(error).__name__}: {error}"
            if kind not in self.without:
                raise DeploymentError(place, reason) from error
            self.unmade[place] = reason
            return Made(place=place, type=kind, identity=task.name)
        if task.unplaced:
            self.unplaced[place] = task.unplaced
        self.made[place] = Made(place, kind, made.identity, made.attributes)
        return self.made[place]

    def stack_name(self, stack: str) -> str:
        """Return the name under which a stack is known in its account."""
        return f"{PROJECT}-{self.environment.name}-{stack}"

    def _pseudo(self, stack: str) -> dict[str, Any]:
        return {
            "AWS::AccountId": self.account,
            "AWS::Region": self.region(stack),
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": self.stack_name(stack),
        }

    def _zones(self, region: str) -> list[str]:
        calls = self._calls.setdefault(region, Calls(self.endpoint, region))
        zones = calls.client("ec2").describe_availability_zones()["AvailabilityZones"]
        return [zone["ZoneName"] for zone in zones]

    def _secret(self, stack: str, arn: str, key: str) -> str:
        client = self.calls(stack).client("secretsmanager")
        text = client.get_secret_value(SecretId=arn)["SecretString"]
        return str(json.loads(text)[key]) if key else str(text)

    def _stands(self, stack: str) -> bool:
        return any(
            found["StackName"] == self.stack_name(stack)
            for page in self.calls(stack)
            .client("cloudformation")
            .get_paginator("list_stacks")
            .paginate()
            for found in page["StackSummaries"]
            if not found["StackStatus"].startswith("DELETE")
        )

    def _exports(self, stack: str) -> dict[str, str]:
        """Return what the stacks of a region export, whoever deployed them."""
        client = self.calls(stack).client("cloudformation")
        pages = client.get_paginator("list_exports").paginate()
        return {found["Name"]: found["Value"] for page in pages for found in page["Exports"]}

    def _register(self, stack: str, template: Document, outputs: Mapping[str, Document]) -> None:
        """Leave the outputs in the emulator, so that others find them as on AWS."""
        body = {
            "Description": template.get("Description", stack),
            "Resources": {},
            "Outputs": outputs,
        }
        self.calls(stack).client("cloudformation").create_stack(
            StackName=self.stack_name(stack), TemplateBody=json.dumps(body)
        )


def _values(stack: str, template: Document, given: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of a template. Raises DeploymentError with every fault."""
    wanted: Mapping[str, Document] = template.get("Parameters", {})
    values = {
        name: str(given.get(name, declared.get("Default", ""))) for name, declared in wanted.items()
    }
    if faults := list(_faults(wanted, values, given)):
        raise DeploymentError(stack, "; ".join(faults))
    return values


def _faults(
    wanted: Mapping[str, Document], values: Mapping[str, str], given: Mapping[str, str]
) -> Iterator[str]:
    for name in sorted(set(given) - set(wanted)):
        yield f"parameter {name}: the template has none of that name"
    for name, declared in wanted.items():
        if name not in given and "Default" not in declared:
            yield f"parameter {name}: missing"
        elif not re.fullmatch(declared.get("AllowedPattern", ".*"), values[name]):
            yield f"parameter {name}: {values[name]!r} is not like {declared['AllowedPattern']}"
