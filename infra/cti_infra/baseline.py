"""What guards the account itself: its trail, its findings, and what it may cost."""

from aws_cdk import aws_accessanalyzer as accessanalyzer
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudtrail as cloudtrail
from aws_cdk import aws_config as config
from aws_cdk import aws_guardduty as guardduty
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_securityhub as securityhub
from constructs import Construct

from cti_infra.config import PROJECT, Environment
from cti_infra.deployment import Deployment
from cti_infra.layer import Document, Layer, policy
from cti_infra.storage import closed_bucket, expiry_rule, only_over_tls, unfinished_rule

TRAIL_DAYS = 400
# What AWS Config looks at again and again, by the names of its own rules.
CONFIG_RULES = (
    "CLOUD_TRAIL_ENABLED",
    "DB_INSTANCE_BACKUP_ENABLED",
    "ENCRYPTED_VOLUMES",
    "RDS_INSTANCE_PUBLIC_ACCESS_CHECK",
    "RDS_MULTI_AZ_SUPPORT",
    "RDS_STORAGE_ENCRYPTED",
    "ROOT_ACCOUNT_MFA_ENABLED",
    "S3_BUCKET_PUBLIC_READ_PROHIBITED",
    "S3_BUCKET_SSL_REQUESTS_ONLY",
    "S3_BUCKET_VERSIONING_ENABLED",
    "VPC_DEFAULT_SECURITY_GROUP_CLOSED",
    "VPC_FLOW_LOGS_ENABLED",
)


class Baseline(Layer):
    """A budget always; trail, Config, GuardDuty and Security Hub where nobody else has them on."""

    def __init__(
        self, scope: Construct, environment: Environment, deployment: Deployment | None
    ) -> None:
        super().__init__(
            scope, "Baseline", environment, deployment, description="guards of the account"
        )
        self._budget(
            self.given(
                "AlertsTo",
                "alerts_to",
                description="Mail address that is told of costs",
                pattern=r"[^@\s]+@[^@\s]+",
            )
        )
        if environment.compliance:
            bucket = self._bucket()
            self._trail(bucket)
            self._config(bucket)
            guardduty.CfnDetector(
                self, "GuardDuty", enable=True, finding_publishing_frequency="FIFTEEN_MINUTES"
            )
            securityhub.CfnHub(self, "SecurityHub", enable_default_standards=True)
            accessanalyzer.CfnAnalyzer(
                self, "AccessAnalyzer", analyzer_name=self.named("access"), type="ACCOUNT"
            )

    def _budget(self, mail: str) -> None:
        def told(kind: str, percent: int) -> budgets.CfnBudget.NotificationWithSubscribersProperty:
            return budgets.CfnBudget.NotificationWithSubscribersProperty(
                notification=budgets.CfnBudget.NotificationProperty(
                    notification_type=kind,
                    comparison_operator="GREATER_THAN",
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                ),
                subscribers=[
                    budgets.CfnBudget.SubscriberProperty(subscription_type="EMAIL", address=mail)
                ],
            )

        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=self.named("monthly"),
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(
                    amount=self.environment_settings.monthly_budget, unit="USD"
                ),
            ),
            notifications_with_subscribers=[told("ACTUAL", 80), told("FORECASTED", 100)],
        )

    def _bucket(self) -> s3.CfnBucket:
        bucket = closed_bucket(
            self,
            "TrailBucket",
            f"{PROJECT}-trail-{self.environment_settings.name}-{self.account}",
            [expiry_rule(TRAIL_DAYS), unfinished_rule()],
        )
        self._bucket_policy = s3.CfnBucketPolicy(
            self,
            "TrailBucketPolicy",
            bucket=bucket.ref,
            policy_document=policy(
                only_over_tls(bucket),
                *self._deliveries(bucket, "cloudtrail.amazonaws.com"),
                *self._deliveries(bucket, "config.amazonaws.com"),
            ),
        )
        return bucket

    def _deliveries(self, bucket: s3.CfnBucket, service: str) -> list[Document]:
        """Return what a service needs to write below the folder of this account."""
        ours = {"StringEquals": {"aws:SourceAccount": self.account}}
        if service.startswith("cloudtrail"):
            ours = {"StringEquals": {"aws:SourceArn": self._trail_arn}}
        return [
            {
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": ["s3:GetBucketAcl", "s3:ListBucket"],
                "Resource": bucket.attr_arn,
                "Condition": ours,
            },
            {
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "s3:PutObject",
                "Resource": f"{bucket.attr_arn}/AWSLogs/{self.account}/*",
                "Condition": ours,
            },
        ]

    @property
    def _trail_arn(self) -> str:
        return f"arn:aws:cloudtrail:{self.region}:{self.account}:trail/{self.named('trail')}"

    def _trail(self, bucket: s3.CfnBucket) -> None:
        trail = cloudtrail.CfnTrail(
            self,
            "Trail",
            trail_name=self.named("trail"),
            s3_bucket_name=bucket.ref,
            is_logging=True,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_log_file_validation=True,
        )
        trail.add_resource_dependency(self._bucket_policy)

    def _config(self, bucket: s3.CfnBucket) -> None:
        recorder = config.CfnConfigurationRecorder(
            self,
            "Recorder",
            role_arn=(
                f"arn:aws:iam::{self.account}:role/aws-service-role/config.amazonaws.com/"
                "AWSServiceRoleForConfig"
            ),
            recording_group=config.CfnConfigurationRecorder.RecordingGroupProperty(
                all_supported=True, include_global_resource_types=True
            ),
        )
        channel = config.CfnDeliveryChannel(self, "Channel", s3_bucket_name=bucket.ref)
        channel.add_resource_dependency(self._bucket_policy)
        for name in CONFIG_RULES:
            rule = config.CfnConfigRule(
                self,
                "".join(part.title() for part in name.split("_")) + "Rule",
                config_rule_name=self.named(name.lower().replace("_", "-")),
                source=config.CfnConfigRule.SourceProperty(owner="AWS", source_identifier=name),
            )
            rule.add_resource_dependency(recorder)
