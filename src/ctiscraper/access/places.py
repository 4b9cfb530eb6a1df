"""Where those are asked who vouch for people.

Settings are checked by this, and every process reads them: it imports nothing of cryptography.
"""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from ctiscraper.errors import SettingsError

_ARN = re.compile(
    r"arn:(?P<partition>aws|aws-us-gov):elasticloadbalancing:(?P<region>[a-z0-9-]{3,40}):\d{12}:"
    r"loadbalancer/app/[A-Za-z0-9-]{1,32}/[0-9a-f]{16}"
)
_KEYS_AT = {
    "aws": "https://public-keys.auth.elb.{region}.amazonaws.com/",
    "aws-us-gov": "https://s3-{region}.amazonaws.com/aws-elb-public-keys-prod-{region}/",
}


def is_safe_address(address: str) -> bool:
    """Return whether an address is https; on this machine itself http will do."""
    try:
        parts = urlsplit(address)
        if parts.scheme == "https":
            return bool(parts.hostname)
        return parts.scheme == "http" and ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def key_place(arn: str) -> str:
    """Return where the public keys of a balancer's region are. Raises SettingsError."""
    found = _ARN.fullmatch(arn)
    if found is None:
        raise SettingsError(
            f"CTISCRAPER_ALB_ARN: {arn!r} is not the ARN of an application load balancer: "
            "arn:aws:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/app/NAME/ID"
        )
    return _KEYS_AT[found["partition"]].format(region=found["region"])
