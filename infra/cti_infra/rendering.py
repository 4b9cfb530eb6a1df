"""Templates as they are committed: CloudFormation that needs no toolkit to deploy."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import aws_cdk as cdk

from cti_infra.acknowledged import acknowledge, check
from cti_infra.config import PROJECT, Environment
from cti_infra.deployment import Deployment
from cti_infra.errors import SettingsError
from cti_infra.layer import Document
from cti_infra.stacks import make_stacks

HERE = Path(__file__).resolve().parents[1]
RENDERED = HERE / "rendered"
REPORT = "validation-report.json"

# Stack, construct and rule.
Finding = tuple[str, str, str]


def context() -> dict[str, object]:
    """Return the context that the toolkit would read, so that everything is made alike."""
    settings: dict[str, dict[str, object]] = json.loads((HERE / "cdk.json").read_text("utf-8"))
    return settings["context"]


def templates(environment: Environment) -> dict[str, Document]:
    """Return the templates of an environment by the names of their stacks.

    Raises SettingsError for what AwsSolutions finds and nobody has acknowledged.
    """
    made, found = synthesize(environment, acknowledging=True)
    if found:
        raise SettingsError(
            f"environment {environment.name!r}",
            [f"{stack}/{construct}: {rule}" for stack, construct, rule in sorted(found)],
        )
    return made


def synthesize(
    environment: Environment, *, acknowledging: bool, deployment: Deployment | None = None
) -> tuple[dict[str, Document], set[Finding]]:
    """Return the templates, and what the rules find in them."""
    with TemporaryDirectory() as folder:
        app = cdk.App(outdir=folder, analytics_reporting=False, context=context())
        check(app)
        stacks = make_stacks(app, environment, deployment)
        if acknowledging:
            acknowledge(stacks)
        found: set[Finding] = set()
        try:
            app.synth()
        except RuntimeError:
            found = _findings(Path(folder) / REPORT)
            if not found:
                raise
        start = len(f"{PROJECT}-{environment.name}-")
        made = {
            stack.stack_name[start:]: json.loads(
                (Path(folder) / stack.template_file).read_text("utf-8")
            )
            for stack in stacks
        }
    return made, found


def _findings(report: Path) -> set[Finding]:
    """Return what a report of the validation names."""
    told = json.loads(report.read_text("utf-8"))
    return {
        (*_place(construct["constructPath"]), violation["ruleName"])
        for plugin in told["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    }


def _place(path: str) -> tuple[str, str]:
    stack, _, construct = path.partition("/")
    return stack.rpartition("-")[2], construct


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
