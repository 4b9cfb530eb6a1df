"""What deployments of the tests have in common."""

from typing import Any

import boto3

from cti_infra.config import ENVIRONMENTS
from emulation import Deployer
from emulation.calls import CREDENTIALS
from emulation.server import MOTO_LIMITS
from emulation.templates import Document

DOMAIN, IMAGE_TAG, MAIL = "cti.example.org", "0123456789ab", "on-call@example.org"


def client(address: str, service: str, region: str = "us-east-1") -> Any:
    return boto3.client(service, region_name=region, endpoint_url=address, **CREDENTIALS)


def certificate(address: str) -> str:
    """Return a certificate that was requested, as an operator does first."""
    answer = client(address, "acm").request_certificate(DomainName=DOMAIN, ValidationMethod="DNS")
    return str(answer["CertificateArn"])


def parameters(environment: str, certificate_arn: str) -> dict[str, dict[str, str]]:
    """Return what an operator brings."""
    # Where there is Ollama its model is asked, so that all that hangs on it is there as well.
    named = {"Model": "llama3.2"} if ENVIRONMENTS[environment].ollama else {}
    model = {**named, "OllamaTag": "0.9.0"} if named else {}
    connection = "arn:aws:codeconnections:us-east-1:123456789012:connection/"
    return {
        "baseline": {"AlertsTo": MAIL},
        "observability": {"AlertsTo": MAIL, **named},
        "release": {"ImageTag": IMAGE_TAG},
        "app": {
            "CertificateArn": certificate_arn,
            "Contact": "https://example.org/crawler",
            "Domain": DOMAIN,
            "ImageTag": IMAGE_TAG,
            **model,
        },
        "delivery": {
            "ConnectionArn": f"{connection}00000000-0000-0000-0000-000000000000",
            "Repository": "example/ctiscraper",
        },
    }


def deployer(
    environment: str,
    address: str,
    templates: dict[str, Document] | None = None,
    *,
    backwards: bool = False,
) -> Deployer:
    return Deployer(
        environment, address, templates=templates, without=MOTO_LIMITS, backwards=backwards
    )
