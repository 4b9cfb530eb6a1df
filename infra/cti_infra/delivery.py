"""The pipeline: a push is tested, built, migrated to and deployed, in that order."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cti_infra.app import Base
from cti_infra.config import PROJECT, Environment
from cti_infra.deployment import Deployment
from cti_infra.layer import Document, Layer, policy, role, statement
from cti_infra.registry import KEPT
from cti_infra.storage import closed_bucket, expiry_rule, only_over_tls, unfinished_rule

BUILD_IMAGE = "aws/codebuild/standard:7.0"
BRANCH = "main"
ARTIFACT_DAYS = 30
BOOTSTRAP = "cdk-hnb659fds"
ECR = '"$AWS_ACCOUNT_ID.dkr.ecr.$AWS_REGION.amazonaws.com"'
TAG = "TAG=$(printf %.12s $CODEBUILD_RESOLVED_SOURCE_VERSION)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A build of the pipeline: what it runs, and what it may do on AWS."""

    name: str
    commands: Sequence[str]
    rights: Sequence[Document]
    privileged: bool = False
    minutes: int = 60


class Delivery(Layer):
    """Source, test, images, release, approval in production, app."""

    def __init__(
        self,
        scope: Construct,
        environment: Environment,
        deployment: Deployment | None,
        *,
        base: Base,
    ) -> None:
        super().__init__(scope, "Delivery", environment, deployment, description="the pipeline")
        self._connection = self.given(
            "ConnectionArn",
            None,
            description="The connection to where the code is kept",
            pattern=r"arn:aws:(codeconnections|codestar-connections):[a-z0-9-]+:\d{12}:connection/.+",
        )
        self._code = self.given(
            "Repository",
            None,
            description="Owner and name of the repository",
            pattern=r"[\w.-]+/[\w.-]+",
        )
        self._artifacts = closed_bucket(
            self,
            "Artifacts",
            f"{PROJECT}-artifacts-{environment.name}-{self.account}",
            [expiry_rule(ARTIFACT_DAYS), unfinished_rule()],
            logged_to=base.data.storage.logs.ref,
        )
        s3.CfnBucketPolicy(
            self,
            "ArtifactsPolicy",
            bucket=self._artifacts.ref,
            policy_document=policy(only_over_tls(self._artifacts)),
        )
        self._log = logs.CfnLogGroup(
            self,
            "LogGroup",
            log_group_name=f"/aws/codebuild/{PROJECT}",
            retention_in_days=environment.log_days,
        )
        projects = {step.name: self._project(step) for step in self._steps(base)}
        self.pipeline = self._pipeline(projects)

    def _steps(self, base: Base) -> list[Step]:
        repositories = [base.registry.arn(name) for name in KEPT]
        subnets = ",".join(subnet.ref for subnet in base.network.private)
        network = (
            f"awsvpcConfiguration={{subnets=[{subnets}],"
            f"securityGroups=[{base.network.worker_sg.attr_group_id}],assignPublicIp=DISABLED}}"
        )
        toolkit = statement(
            ["sts:AssumeRole"],
            [
                f"arn:aws:iam::{self.account}:role/{BOOTSTRAP}-{kind}-role-{self.account}-*"
                for kind in ("deploy", "file-publishing", "lookup")
            ],
            sid="Toolkit",
        )
        return [
            Step(name="test", commands=["./ctiscraper test", "./ctiscraper infra test"], rights=[]),
            Step(
                name="images",
                commands=_image_commands(),
                rights=[
                    statement(["ecr:GetAuthorizationToken"], ["*"], sid="RegistryLogin"),
                    statement(
                        [
                            "ecr:BatchCheckLayerAvailability",
                            "ecr:CompleteLayerUpload",
                            "ecr:DescribeImages",
                            "ecr:InitiateLayerUpload",
                            "ecr:PutImage",
                            "ecr:UploadLayerPart",
                        ],
                        repositories,
                        sid="Push",
                    ),
                ],
                privileged=True,
            ),
            Step(
                name="release",
                commands=[
                    TAG,
                    self._deploy("release"),
                    f"CLUSTER={base.release.cluster.ref}",
                    f"./infra/migrate {self.named('migrate')} $CLUSTER '{network}'",
                ],
                rights=[toolkit, *self._run_migrations(base)],
            ),
            Step(
                name="app",
                commands=[TAG, self._deploy("app"), self._deploy("observability", tagged=False)],
                rights=[toolkit],
            ),
        ]

    def _deploy(self, stack: str, *, tagged: bool = True) -> str:
        name = self.named(stack)
        tag = f" --parameters {name}:ImageTag=$TAG" if tagged else ""
        return (
            f"./ctiscraper infra cdk deploy {name} --exclusively --require-approval never "
            f"-c environment={self.environment_settings.name}{tag}"
        )

    def _run_migrations(self, base: Base) -> list[Document]:
        """Return the right to run the task that migrates, with its roles, and to wait for it."""
        family = f"arn:aws:ecs:{self.region}:{self.account}:task-definition/{self.named('migrate')}"
        in_cluster = {"ArnEquals": {"ecs:cluster": base.release.cluster.attr_arn}}
        return [
            statement(["ecs:RunTask"], [f"{family}:*"], sid="Migrate", conditions=in_cluster),
            statement(["ecs:DescribeTasks"], ["*"], sid="Wait", conditions=in_cluster),
            statement(
                ["iam:PassRole"],
                [made.attr_arn for made in base.release.migrate_roles],
                sid="MigrateRoles",
                conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            ),
        ]

    def _project(self, step: Step) -> codebuild.CfnProject:
        own = [
            statement(
                ["logs:CreateLogStream", "logs:PutLogEvents"],
                [self._log.attr_arn],
                sid="Log",
            ),
            statement(
                ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
                [f"{self._artifacts.attr_arn}/*"],
                sid="Artifacts",
            ),
        ]
        name = step.name.title()
        taken = role(
            self,
            f"{name}Role",
            service="codebuild.amazonaws.com",
            description=f"The step {step.name} of the pipeline",
            statements=[*own, *step.rights],
        )
        spec = {
            "version": 0.2,
            "phases": {"build": {"on-failure": "ABORT", "commands": list(step.commands)}},
        }
        return codebuild.CfnProject(
            self,
            f"{name}Project",
            name=self.named(step.name),
            description=f"The step {step.name} of the pipeline",
            service_role=taken.attr_arn,
            encryption_key=f"arn:aws:kms:{self.region}:{self.account}:alias/aws/s3",
            artifacts=codebuild.CfnProject.ArtifactsProperty(type="CODEPIPELINE"),
            source=codebuild.CfnProject.SourceProperty(
                type="CODEPIPELINE", build_spec=self.to_json_string(spec)
            ),
            environment=codebuild.CfnProject.EnvironmentProperty(
                type="LINUX_CONTAINER",
                compute_type="BUILD_GENERAL1_MEDIUM",
                image=BUILD_IMAGE,
                # Images are built by Docker, which asks for it; nothing else is given it.
                privileged_mode=step.privileged,
                environment_variables=[
                    codebuild.CfnProject.EnvironmentVariableProperty(
                        name="AWS_ACCOUNT_ID", value=self.account
                    )
                ],
            ),
            logs_config=codebuild.CfnProject.LogsConfigProperty(
                cloud_watch_logs=codebuild.CfnProject.CloudWatchLogsConfigProperty(
                    status="ENABLED", group_name=self._log.ref
                )
            ),
            timeout_in_minutes=step.minutes,
        )

    def _pipeline(self, projects: dict[str, codebuild.CfnProject]) -> codepipeline.CfnPipeline:
        taken = self._pipeline_role(list(projects.values()))
        stages = [_stage("Source", [self._source()])]
        for name, project in projects.items():
            if name == "app" and self.environment_settings.production:
                stages.append(_stage("Approval", [_approval()]))
            stages.append(_stage(name.title(), [_build(name, project)]))
        return codepipeline.CfnPipeline(
            self,
            "Pipeline",
            name=self.named("pipeline"),
            pipeline_type="V2",
            # A newer push waits for the one before it: migrations never run side by side.
            execution_mode="QUEUED",
            role_arn=taken.attr_arn,
            artifact_store=codepipeline.CfnPipeline.ArtifactStoreProperty(
                type="S3", location=self._artifacts.ref
            ),
            stages=stages,
        )

    def _source(self) -> codepipeline.CfnPipeline.ActionDeclarationProperty:
        return codepipeline.CfnPipeline.ActionDeclarationProperty(
            name="Source",
            action_type_id=_kind("Source", "CodeStarSourceConnection"),
            configuration={
                "ConnectionArn": self._connection,
                "FullRepositoryId": self._code,
                "BranchName": BRANCH,
                "DetectChanges": "true",
            },
            output_artifacts=[codepipeline.CfnPipeline.OutputArtifactProperty(name="code")],
        )

    def _pipeline_role(self, projects: Sequence[codebuild.CfnProject]) -> iam.CfnRole:
        return role(
            self,
            "PipelineRole",
            service="codepipeline.amazonaws.com",
            description="Runs the pipeline",
            statements=[
                statement(
                    ["codeconnections:UseConnection", "codestar-connections:UseConnection"],
                    [self._connection],
                    sid="Source",
                ),
                statement(
                    ["codebuild:BatchGetBuilds", "codebuild:StartBuild"],
                    [project.attr_arn for project in projects],
                    sid="Steps",
                ),
                statement(
                    ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
                    [f"{self._artifacts.attr_arn}/*"],
                    sid="Artifacts",
                ),
                statement(
                    ["s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning"],
                    [self._artifacts.attr_arn],
                    sid="ArtifactsBucket",
                ),
            ],
        )


