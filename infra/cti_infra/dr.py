"""What is kept in another region, for the day when the first one is gone."""

from aws_cdk import aws_backup as backup
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cti_infra.backups import copies_vault
from cti_infra.config import Environment
from cti_infra.deployment import Deployment
from cti_infra.layer import Layer, keep, own_key, policy
from cti_infra.storage import (
    closed_bucket,
    only_over_tls,
    replica_bucket,
    tiering_rule,
    unfinished_rule,
)


class Dr(Layer):
    """The copies of application data, and the vault for copies of the database."""

    def __init__(
        self, scope: Construct, environment: Environment, deployment: Deployment | None
    ) -> None:
        assert environment.recovery_region is not None, "made where there is one"
        super().__init__(
            scope,
            "Dr",
            environment,
            deployment,
            description="copies in another region",
            region=environment.recovery_region,
        )
        replica = closed_bucket(
            self,
            "ReplicaBucket",
            replica_bucket(environment.name, self.account),
            [tiering_rule(), unfinished_rule()],
        )
        s3.CfnBucketPolicy(
            self,
            "ReplicaBucketPolicy",
            bucket=replica.ref,
            policy_document=policy(only_over_tls(replica)),
        )
        key = own_key(self, "Key", "copies of the database")
        vault = backup.CfnBackupVault(
            self,
            "Vault",
            backup_vault_name=copies_vault(environment.name),
            encryption_key_arn=key.attr_arn,
        )
        keep(vault)
