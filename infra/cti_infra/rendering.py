"""Templates as they are committed: CloudFormation that needs no toolkit to deploy."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import aws_cdk as cdk

from cti_infra.config import PROJECT, Environment
from cti_infra.layer import Document
from cti_infra.stacks import make_stacks

HERE = Path(__file__).resolve().parents[1]
RENDERED = HERE / "rendered"


def context() -> dict[str, object]:
    """Return the context that the toolkit would read, so that everything is made alike."""
    settings: dict[str, dict[str, object]] = json.loads((HERE / "cdk.json").read_text("utf-8"))
    return settings["context"]


def templates(environment: Environment) -> dict[str, Document]:
    """Return the templates of an environment by the names of their stacks."""
    with TemporaryDirectory() as folder:
        app = cdk.App(outdir=folder, analytics_reporting=False, context=context())
        stacks = make_stacks(app, environment)
        assembly = app.synth()
        start = len(f"{PROJECT}-{environment.name}-")
        return {
            stack.stack_name[start:]: assembly.get_stack_by_name(stack.stack_name).template
            for stack in stacks
        }


def text_of(template: Mapping[str, object]) -> str:
    """Return a template as a file holds it."""
    return json.dumps(template, indent=1, sort_keys=True) + "\n"


def write(environment: Environment) -> list[Path]:
    """Write the templates of an environment; return their files."""
    folder = RENDERED / environment.name
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {folder / f"{n}.json": text_of(t) for n, t in templates(environment).items()}
    for file in set(folder.glob("*.json")) - set(wanted):
        file.unlink()
    for file, text in wanted.items():
        file.write_text(text, "utf-8")
    return sorted(wanted)
