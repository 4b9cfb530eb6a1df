"""What every stack of the system has in common."""

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from cti_infra.config import PROJECT, Environment
from cti_infra.deployment import Deployment

Document = dict[str, Any]


class Layer(cdk.Stack):
    """A stack of one environment: named after it, tagged, and without assets to publish first."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        environment: Environment,
        deployment: Deployment | None,
        *,
        description: str,
        region: str | None = None,
    ) -> None:
        super().__init__(
            scope,
            f"{PROJECT}-{environment.name}-{name.lower()}",
            description=f"CTIScraper {environment.name}: {description}",
            env=cdk.Environment(
                account=deployment.account if deployment else None,
                region=region or environment.region,
            ),
            # Without the rule, who has no toolkit can deploy the templates as well.
            synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
            termination_protection=environment.database.protected,
        )
        self.environment_settings = environment
        self.deployment = deployment
        for key, value in (("Project", PROJECT), ("Environment", environment.name)):
            cdk.Tags.of(self).add(key, value)

    def named(self, name: str) -> str:
        """Return a name of this project and environment."""
        return f"{PROJECT}-{self.environment_settings.name}-{name}"

    def log_name(self, name: str) -> str:
        """Return the name of the log group of a service, as the plan has it."""
        return f"/aws/ecs/{PROJECT}/{name}"

    def log_group_arn(self, name: str) -> str:
        """Return the ARN of the log group of a service."""
        return f"arn:aws:logs:{self.region}:{self.account}:log-group:{self.log_name(name)}"

    def given(
        self,
        name: str,
        field: str | None,
        *,
        description: str,
        pattern: str,
        default: str | None = None,
    ) -> str:
        """Return a parameter, which holds that field of the deployment if something is in it."""
        known = getattr(self.deployment, field) if self.deployment and field else None
        parameter = cdk.CfnParameter(
            self,
            name,
            type="String",
            description=description,
            allowed_pattern=pattern,
            default=known or default,
        )
        return parameter.value_as_string

    def tell(self, name: str, value: str, description: str) -> None:
        """Show a value where the stack is deployed."""
        cdk.CfnOutput(self, name, value=value, description=description)


def logical(name: str) -> str:
    """Return a name as it stands in those of resources."""
    return name.title().replace("-", "")


def statement(
    actions: Sequence[str],
    resources: Sequence[str],
    *,
    sid: str | None = None,
    conditions: Mapping[str, object] | None = None,
) -> Document:
    """Return a statement that allows actions on resources."""
    return {
        **({"Sid": sid} if sid else {}),
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": list(resources),
        **({"Condition": dict(conditions)} if conditions else {}),
    }


def policy(*statements: Document) -> Document:
    """Return the document of a policy."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust(service: str, account: str | None = None) -> Document:
    """Return who may take a role: a service, on behalf of this account alone."""
    said: Document = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    if account is not None:
        said["Condition"] = {"StringEquals": {"aws:SourceAccount": account}}
    return policy(said)


def role(
    stack: Layer,
    name: str,
    *,
    service: str,
    description: str,
    statements: Sequence[Document] = (),
    managed: Sequence[str] = (),
) -> iam.CfnRole:
    """Return a role that a service takes, with these rights and no others."""
    return iam.CfnRole(
        stack,
        name,
        description=description,
        assume_role_policy_document=trust(service, stack.account),
        managed_policy_arns=list(managed) or None,
        policies=[
            iam.CfnRole.PolicyProperty(policy_name="own", policy_document=policy(*statements))
        ]
        if statements
        else None,
    )


def keep(resource: cdk.CfnResource) -> None:
    """Leave a resource where it is when its stack goes."""
    resource.cfn_options.deletion_policy = cdk.CfnDeletionPolicy.RETAIN
    resource.cfn_options.update_replace_policy = cdk.CfnDeletionPolicy.RETAIN


def own_key(stack: Layer, name: str, description: str, *further: Document) -> kms.CfnKey:
    """Return a key that is renewed each year; who may use it, roles and `further` say."""
    key = kms.CfnKey(
        stack,
        name,
        description=f"CTIScraper {stack.environment_settings.name}: {description}",
        enable_key_rotation=True,
        key_policy=policy(
            {
                "Sid": "RightsAreGivenByRoles",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{stack.account}:root"},
                "Action": "kms:*",
                "Resource": "*",
            },
            *further,
        ),
    )
    keep(key)
    return key
