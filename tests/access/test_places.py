"""An address that settings name is one that can be trusted to vouch for people."""

import pytest

from ctiscraper.access.places import is_safe_address, key_place
from ctiscraper.errors import SettingsError

ARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/cti/50dc6c495c0c9188"


@pytest.mark.parametrize(
    ("address", "is_safe"),
    [
        ("https://id.example", True),
        ("http://127.0.0.1:8080/x", True),
        ("http://[::1]/x", True),
        ("http://localhost/x", False),
        ("http://id.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("https://", False),
        ("ftp://id.example", False),
        ("http://[::1", False),
    ],
)
def test_only_https_or_this_machine_is_safe(address: str, *, is_safe: bool) -> None:
    assert is_safe_address(address) is is_safe


@pytest.mark.parametrize(
    ("arn", "place"),
    [
        (ARN, "https://public-keys.auth.elb.eu-central-1.amazonaws.com/"),
        (
            ARN.replace("aws:", "aws-us-gov:", 1).replace("eu-central-1", "us-gov-west-1"),
            "https://s3-us-gov-west-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-west-1/",
        ),
    ],
)
def test_keys_are_where_aws_publishes_those_of_the_region(arn: str, place: str) -> None:
    assert key_place(arn) == place


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "arn:aws:iam::123456789012:role/x",
        ARN.replace("/app/", "/net/"),
        ARN.replace("eu-central-1", "evil.example/"),
        f"{ARN}\n",
    ],
)
def test_only_the_arn_of_such_a_balancer_is_taken(arn: str) -> None:
    with pytest.raises(SettingsError, match="CTISCRAPER_ALB_ARN"):
        key_place(arn)
