"""All stacks of an environment, in the order in which they are deployed."""

from collections.abc import Iterator

from constructs import Construct

from cti_infra.app import App, Base
from cti_infra.baseline import Baseline
from cti_infra.config import Environment, checked
from cti_infra.data import Data
from cti_infra.delivery import Delivery
from cti_infra.deployment import Deployment
from cti_infra.dr import Dr
from cti_infra.layer import Layer
from cti_infra.network import Network
from cti_infra.observability import Observability
from cti_infra.registry import Registry
from cti_infra.release import Release


def make_stacks(
    scope: Construct, environment: Environment, deployment: Deployment | None = None
) -> tuple[Layer, ...]:
    """Return the stacks of an environment. Raises SettingsError."""
    return tuple(_make(scope, checked(environment), deployment))


def _make(
    scope: Construct, environment: Environment, deployment: Deployment | None
) -> Iterator[Layer]:
    yield Baseline(scope, environment, deployment)
    network = Network(scope, environment, deployment)
    yield network
    registry = Registry(scope, environment, deployment)
    yield registry
    copies = Dr(scope, environment, deployment) if environment.recovery_region else None
    if copies:
        yield copies
    data = Data(scope, environment, deployment, network=network)
    if copies:
        # Replication is refused while its target is not there.
        data.add_stack_dependency(copies)
    yield data
    release = Release(scope, environment, deployment, registry=registry, data=data)
    yield release
    base = Base(network=network, registry=registry, data=data, release=release)
    app = App(scope, environment, deployment, base=base)
    yield app
    yield Observability(scope, environment, deployment, base=base, app=app)
    yield Delivery(scope, environment, deployment, base=base)
