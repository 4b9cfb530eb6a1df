"""The toolkit, pinned, as an operator starts it, against an emulator."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulation.templates import references
from model import INFRA

ACCOUNT = "111122223333"
DEPLOYMENT = f"""
[dev]
account = "{ACCOUNT}"
certificate_arn = "arn:aws:acm:us-east-1:{ACCOUNT}:certificate/{"0" * 8}-0000-0000-0000-{"0" * 12}"
domain = "cti.example.org"
contact = "https://example.org/crawler"
alerts_to = "on-call@example.org"
"""


class Toolkit:
    """Runs commands of the toolkit for development, in a folder of its own."""

    def __init__(self, address: str, folder: Path) -> None:
        self.assembly = folder / "assembly"
        self._deployment = folder / "dev.toml"
        self._deployment.write_text(DEPLOYMENT, "utf-8")
        self._environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            # Where the toolkit keeps notes of its own.
            "HOME": str(folder),
        }

    def run(self, *arguments: str) -> str:
        """Return what a command says; it must succeed."""
        done = subprocess.run(
            ["/bin/sh", INFRA / "run", "cdk", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        return said

    def bootstrap(self) -> str:
        """Prepare the account, by the assembly that there is."""
        return self.run("bootstrap", "--app", str(self.assembly), f"aws://{ACCOUNT}/us-east-1")

    def synth(self) -> None:
        """Write the stacks of development as the toolkit deploys them."""
        settings = ("-c", "environment=dev", "-c", f"deployment={self._deployment}")
        self.run("synth", *settings, "--quiet", "--output", str(self.assembly))

    def template(self, stack: str) -> Path:
        """Return the file of a stack."""
        return self.assembly / f"cti-scraper-dev-{stack}.template.json"

    def leave_out(self, kinds: Mapping[str, str], stacks: tuple[str, ...]) -> set[str]:
        """Take resources of types out of the assembly, and what names them; return their places."""
        gone = set()
        for stack in stacks:
            document = json.loads(self.template(stack).read_text("utf-8"))
            dropped = _dropped(document["Resources"], kinds)
            document["Resources"] = {
                name: resource
                for name, resource in document["Resources"].items()
                if name not in dropped
            }
            # Written anew only where it differs: others go as the toolkit wrote them.
            if dropped:
                self.template(stack).write_text(json.dumps(document), "utf-8")
            gone |= {f"{stack}.{name}" for name in dropped}
        return gone

    def replace(self, stack: str, attribute: list[str], value: str) -> int:
        """Put a value in place of an attribute; return how often it stood there."""
        text = self.template(stack).read_text("utf-8")
        document = json.loads(text)
        asked = json.dumps({"Fn::GetAtt": attribute})
        written = json.dumps(document)
        self.template(stack).write_text(written.replace(asked, json.dumps(value)), "utf-8")
        return written.count(asked)

    def deploy(self, stacks: tuple[str, ...], parameters: Mapping[str, str]) -> str:
        """Deploy stacks of the assembly."""
        given = [
            part
            for name, value in parameters.items()
            for part in ("--parameters", f"cti-scraper-dev-{name}={value}")
        ]
        return self.run(
            "deploy",
            "--app",
            str(self.assembly),
            *(f"cti-scraper-dev-{stack}" for stack in stacks),
            "--require-approval",
            "never",
            "--progress",
            "events",
            *given,
        )


def _dropped(resources: Mapping[str, Any], kinds: Mapping[str, str]) -> set[str]:
    dropped = {name for name, one in resources.items() if _is_of(one, kinds)}
    while True:
        further = {n for n, one in resources.items() if references(one) & dropped} - dropped
        if not further:
            return dropped
        dropped |= further


def _is_of(resource: Mapping[str, Any], kinds: Mapping[str, str]) -> bool:
    """Return whether a resource is of one of the types, or has that property of the type."""
    kind = resource["Type"].removeprefix("AWS::")
    properties = resource.get("Properties", {})
    return kind in kinds or any(f"{kind}.{name}" in kinds for name in properties)
