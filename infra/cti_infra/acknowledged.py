"""What AwsSolutions finds and is meant to be so, each with its reason."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from cti_infra.backups import BACKUP_POLICY
from cti_infra.config import Environment
from cti_infra.layer import Layer, logical
from cti_infra.models import WORKER
from cti_infra.rollout import ROLE_POLICY

if TYPE_CHECKING:
    from constructs import IConstruct

_ACCOUNT = "<AWS::AccountId>"
_RAW = (
    "AwsSolutions-IAM5[Resource::cti-scraper-{name}-data:"
    "ExportsOutputFnGetAttDataBucketArn8D876988/raw/*]"
)
_LOG = (
    "AwsSolutions-IAM5[Resource::arn:aws:logs:{region}:<AWS::AccountId>:"
    "log-group:/aws/ecs/cti-scraper/%s:*]"
)
_ANY = "AwsSolutions-IAM5[Resource::*]"
_PLAIN = "AwsSolutions-ECS2"

_OWN_TASKS = (
    "AwsSolutions-IAM5[Resource::arn:aws:ecs:{region}:<AWS::AccountId>:task/"
    "cti-scraper-{name}-release:ExportsOutputRefClusterABE85976/*]"
)
_SERVICES = ("web", "worker", "scheduler", WORKER, "ollama")

_PROTECTED = "A task asks for itself, by an id that is not known before; of one cluster"
_LOGIN = "The token of the registry, and X-Ray's calls, know no resource to be limited to"
_STREAMS = "Streams of the service's own log group; their names hold the ids of tasks"
_PAGES = "Raw pages below one prefix; their names are the hashes of their content"
_SHOWN = "Nothing secret is in a variable: secrets go to the container that writes them to files"
_OBJECTS = "Every object of the artifacts, whose names the pipeline chooses"
_TOOLKIT_WHY = "Roles of the toolkit's bootstrap, which end in the region"
_TURNS = "The policy that ECS documents for moving requests between groups of targets"
_ROLLED = (
    "Renewed by the runbook secrets.md with a migration: services read a secret at their start"
)

_TOOLKIT = [
    (
        (
            f"AwsSolutions-IAM5[Resource::arn:aws:iam::{_ACCOUNT}:role/"
            f"cdk-hnb659fds-{kind}-role-{_ACCOUNT}-*]"
        ),
        _TOOLKIT_WHY,
    )
    for kind in ("deploy", "file-publishing", "lookup")
]

# By stack and construct: the rules, and why what they ask is not so.
ACKNOWLEDGED: Mapping[str, Mapping[str, Sequence[tuple[str, str]]]] = {
    "Baseline": {
        "TrailBucket": [
            ("AwsSolutions-S1", "The trail itself records who asks for it; a log of it would loop")
        ]
    },
    "Dr": {
        "ReplicaBucket": [
            ("AwsSolutions-S1", "Written by S3 alone and read in a drill; the trail records both")
        ]
    },
    "Network": {
        **{
            f"DatabaseAcl{part}": [
                ("AwsSolutions-VPC3", "The plan asks for network ACLs beside security groups")
            ]
            for part in ("", "In1", "In2", "In3", "In4", "Out5", "Out6")
        },
        **{
            f"AlbFromInternet{scheme}": [
                ("AwsSolutions-EC23", "The load balancer is what the internet is to reach")
            ]
            for scheme in ("Http", "Https")
        },
    },
    "Data": {
        **{
            f"{secret}Secret": [("AwsSolutions-SMG4", _ROLLED)]
            for secret in ("WebDatabase", "WorkerDatabase", "Redis")
        },
        "FirstAdministratorSecret": [
            ("AwsSolutions-SMG4", "Read once, by the first migration; the program asks for another")
        ],
        "InstallationKeySecret": [
            ("AwsSolutions-SMG4", "Another key would make every second factor void")
        ],
        "ReplicationRole": [
            (
                f"AwsSolutions-IAM5[Resource::arn:aws:s3:::{bucket}/*]",
                "All that is stored is to be copied",
            )
            for bucket in (
                f"cti-scraper-data-{{name}}-{_ACCOUNT}",
                f"cti-scraper-data-{{name}}-{_ACCOUNT}-replica",
            )
        ],
        "DatabaseMonitoringRole": [
            (
                (
                    "AwsSolutions-IAM4[Policy::arn:aws:iam::aws:policy/service-role/"
                    "AmazonRDSEnhancedMonitoringRole]"
                ),
                "The policy that RDS documents for enhanced monitoring",
            )
        ],
        "BackupRole": [
            (
                f"AwsSolutions-IAM4[Policy::{BACKUP_POLICY}]",
                "The policy that AWS Backup documents for making copies",
            )
        ],
        "Database": [
            ("AwsSolutions-RDS11", "Another port hides nothing: security groups name who comes in")
        ],
        "Redis": [
            ("AwsSolutions-AEC4", "The plan has one node: rings that are lost are rung again"),
            ("AwsSolutions-AEC5", "Another port hides nothing: security groups name who comes in"),
        ],
    },
    "Release": {
        "MigrateExecutionRole": [(_ANY, _LOGIN), (_LOG % "release", _STREAMS)],
        "Migrate": [(_PLAIN, _SHOWN)],
        "AdminExecutionRole": [(_ANY, _LOGIN), (_LOG % "release", _STREAMS)],
        "AdminTaskRole": [(_RAW, _PAGES)],
        "Admin": [(_PLAIN, _SHOWN)],
    },
    "App": {
        **{f"{logical(name)}Task": [(_PLAIN, _SHOWN)] for name in _SERVICES},
        **{
            f"{logical(name)}ExecutionRole": [(_ANY, _LOGIN), (_LOG % name, _STREAMS)]
            for name in _SERVICES
        },
        "ModelWorkerTaskRole": [(_ANY, _LOGIN), (_OWN_TASKS, _PROTECTED)],
        **{
            f"{name}TaskRole": [(_ANY, _LOGIN), (_RAW, _PAGES)]
            for name in ("Web", "Worker", "Scheduler")
        },
    },
    "Delivery": {
        **{
            f"{step}Role": [("AwsSolutions-IAM5[Resource::<Artifacts.Arn>/*]", _OBJECTS), *further]
            for step, further in {
                "Test": [],
                "Images": [(_ANY, _LOGIN)],
                "Release": [
                    *_TOOLKIT,
                    (_ANY, "Tasks are asked for by ids that are not known before; of one cluster"),
                    (
                        (
                            "AwsSolutions-IAM5[Resource::arn:aws:ecs:{region}:<AWS::AccountId>:"
                            "task-definition/cti-scraper-{name}-migrate:*]"
                        ),
                        "Every revision of the one task that migrates",
                    ),
                ],
                "App": _TOOLKIT,
                "Pipeline": [],
            }.items()
        }
    },
}


def acknowledged(environment: Environment) -> Iterator[tuple[str, str, str, str]]:
    """Return stack, construct, rule and reason of all that may be found in an environment."""
    for stack, constructs in ACKNOWLEDGED.items():
        region = environment.recovery_region if stack == "Dr" else environment.region
        for construct, rules in constructs.items():
            for rule, reason in rules:
                said = rule.replace("{name}", environment.name).replace("{region}", region or "")
                yield stack, construct, said, reason
    if not environment.database.multi_az:
        why = "One zone is enough where nobody works: the plan asks it of production"
        yield "Data", "Database", "AwsSolutions-RDS3", why
    if environment.blue_green:
        yield "App", "WebRolloutRole", f"AwsSolutions-IAM4[Policy::{ROLE_POLICY}]", _TURNS
    if not environment.database.protected:
        yield "Data", "Database", "AwsSolutions-RDS10", "Made to be removed and made anew"


def check(app: cdk.App) -> None:
    """Have the synthesis of an app fail by what AwsSolutions finds."""
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks())


def acknowledge(stacks: Sequence[Layer]) -> None:
    """Mark what is meant to be so, on the one construct that it is about."""
    by_name = {type(stack).__name__: stack for stack in stacks}
    # Where a deployment names the account, so does what is found.
    deployment = stacks[0].deployment
    account = deployment.account if deployment else _ACCOUNT
    for name, construct, rule, reason in acknowledged(stacks[0].environment_settings):
        stack = by_name.get(name)
        found: IConstruct | None = stack.node.try_find_child(construct) if stack else None
        if found is not None:
            said = rule.replace(_ACCOUNT, account)
            cdk.Validations.of(found).acknowledge(cdk.Acknowledgment(id=said, reason=reason))