def _image_commands() -> list[str]:
    """Return what builds the two images once and pushes them under their commit."""
    # One command each: a loop ends as its last turn does, whatever failed before.
    images = [
        *(("product", name, "$TAG") for name in ("web", "worker", "scheduler")),
        ("proxy", "web", "proxy-$TAG"),
    ]
    # A commit that was pushed in part can be delivered again: its tags are never changed.
    push = []
    for image, name, tag in images:
        there = f"{ECR}/{PROJECT}/{name}:{tag}"
        push.append(f"docker tag {image} {there}")
        push.append(
            f"aws ecr describe-images --repository-name {PROJECT}/{name}"
            f" --image-ids imageTag={tag} >/dev/null 2>&1 || docker push {there}"
        )
    return [
        TAG,
        f"aws ecr get-login-password | docker login --username AWS --password-stdin {ECR}",
        "docker build --target product -t product .",
        "docker build --target proxy -t proxy .",
        *push,
    ]


def _kind(category: str, provider: str) -> codepipeline.CfnPipeline.ActionTypeIdProperty:
    owner = "AWS"
    return codepipeline.CfnPipeline.ActionTypeIdProperty(
        category=category, owner=owner, provider=provider, version="1"
    )


def _build(
    name: str, project: codebuild.CfnProject
) -> codepipeline.CfnPipeline.ActionDeclarationProperty:
    return codepipeline.CfnPipeline.ActionDeclarationProperty(
        name=name.title(),
        action_type_id=_kind("Build", "CodeBuild"),
        configuration={"ProjectName": project.ref},
        input_artifacts=[codepipeline.CfnPipeline.InputArtifactProperty(name="code")],
    )


def _approval() -> codepipeline.CfnPipeline.ActionDeclarationProperty:
    return codepipeline.CfnPipeline.ActionDeclarationProperty(
        name="Approval", action_type_id=_kind("Approval", "Manual")
    )


def _stage(
    name: str, actions: Sequence[codepipeline.CfnPipeline.ActionDeclarationProperty]
) -> codepipeline.CfnPipeline.StageDeclarationProperty:
    return codepipeline.CfnPipeline.StageDeclarationProperty(name=name, actions=list(actions))
