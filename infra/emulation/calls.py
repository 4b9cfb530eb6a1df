"""Calls to AWS, or to what emulates it, made of the properties of templates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config

from emulation.errors import DeploymentError
from emulation.shapes import Renames, member_of, shaped
from emulation.templates import Document

# Of the field's emulators; no request leaves for AWS with them.
CREDENTIALS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
# Path style: names of buckets are no hosts here.
_CONFIG = Config(
    retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, parameter_validation=True
)


class Calls:
    """The services of one region at one endpoint."""

    def __init__(self, endpoint: str, region: str) -> None:
        self.endpoint, self.region = endpoint, region
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Return the client of a service."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                region_name=self.region,
                endpoint_url=self.endpoint,
                config=_CONFIG,
                **CREDENTIALS,
            )
        return self._clients[service]


@dataclass(kw_only=True)
class Task:
    """One resource to be made: its evaluated properties, and which of them had a place."""

    place: str
    type: str
    calls: Calls
    account: str
    properties: Document
    placed: set[str] = field(default_factory=set)
    # Below the first level.
    astray: list[str] = field(default_factory=list)

    @property
    def region(self) -> str:
        """The region of the stack."""
        return self.calls.region

    @property
    def name(self) -> str:
        """A name for what the template gives none."""
        return self.place.replace(".", "-").lower()

    @property
    def unplaced(self) -> list[str]:
        """The properties that no call took."""
        return sorted({*(set(self.properties) - self.placed), *self.astray})

    def error(self, reason: str) -> DeploymentError:
        """Return what to raise."""
        return DeploymentError(self.place, reason)

    def take(self, name: str, default: Any = None) -> Any:
        """Return a property that is placed by hand."""
        self.placed.add(name)
        return self.properties.get(name, default)

    def call(self, service: str, operation: str, **arguments: Any) -> Document:
        """Return what an operation answers."""
        answer: Document = getattr(self.calls.client(service), operation)(**arguments)
        return answer

    def send(
        self,
        service: str,
        operation: str,
        fixed: Mapping[str, Any] | None = None,
        *,
        renames: Renames | None = None,
        within: str | None = None,
    ) -> Document:
        """Return the answer to a call with every property that it has a place for.

        `within` is the member of the request that holds the properties.
        """
        client = self.calls.client(service)
        model = client.meta.service_model.operation_model(
            client.meta.method_to_api_mapping[operation]
        )
        shape = model.input_shape.members[within] if within else model.input_shape
        known = {
            name: value
            for name, value in self.properties.items()
            if name not in self.placed and member_of(shape, name, renames or {})
        }
        self.placed.update(known)
        request = shaped(known, shape, renames=renames or {}, path="", unplaced=self.astray)
        # Booleans that are false and numbers that are nought are told as well; empty names are not.
        arguments = {**({within: request} if within else request), **(fixed or {})}
        return self.call(service, operation, **arguments)
