"""Makes stacks, resource by resource, and leaves their outputs where CloudFormation has them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
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
        self._asked: dict[str, Document] = {}
        # What stands for those that are missing.
        self._missing: dict[str, Made] = {}
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

    def update(self, stack: str, parameters: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
        """Return the outputs of a stack that this deployer made, and what was changed in it.

        Tasks are made anew and services told of them, as a release does; whatever else differs
        cannot be changed here. Raises DeploymentError.
        """
        template, here, changed = self.templates[stack], dict[str, Made](), list[str]()
        evaluator = self._evaluator(stack, parameters, here)
        for name in self._order(stack, evaluator):
            place, resource = f"{stack}.{name}", template["Resources"][name]
            if place not in self._asked:
                raise DeploymentError(place, "it is not there; only what stands is changed here")
            properties = evaluator(resource.get("Properties", {}))
            if properties != self._asked[place]:
                self._change(place, resource["Type"], properties)
                changed.append(place)
            here[name] = self.made.get(place) or self._missing[place]
        outputs = self._outputs(template, evaluator)
        if changed:
            self._register(stack, template, outputs, operation="update_stack")
        return {name: output["Value"] for name, output in outputs.items()}, changed

    def _change(self, place: str, type_: str, properties: Document) -> None:
        """Make a resource anew, or tell it what is new. Raises DeploymentError."""
        stack, _, name = place.partition(".")
        kind, before = type_.removeprefix("AWS::"), self._asked[place]
        differing = {
            key for key in {*properties, *before} if properties.get(key) != before.get(key)
        }
        if kind == "ECS::TaskDefinition":
            self.made[place] = self._made(stack, name, kind, properties)
        elif kind == "ECS::Service" and differing == {"TaskDefinition"}:
            self.calls(stack).client("ecs").update_service(
                cluster=properties["Cluster"],
                service=properties["ServiceName"],
                taskDefinition=properties["TaskDefinition"],
            )
        else:
            told = ", ".join(sorted(differing))
            raise DeploymentError(place, f"{kind} cannot be changed here, and {told} differs")
        self._ask(place, properties)

    def _stack(self, stack: str, parameters: Mapping[str, str]) -> dict[str, str]:
        template = self.templates[stack]
        if self._stands(stack):
            raise DeploymentError(stack, "it stands already; an emulated stack is made once")
        here: dict[str, Made] = {}
        evaluator = self._evaluator(stack, parameters, here)
        for name in self._order(stack, evaluator):
            here[name] = self._resource(stack, name, template["Resources"][name], evaluator)
        outputs = self._outputs(template, evaluator)
        self._register(stack, template, outputs)
        return {name: output["Value"] for name, output in outputs.items()}

    def _order(self, stack: str, evaluator: Evaluator) -> Iterator[str]:
        """Yield the resources that are there under the conditions of a template."""
        template = self.templates[stack]
        for name in resource_order(stack, template, backwards=self.backwards):
            resource = template["Resources"][name]
            if "Condition" not in resource or evaluator.condition(resource["Condition"]):
                yield name

    def _outputs(self, template: Document, evaluator: Evaluator) -> dict[str, Document]:
        return {
            name: {**output, "Value": str(evaluator(output["Value"]))}
            for name, output in template.get("Outputs", {}).items()
        }

    def _evaluator(
        self, stack: str, parameters: Mapping[str, str], here: Mapping[str, Made]
    ) -> Evaluator:
        template = self.templates[stack]
        return Evaluator(
            stack=stack,
            values={**self._pseudo(stack), **_values(stack, template, parameters)},
            template=template,
            made=here,
            exported=self._exports(stack).get,
            zones=self._zones,
            secret=lambda arn, key: self._secret(stack, arn, key),
        )

    def _resource(self, stack: str, name: str, resource: Document, evaluator: Evaluator) -> Made:
        place, kind = f"{stack}.{name}", resource["Type"].removeprefix("AWS::")
        if kind not in RECIPES:
            raise DeploymentError(place, f"there is no recipe for {kind}")
        try:
            properties = evaluator(resource.get("Properties", {}))
        except DeploymentError as error:
            raise DeploymentError(place, error.reason) from error
        self._ask(place, properties)
        return self._made(stack, name, kind, properties)

    def _ask(self, place: str, properties: Document) -> None:
        """Note what a resource is made of."""
        self.evaluated[place] = properties
        # Recipes add what an emulator wants besides.
        self._asked[place] = deepcopy(properties)

    def _made(self, stack: str, name: str, kind: str, properties: Document) -> Made:
        place = f"{stack}.{name}"
        task = Task(
            place=f"{self.stack_name(stack)}.{name}",
            type=kind,
            calls=self.calls(stack),
            account=self.account,
            properties=properties,
        )
        try:
            made = RECIPES[kind](task)
        except FAILURES as error:
            reason = f"{type(error).__name__}: {error}"
            if kind not in self.without:
                raise DeploymentError(place, reason) from error
            self.unmade[place] = reason
            self._missing[place] = Made(place=place, type=kind, identity=task.name)
            return self._missing[place]
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

    def _register(
        self,
        stack: str,
        template: Document,
        outputs: Mapping[str, Document],
        operation: str = "create_stack",
    ) -> None:
        """Leave the outputs in the emulator, so that others find them as on AWS."""
        body = {
            "Description": template.get("Description", stack),
            "Resources": {},
            "Outputs": outputs,
        }
        ask = getattr(self.calls(stack).client("cloudformation"), operation)
        ask(StackName=self.stack_name(stack), TemplateBody=json.dumps(body))


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
