"""What the toolkit runs: -c environment=NAME, and to deploy -c deployment=FILE."""

import os
import sys
from pathlib import Path

import aws_cdk as cdk

from cti_infra.acknowledged import acknowledge, check
from cti_infra.config import environment_of
from cti_infra.deployment import load_deployment
from cti_infra.errors import SettingsError
from cti_infra.stacks import make_stacks


def main() -> None:
    """Synthesize the stacks of one environment. Raises SettingsError."""
    app = cdk.App(analytics_reporting=False)
    environment = environment_of(str(app.node.try_get_context("environment") or ""))
    file = app.node.try_get_context("deployment")
    deployment = None
    if file:
        # The toolkit tells whose credentials it found.
        account = os.environ.get("CDK_DEFAULT_ACCOUNT")
        deployment = load_deployment(Path(str(file)), environment, account=account)
    check(app)
    acknowledge(make_stacks(app, environment, deployment))
    app.synth()


if __name__ == "__main__":
    try:
        main()
    except SettingsError as error:
        sys.exit(str(error))
