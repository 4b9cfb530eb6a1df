"""What is looked at before a deployment changes anything."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network

import boto3
from botocore.exceptions import ClientError

from cti_infra.config import PROJECT, ZONES
from cti_infra.deployment import Deployment
from cti_ops.errors import error_code, is_missing
from cti_ops.place import Answer, Place

# Of the stack Data, by their last part.
SECRETS = ("web-database", "worker-database", "redis", "first-administrator", "installation-key")
BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"
GONE = {"DELETE_COMPLETE", "REVIEW_IN_PROGRESS"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The tags that a deployment takes: of the product and, where there is one, of the model."""

    tag: str
    ollama: str | None

    def wanted(self) -> Iterator[tuple[str, str]]:
        """Yield each repository with a tag that it must have."""
        for name in ("web", "worker", "scheduler"):
            yield name, self.tag
        yield "web", f"proxy-{self.tag}"
        if self.ollama is not None:
            yield "ollama", self.ollama


def stack_status(place: Place, stack: str) -> str | None:
    """Return the state of a stack, None when it is not there."""
    try:
        found = place.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        # CloudFormation says so of whatever does not exist.
        if error_code(error) == "ValidationError":
            return None
        raise
    status = str(found[0]["StackStatus"]) if found else None
    return None if status in GONE else status


def region_faults(place: Place) -> Iterator[str]:
    """Yield what is wrong with the region: that of the credentials, and its zones."""
    wanted = place.environment.region
    set_to = boto3.session.Session().region_name
    if set_to not in {None, wanted}:
        where = "AWS_REGION" if os.environ.get("AWS_REGION") else "the profile"
        yield (
            f"region: {set_to} by {where}, and {place.environment.name} is in {wanted}; "
            f"set AWS_REGION={wanted}"
        )
    zones = place.client("ec2").describe_availability_zones(
        Filters=[{"Name": "state", "Values": ["available"]}]
    )["AvailabilityZones"]
    if len(zones) < ZONES:
        yield f"region: {wanted} has {len(zones)} zones for this account, and {ZONES} are needed"


def bootstrap_faults(place: Place, account: str) -> Iterator[str]:
    """Yield the regions where the toolkit has not been made ready."""
    environment = place.environment
    for region in filter(None, (environment.region, environment.recovery_region)):
        try:
            place.client("ssm", region).get_parameter(Name=BOOTSTRAP)
        except ClientError as error:
            if not is_missing(error):
                raise
            yield (
                f"toolkit: {region} is not ready for it; "
                f"./ctiscraper infra cdk bootstrap aws://{account}/{region}"
            )


def certificate_faults(place: Place, deployment: Deployment, now: datetime) -> Iterator[str]:
    """Yield what is wrong with the certificate of the load balancer."""
    arn = deployment.certificate_arn
    try:
        found = place.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    except ClientError as error:
        if not is_missing(error):
            raise
        yield (
            f"certificate: {arn} is not in {place.environment.region}; request one there "
            f"(aws acm request-certificate --domain-name {deployment.domain} "
            "--validation-method DNS)"
        )
        return
    if found["Status"] != "ISSUED":
        yield (
            f"certificate: it is {found['Status']}, not ISSUED; write the record that "
            "aws acm describe-certificate shows into the domain, and wait"
        )
    names = {found["DomainName"], *found.get("SubjectAlternativeNames", [])}
    wildcard = "*." + deployment.domain.partition(".")[2]
    if not names & {deployment.domain, wildcard}:
        yield (
            f"certificate: it is for {', '.join(sorted(names))}, not for {deployment.domain}; "
            "request one for that name"
        )
    if "NotAfter" in found and found["NotAfter"] <= now:
        yield f"certificate: it ended on {found['NotAfter']:%Y-%m-%d}; request another"


def network_faults(place: Place) -> Iterator[str]:
    """Yield networks of others in the region that overlap ours, and so can never be peered."""
    ours, name = place.environment.addresses.vpc, place.named("vpc")
    for vpc in place.client("ec2").describe_vpcs()["Vpcs"]:
        if {"Key": "Name", "Value": name} in vpc.get("Tags", []):
            continue
        blocks = [one["CidrBlock"] for one in vpc.get("CidrBlockAssociationSet", [])]
        for block in blocks or [vpc["CidrBlock"]]:
            if ip_network(block).overlaps(ours):
                yield (
                    f"network: {ours} overlaps {block} of {vpc['VpcId']}; give "
                    f"{place.environment.name} a free 10.x.0.0/16 in infra/cti_infra/config.py, "
                    "or remove that network"
                )


def secret_faults(place: Place) -> Iterator[str]:
    """Yield secrets that are not as the stack Data left them, or are in its way."""
    made = stack_status(place, place.named("data")) is not None
    for name in map(place.secret, SECRETS):
        found = _secret(place, name)
        if found is None and made:
            yield (
                f"secret: {name} is missing though {place.named('data')} made it; "
                "aws secretsmanager restore-secret brings one back that was deleted lately"
            )
        elif found is not None and found.get("DeletedDate"):
            yield (
                f"secret: {name} is to be deleted; "
                f"aws secretsmanager restore-secret --secret-id {name}"
            )
        elif found is not None and not made:
            yield (
                f"secret: {name} is there already, of an earlier installation; delete it "
                "(--force-delete-without-recovery), or import it into the stack"
            )
        elif found is not None and not _has_value(found):
            yield f"secret: {name} has no value; aws secretsmanager put-secret-value gives one"


def _secret(place: Place, name: str) -> Answer | None:
    try:
        found: Answer = place.client("secretsmanager").describe_secret(SecretId=name)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return found


def _has_value(secret: Answer) -> bool:
    stages: Mapping[str, list[str]] = secret.get("VersionIdsToStages", {})
    return any("AWSCURRENT" in names for names in stages.values())


def image_faults(place: Place, images: Images) -> Iterator[str]:
    """Yield images that nobody has pushed."""
    missing_repositories: set[str] = set()
    for name, tag in images.wanted():
        repository = f"{PROJECT}/{name}"
        try:
            place.client("ecr").describe_images(
                repositoryName=repository, imageIds=[{"imageTag": tag}]
            )
        except ClientError as error:
            if error_code(error) == "RepositoryNotFoundException":
                missing_repositories.add(repository)
            elif error_code(error) == "ImageNotFoundException":
                yield f"image: {repository}:{tag} is not in ECR; build it and push it"
            else:
                raise
    if missing_repositories:
        names = ", ".join(sorted(missing_repositories))
        yield (
            f"image: there is no repository {names} yet; './ctiscraper ops deploy --foundation' "
            "makes it, then push the images"
        )
