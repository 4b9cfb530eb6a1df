"""The roles of tasks: what starts a task, and what runs inside it."""

from collections.abc import Sequence

from aws_cdk import aws_iam as iam

from cti_infra.data import Data
from cti_infra.layer import Document, Layer, role, statement
from cti_infra.storage import RAW_PREFIX

TASKS = "ecs-tasks.amazonaws.com"
METRICS_NAMESPACE = "CTIScraper"


def execution_role(
    stack: Layer,
    name: str,
    *,
    repositories: Sequence[str],
    log_group: str,
    secrets: Sequence[str] = (),
    key: str | None = None,
) -> iam.CfnRole:
    """Return the role by which a task is started: its images, its log and its own secrets."""
    statements = [
        # A token for the registry as a whole; there is none for one repository.
        statement(["ecr:GetAuthorizationToken"], ["*"], sid="RegistryLogin"),
        statement(
            [
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
            ],
            repositories,
            sid="Images",
        ),
        statement(["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log_group}:*"], sid="Log"),
    ]
    if secrets:
        assert key is not None, "secrets are encrypted by it"
        statements += [
            statement(["secretsmanager:GetSecretValue"], secrets, sid="Secrets"),
            statement(
                ["kms:Decrypt"],
                [key],
                sid="SecretsKey",
                conditions={
                    "StringEquals": {
                        "kms:ViaService": f"secretsmanager.{stack.region}.amazonaws.com"
                    }
                },
            ),
        ]
    return role(
        stack,
        f"{name}ExecutionRole",
        service=TASKS,
        description=f"Starts {name} tasks",
        statements=statements,
    )


def task_role(
    stack: Layer, name: str, statements: Sequence[Document], *, traces: bool = True
) -> iam.CfnRole:
    """Return the role of what runs in a task."""
    return role(
        stack,
        f"{name}TaskRole",
        service=TASKS,
        description=f"What {name} may do on AWS",
        statements=[*statements, *([_TRACES] if traces else [])],
    )


# X-Ray knows no resources for these.
_TRACES = statement(
    [
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
        "xray:GetSamplingRules",
        "xray:GetSamplingTargets",
    ],
    ["*"],
    sid="Traces",
)


def raw_pages(data: Data, *actions: str) -> list[Document]:
    """Return the right to do some things to raw pages, and to list them alone."""
    bucket = data.storage.data.attr_arn
    return [
        statement([f"s3:{action}" for action in actions], [f"{bucket}/{RAW_PREFIX}/*"], sid="Raw"),
        # Who may list is told that a page is not there; to others S3 says that they may not ask.
        # That question names no prefix, hence IfExists.
        statement(
            ["s3:ListBucket"],
            [bucket],
            sid="RawNames",
            conditions={"StringLikeIfExists": {"s3:prefix": f"{RAW_PREFIX}/*"}},
        ),
    ]


def own_metrics() -> Document:
    """Return the right to publish metrics of the product's namespace alone."""
    return statement(
        ["cloudwatch:PutMetricData"],
        ["*"],
        sid="OwnMetrics",
        conditions={"StringEquals": {"cloudwatch:namespace": METRICS_NAMESPACE}},
    )
