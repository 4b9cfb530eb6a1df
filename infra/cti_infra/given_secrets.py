"""Secrets that an operator made himself, by their ARNs."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cti_infra.config import Environment

if TYPE_CHECKING:
    from cti_infra.deployment import Deployment

_SECRET = re.compile(
    r"arn:aws:secretsmanager:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):secret:[\w/+=.@-]+"
)


def secret_faults(
    field: str, arn: str, deployment: "Deployment", environment: Environment
) -> Iterator[str]:
    """Yield why tasks cannot be given a secret, nothing where none is named."""
    if not arn:
        return
    found = _SECRET.fullmatch(arn)
    if found is None:
        yield f"{field}: {arn!r} should read arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-ID"
    elif (found["region"], found["account"]) != (environment.region, deployment.account):
        yield (
            f"{field}: it is of {found['region']} and {found['account']}; tasks read "
            f"those of {environment.region} and {deployment.account}"
        )
