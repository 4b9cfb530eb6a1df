"""What a lost region leaves taken is taken: the environment that replaces it has other names."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from cti_infra.config import ENVIRONMENTS, PROD, addresses, environment_of
from cti_infra.rendering import templates

# As docs/runbooks/restore.md has an operator write it.
RECOVERY = replace(
    PROD,
    name="recovery",
    region="us-west-2",
    recovery_region=None,
    addresses=addresses(3, nat_gateways=2),
)
# Named in the whole world, or in the account whatever the region.
GLOBAL = {
    "AWS::S3::Bucket": "BucketName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::RDS::DBInstance": "DBInstanceIdentifier",
}


def names(made: dict[str, dict[str, object]]) -> Iterator[str]:
    for template in made.values():
        resources = template["Resources"]
        assert isinstance(resources, dict)
        for one in resources.values():
            if (name := one.get("Properties", {}).get(GLOBAL.get(one["Type"], ""))) is not None:
                yield json.dumps([one["Type"], name])


def test_a_region_is_replaced_beside_what_is_left_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENTS, "recovery", RECOVERY)
    there, here = set(names(templates(PROD))), set(names(templates(environment_of("recovery"))))
    assert len(there) > 5
    assert len(here) >= 5
    assert there & here == set()
