"""The buckets: application data, and the logs of who asked for what."""

from collections.abc import Sequence

from aws_cdk import aws_s3 as s3

from cti_infra.config import PROJECT
from cti_infra.layer import Document, Layer, keep, policy, role, statement

# Raw pages are below this prefix; the product's retention removes them by itself.
RAW_PREFIX = "raw"
OLD_VERSION_DAYS = 90
UNFINISHED_DAYS = 7
LEAST_LOG_DAYS = 30


def data_bucket(environment: str, account: str) -> str:
    """Return the name of the bucket of application data; names are the world's, so ours ends so."""
    return f"{PROJECT}-data-{environment}-{account}"


def replica_bucket(environment: str, account: str) -> str:
    """Return the name of the bucket in the other region that holds copies."""
    return f"{data_bucket(environment, account)}-replica"


def only_over_tls(bucket: s3.CfnBucket) -> Document:
    """Return the statement that refuses whoever asks without TLS."""
    return {
        "Sid": "OnlyOverTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket.attr_arn, f"{bucket.attr_arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def closed_bucket(
    stack: Layer,
    logical: str,
    name: str,
    rules: Sequence[s3.CfnBucket.RuleProperty],
    *,
    logged_to: str | None = None,
    replication: s3.CfnBucket.ReplicationConfigurationProperty | None = None,
) -> s3.CfnBucket:
    """Return a bucket that is encrypted, versioned, and nobody's but the account's."""
    made = s3.CfnBucket(
        stack,
        logical,
        bucket_name=name,
        bucket_encryption=s3.CfnBucket.BucketEncryptionProperty(
            server_side_encryption_configuration=[
                s3.CfnBucket.ServerSideEncryptionRuleProperty(
                    server_side_encryption_by_default=s3.CfnBucket.ServerSideEncryptionByDefaultProperty(
                        sse_algorithm="AES256"
                    )
                )
            ]
        ),
        public_access_block_configuration=s3.CfnBucket.PublicAccessBlockConfigurationProperty(
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
        ),
        ownership_controls=s3.CfnBucket.OwnershipControlsProperty(
            rules=[
                s3.CfnBucket.OwnershipControlsRuleProperty(object_ownership="BucketOwnerEnforced")
            ]
        ),
        versioning_configuration=s3.CfnBucket.VersioningConfigurationProperty(status="Enabled"),
        lifecycle_configuration=s3.CfnBucket.LifecycleConfigurationProperty(rules=list(rules)),
        logging_configuration=s3.CfnBucket.LoggingConfigurationProperty(
            destination_bucket_name=logged_to, log_file_prefix="s3/"
        )
        if logged_to
        else None,
        replication_configuration=replication,
    )
    keep(made)
    return made


def unfinished_rule() -> s3.CfnBucket.RuleProperty:
    """Return the rule that removes what was begun and never ended."""
    return s3.CfnBucket.RuleProperty(
        id="unfinished",
        status="Enabled",
        abort_incomplete_multipart_upload=s3.CfnBucket.AbortIncompleteMultipartUploadProperty(
            days_after_initiation=UNFINISHED_DAYS
        ),
    )


def expiry_rule(days: int) -> s3.CfnBucket.RuleProperty:
    """Return the rule that removes everything after so many days."""
    return s3.CfnBucket.RuleProperty(
        id="expire",
        status="Enabled",
        expiration_in_days=days,
        noncurrent_version_expiration=s3.CfnBucket.NoncurrentVersionExpirationProperty(
            noncurrent_days=1
        ),
    )


def tiering_rule() -> s3.CfnBucket.RuleProperty:
    """Return the rule by which S3 itself finds the cheapest place for each object."""
    return s3.CfnBucket.RuleProperty(
        id="intelligent-tiering",
        status="Enabled",
        transitions=[
            s3.CfnBucket.TransitionProperty(
                storage_class="INTELLIGENT_TIERING", transition_in_days=1
            )
        ],
        noncurrent_version_expiration=s3.CfnBucket.NoncurrentVersionExpirationProperty(
            noncurrent_days=OLD_VERSION_DAYS
        ),
    )


class Storage:
    """The bucket of application data, copied to another region, and the bucket of access logs."""

    def __init__(self, stack: Layer) -> None:
        self._stack = stack
        environment = stack.environment_settings
        self.logs = closed_bucket(
            stack,
            "LogBucket",
            f"{PROJECT}-logs-{environment.name}-{stack.account}",
            [
                expiry_rule(max(environment.log_days, LEAST_LOG_DAYS)),
                unfinished_rule(),
            ],
        )
        name = data_bucket(environment.name, stack.account)
        self.log_policy = s3.CfnBucketPolicy(
            stack,
            "LogBucketPolicy",
            bucket=self.logs.ref,
            policy_document=policy(
                only_over_tls(self.logs),
                *self._deliveries(f"arn:aws:s3:::{name}"),
            ),
        )
        self.data = closed_bucket(
            stack,
            "DataBucket",
            name,
            [tiering_rule(), unfinished_rule()],
            logged_to=self.logs.ref,
            replication=self._replication(name) if environment.recovery_region else None,
        )
        self.data.add_resource_dependency(self.log_policy)
        s3.CfnBucketPolicy(
            stack,
            "DataBucketPolicy",
            bucket=self.data.ref,
            policy_document=policy(only_over_tls(self.data)),
        )

    def _deliveries(self, bucket: str) -> list[Document]:
        """Return who may write logs: S3 for the bucket, and the load balancer."""
        account = self._stack.account
        writers = {
            "logging.s3.amazonaws.com": ("s3/", {"ArnLike": {"aws:SourceArn": bucket}}),
            "logdelivery.elasticloadbalancing.amazonaws.com": ("alb/", {}),
        }
        return [
            {
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "s3:PutObject",
                "Resource": f"{self.logs.attr_arn}/{prefix}*",
                "Condition": {"StringEquals": {"aws:SourceAccount": account}, **further},
            }
            for service, (prefix, further) in writers.items()
        ]

    def _replication(self, name: str) -> s3.CfnBucket.ReplicationConfigurationProperty:
        here = f"arn:aws:s3:::{name}"
        environment = self._stack.environment_settings
        there = f"arn:aws:s3:::{replica_bucket(environment.name, self._stack.account)}"
        copier = role(
            self._stack,
            "ReplicationRole",
            service="s3.amazonaws.com",
            description="Copies application data to the other region",
            statements=[
                statement(["s3:GetReplicationConfiguration", "s3:ListBucket"], [here]),
                statement(
                    [
                        "s3:GetObjectVersionForReplication",
                        "s3:GetObjectVersionAcl",
                        "s3:GetObjectVersionTagging",
                    ],
                    [f"{here}/*"],
                ),
                statement(
                    ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
                    [f"{there}/*"],
                ),
            ],
        )
        return s3.CfnBucket.ReplicationConfigurationProperty(
            role=copier.attr_arn,
            rules=[
                s3.CfnBucket.ReplicationRuleProperty(
                    id="everything",
                    status="Enabled",
                    priority=1,
                    filter=s3.CfnBucket.ReplicationRuleFilterProperty(prefix=""),
                    # What is deleted here, by whomever, stays there.
                    delete_marker_replication=s3.CfnBucket.DeleteMarkerReplicationProperty(
                        status="Disabled"
                    ),
                    destination=s3.CfnBucket.ReplicationDestinationProperty(
                        bucket=there, storage_class="STANDARD_IA"
                    ),
                )
            ],
        )
