"""What deploys stacks: an interface, and the Cloud Development Kit behind it."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cti_ops.errors import OpsError

RUN = Path(__file__).resolve().parents[1] / "run"
# Values by names, of each stack by its name.
Values = Mapping[str, Mapping[str, str]]


class StackDeployer(Protocol):
    """Deploys stacks in the order given."""

    def deploy(self, stacks: Sequence[str], parameters: Values) -> Values:
        """Return the outputs of the stacks. Raises OpsError when one could not be deployed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolkit:
    """The pinned toolkit, in a process of its own."""

    environment: str
    deployment: Path
    region: str
    endpoint_url: str | None = None
    run: Path = RUN

    def command(self, stack: str, parameters: Mapping[str, str]) -> list[str]:
        """Return the command that deploys one stack."""
        given = [f"{stack}:{name}={value}" for name, value in sorted(parameters.items())]
        return [
            "/bin/sh",
            str(self.run),
            "cdk",
            "deploy",
            stack,
            "--exclusively",
            # Else a stack that stands keeps the values of before, whatever the file says now.
            "--no-previous-parameters",
            # It was asked once, before anything was changed.
            "--require-approval=never",
            f"--context=environment={self.environment}",
            f"--context=deployment={self.deployment.absolute()}",
            *(f"--parameters={one}" for one in given),
        ]

    def deploy(self, stacks: Sequence[str], parameters: Values) -> Values:
        """Return the outputs of the stacks. Raises OpsError when one could not be deployed."""
        outputs: dict[str, Mapping[str, str]] = {}
        for stack in stacks:
            outputs.update(self._deploy(stack, parameters.get(stack, {})))
        return outputs

    def _deploy(self, stack: str, parameters: Mapping[str, str]) -> Values:
        told = {"AWS_REGION": self.region}
        if self.endpoint_url:
            told["AWS_ENDPOINT_URL"] = self.endpoint_url
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "outputs.json"
            done = subprocess.run(  # noqa: S603 - our own script; names were checked
                [*self.command(stack, parameters), f"--outputs-file={file}"],
                env={**os.environ, **told},
                check=False,
            )
            if done.returncode != 0:
                raise OpsError(
                    f"{stack} could not be deployed (the toolkit ended with {done.returncode}): "
                    "what CloudFormation says stands above; mend it and run this again, stacks "
                    "that are done are passed over"
                )
            found: Values = json.loads(file.read_text("utf-8")) if file.is_file() else {}
        return {stack: {}, **found}
