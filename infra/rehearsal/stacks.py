"""What deploys stacks in a rehearsal: the committed templates, into the emulator."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cti_infra.deployment import Deployment, load_deployment
from cti_ops.errors import OpsError
from cti_ops.place import Place
from cti_ops.toolkit import Values
from emulation import Deployer, DeploymentError
from emulation.server import MOTO_LIMITS
from rehearsal.processes import HERE


@dataclass(slots=True)
class EmulatedStacks:
    """Makes stacks, or brings those that stand up to date, as the toolkit would."""

    place: Place
    file: Path
    endpoint: str
    # Called once the databases are there.
    on_data: Callable[[], None]
    # Called when services were told of new tasks: on AWS a deployment begins at once.
    on_change: Callable[[], object] = lambda: None
    deployer: Deployer = field(init=False)
    # What was changed by the last call.
    changed: list[str] = field(default_factory=list)
    _standing: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Read the committed templates."""
        self.deployer = Deployer(
            self.place.environment.name, self.endpoint, without=list(MOTO_LIMITS)
        )

    def deploy(self, stacks: Sequence[str], parameters: Values) -> Values:
        """Return the outputs of the stacks. Raises OpsError when one could not be deployed."""
        self.changed = []
        return {stack: self._deploy(stack, parameters.get(stack, {})) for stack in stacks}

    def _deploy(self, stack: str, given: Mapping[str, str]) -> Mapping[str, str]:
        name, begun = stack.removeprefix(self.place.named("")), time.monotonic()
        values = {**self._brought(name), **given}
        try:
            outputs, told = self._made(name, values)
        except DeploymentError as error:
            raise OpsError(f"{stack} could not be deployed: {error}") from error
        self.place.say(f"{stack}: {told} ({time.monotonic() - begun:.1f} s)")
        if name == "data" and name not in self._standing:
            self.on_data()
        self._standing.add(name)
        self.on_change()
        # The name of an emulated load balancer leads nowhere; its door is on this machine.
        return {**outputs, **({"Address": HERE} if "Address" in outputs else {})}

    def _made(self, name: str, values: Mapping[str, str]) -> tuple[Mapping[str, str], str]:
        if name in self._standing:
            outputs, changed = self.deployer.update(name, values)
            self.changed += changed
            told = ", ".join(place.partition(".")[2] for place in changed)
            return outputs, f"changed {told}" if changed else "no changes"
        outputs = self.deployer.deploy([name], {name: values})[name]
        of = f"{name}."
        made = sum(place.startswith(of) for place in self.deployer.made)
        missing = [place for place in self.deployer.unmade if place.startswith(of)]
        self.changed += [place for place in self.deployer.made if place.startswith(of)]
        kinds = ", ".join(place.partition(".")[2] for place in missing)
        left = f", without {kinds}" if missing else ""
        return outputs, f"{made} resources{left}"

    def _brought(self, name: str) -> dict[str, str]:
        """Return the parameters of a stack that the operator's file holds."""
        environment = self.place.environment
        found: Deployment = load_deployment(self.file, environment, account=None)
        known = {
            "AlertsTo": found.alerts_to,
            "CertificateArn": found.certificate_arn,
            "Contact": found.contact,
            "Domain": found.domain,
        }
        wanted = self.deployer.templates[name].get("Parameters", {})
        return {key: value for key, value in known.items() if key in wanted}
