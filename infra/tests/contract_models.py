"""The contract of language models: who is told what, who asks, and what that may do."""

import re
from collections.abc import Iterator

import product
from model import System, variables

WORKER = "app.ModelWorkerTask"
KEY_FILE = "CTISCRAPER_MODEL_KEY_FILE"
# Those who ask the server: for answers, for vectors, and for questions about the collection.
ASKING = {"web", "scheduler", "model-worker"}
PROTECT = "ecs:UpdateTaskProtection"


def of_models() -> dict[str, str]:
    """Return the product's settings of models, with what each is by itself."""
    return {
        name: value
        for name, value in product.defaults().items()
        if name.startswith("CTISCRAPER_MODEL") or name == "CTISCRAPER_EMBEDDING"
    }


def models(system: System) -> Iterator[str]:
    """Yield each fault."""
    yield from _parameters(system)
    yield from _told(system)
    yield from _asks(system)
    given = system.stacks["app"]["Parameters"]
    for stack in ("app", "observability"):
        if system.stacks[stack]["Parameters"].get("Model") != given["Model"]:
            yield f"{stack}: another model than App has"


def _parameters(system: System) -> Iterator[str]:
    """Whatever an operator leaves alone is as the product has it by itself."""
    for name, wanted in of_models().items():
        if name == KEY_FILE:
            continue
        parameter = _parameter(name)
        given = system.stacks["app"]["Parameters"].get(parameter)
        if given is None:
            yield f"{name} cannot be set"
        elif name == "CTISCRAPER_MODEL_URL":
            address = _where_the_model_is(system)
            if address is not None and given["Default"] != address:
                yield f"the model is sought at {given['Default']}, and is at {address}"
        elif name != "CTISCRAPER_MODEL" and given["Default"] != wanted:
            yield f"{parameter} is {given['Default']!r} by itself, for the product {wanted!r}"


def _told(system: System) -> Iterator[str]:
    for task, container in system.containers():
        told = variables(container)
        if task.stack != "app" or "CTISCRAPER_ENVIRONMENT" not in told:
            continue
        for name in set(of_models()) - {KEY_FILE}:
            if told.get(name) != f"app.{_parameter(name)}":
                yield f"{task.place}: {name} is {told.get(name)}, not what is set"
        keyed = KEY_FILE in told
        if keyed and container["Name"] not in ASKING:
            yield f"{task.place}: has a key that it never shows"
        if keyed != any(s["Name"] == "MODEL_KEY" for s in _secrets(system, task.place)):
            yield f"{task.place}: is told of a key that it is not given, or not of one that it is"


def _asks(system: System) -> Iterator[str]:
    named = bool(system.stacks["app"]["Parameters"]["Model"]["Default"])
    if (WORKER in system) != named or ("app.ModelWorkerService" in system) != named:
        yield "a model is named and nobody asks it, or the other way round"
    for role in system.of("IAM::Role"):
        may = [
            statement["Resource"]
            for policy in role.get("Policies", [])
            for statement in policy["PolicyDocument"]["Statement"]
            if PROTECT in statement["Action"]
        ]
        wanted = role.place == "app.ModelWorkerTaskRole"
        if len(may) != wanted or not all(map(_are_own_tasks, may)):
            yield f"{role.place}: cannot protect its tasks, or may those of others"
    if "app.ModelWorkerService" not in system or WORKER not in system:
        return
    service = system["app.ModelWorkerService"]
    providers = {one["CapacityProvider"] for one in service["CapacityProviderStrategy"]}
    if providers != {"FARGATE"}:
        yield "answers that were paid for are thrown away with machines of Spot"
    container = system.container(WORKER, "model-worker")
    if container["Image"] != system.container("app.WorkerTask", "worker")["Image"]:
        yield "what asks models is of another image than the worker"
    if {s["Name"] for s in _secrets(system, WORKER)} - {"DATABASE_PASSWORD", "MODEL_KEY"}:
        yield "what asks models is given secrets that it has no use for"


def _are_own_tasks(resources: list[str]) -> bool:
    """Whether these are the tasks of the cluster, of this account alone."""
    own = r"arn:aws:ecs:us-east-1:(AWS::AccountId|\d{12}):task/release\.Cluster/\*"
    return len(resources) == 1 and re.fullmatch(own, resources[0]) is not None


def _secrets(system: System, task: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = system.container(task, "prepare").get("Secrets", [])
    return found


def _parameter(variable: str) -> str:
    return variable.removeprefix("CTISCRAPER_").title().replace("_", "")


def _where_the_model_is(system: System) -> str | None:
    """Return the address that the network's own names and rules give the model."""
    if "app.OllamaName" not in system:
        return None
    name, zone = system["app.OllamaName"]["Name"], system["app.Names"]["Name"]
    [port] = {
        rule["FromPort"]
        for rule in system.of("EC2::SecurityGroupIngress")
        if rule["GroupId"] == "network.OllamaSecurityGroup.GroupId"
    }
    return f"http://{name}.{zone}:{port}"
