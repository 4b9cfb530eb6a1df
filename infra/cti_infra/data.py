"""What is kept: PostgreSQL, Redis, buckets and secrets."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from constructs import Construct

from cti_infra.backups import make_backups
from cti_infra.config import PROJECT, Environment
from cti_infra.deployment import Deployment
from cti_infra.layer import Layer, own_key, policy
from cti_infra.network import POSTGRESQL, REDIS, Network
from cti_infra.secrets import Secrets
from cti_infra.storage import Storage

DATABASE = "ctiscraper"
# The owner of the schema; web and workers are roles of their own, which `db roles` makes.
OWNER = "ctiscraper"
# The major version alone: a minor one would be asked for again after AWS has upgraded it.
POSTGRESQL_VERSION = "15"
REDIS_VERSION = "7.1"
# Backups, then upkeep, at an hour when analysts of no continent are at their busiest.
BACKUP_WINDOW = "03:00-04:00"
UPKEEP_WINDOW = "sun:04:30-sun:05:30"
DATABASE_PARAMETERS = {
    "rds.force_ssl": "1",
    "log_min_duration_statement": "1000",
    "log_lock_waits": "1",
    "log_connections": "1",
    "log_disconnections": "1",
    "shared_preload_libraries": "pg_stat_statements",
    "idle_in_transaction_session_timeout": "600000",
}


class Data(Layer):
    """Everything that must outlive a task."""

    def __init__(
        self,
        scope: Construct,
        environment: Environment,
        deployment: Deployment | None,
        *,
        network: Network,
    ) -> None:
        super().__init__(
            scope,
            "Data",
            environment,
            deployment,
            description="database, cache, buckets and secrets",
        )
        self.key = self._key()
        self.secrets = Secrets(self, self.key)
        self.storage = Storage(self)
        subnets = [subnet.ref for subnet in network.database]
        # Made before the database, which would make it to be kept for ever.
        self.database_log = logs.CfnLogGroup(
            self,
            "DatabaseLog",
            log_group_name=f"/aws/rds/instance/{self.named('database')}/postgresql",
            retention_in_days=environment.log_days,
        )
        self.database = self._database(subnets, network.rds_sg)
        self.database.add_resource_dependency(self.database_log)
        self.redis = self._redis(subnets, network.redis_sg)
        if environment.recovery_region:
            make_backups(self, self.database.attr_db_instance_arn, self.key)
        self.tell("DatabaseHost", self.database.attr_endpoint_address, "The host of PostgreSQL")
        self.tell("RedisHost", self.redis.attr_primary_end_point_address, "The host of Redis")

    @property
    def owner_secret(self) -> str:
        """The ARN of the owner's secret, which RDS makes and renews every seven days."""
        return self.database.attr_master_user_secret_secret_arn

    def _key(self) -> kms.CfnKey:
        key = own_key(self, "Key", "database, cache, secrets")
        kms.CfnAlias(
            self, "KeyAlias", alias_name=f"alias/{self.named('data')}", target_key_id=key.ref
        )
        return key

    def _database(self, subnets: Sequence[str], group: ec2.CfnSecurityGroup) -> rds.CfnDBInstance:
        wanted = self.environment_settings.database
        watching = iam.CfnRole(
            self,
            "DatabaseMonitoringRole",
            description="Writes the enhanced metrics of the database",
            assume_role_policy_document=policy(
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "monitoring.rds.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ),
            managed_policy_arns=[
                "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
            ],
        )
        places = rds.CfnDBSubnetGroup(
            self,
            "DatabaseSubnets",
            db_subnet_group_description="The database subnets",
            subnet_ids=list(subnets),
        )
        parameters = rds.CfnDBParameterGroup(
            self,
            "DatabaseParameters",
            family=f"postgres{POSTGRESQL_VERSION}",
            description="TLS for everybody; slow statements in the log",
            parameters=DATABASE_PARAMETERS,
        )
        made = rds.CfnDBInstance(
            self,
            "Database",
            db_instance_identifier=self.named("database"),
            engine="postgres",
            engine_version=POSTGRESQL_VERSION,
            auto_minor_version_upgrade=True,
            allow_major_version_upgrade=False,
            db_instance_class=wanted.instance_class,
            allocated_storage=str(wanted.storage),
            max_allocated_storage=wanted.most_storage,
            storage_type="gp3",
            storage_encrypted=True,
            kms_key_id=self.key.attr_arn,
            db_name=DATABASE,
            port=str(POSTGRESQL),
            master_username=OWNER,
            manage_master_user_password=True,
            master_user_secret=rds.CfnDBInstance.MasterUserSecretProperty(
                kms_key_id=self.key.attr_arn
            ),
            multi_az=wanted.multi_az,
            publicly_accessible=False,
            db_subnet_group_name=places.ref,
            vpc_security_groups=[group.attr_group_id],
            db_parameter_group_name=parameters.ref,
            ca_certificate_identifier="rds-ca-rsa2048-g1",
            backup_retention_period=wanted.backup_days,
            preferred_backup_window=BACKUP_WINDOW,
            preferred_maintenance_window=UPKEEP_WINDOW,
            copy_tags_to_snapshot=True,
            delete_automated_backups=False,
            deletion_protection=wanted.protected,
            monitoring_interval=60,
            monitoring_role_arn=watching.attr_arn,
            database_insights_mode="standard",
            enable_performance_insights=True,
            performance_insights_kms_key_id=self.key.attr_arn,
            performance_insights_retention_period=7,
            enable_cloudwatch_logs_exports=["postgresql", "upgrade"],
        )
        # Even a deletion that nobody meant leaves a snapshot behind.
        made.cfn_options.deletion_policy = cdk.CfnDeletionPolicy.SNAPSHOT
        made.cfn_options.update_replace_policy = cdk.CfnDeletionPolicy.SNAPSHOT
        # The list of versions in cfn-lint knows minor ones alone.
        made.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3691"]}})
        cdk.Tags.of(made).add("Backup", "daily")
        return made

    def _redis(
        self, subnets: Sequence[str], group: ec2.CfnSecurityGroup
    ) -> elasticache.CfnReplicationGroup:
        wanted = self.environment_settings.cache
        places = elasticache.CfnSubnetGroup(
            self, "RedisSubnets", description="The database subnets", subnet_ids=list(subnets)
        )
        parameters = elasticache.CfnParameterGroup(
            self,
            "RedisParameters",
            cache_parameter_group_family="redis7",
            description="Nothing is ever thrown out silently",
            properties={"maxmemory-policy": "noeviction"},
        )
        slow = logs.CfnLogGroup(
            self,
            "RedisSlowLog",
            log_group_name=f"/aws/elasticache/{PROJECT}/slow",
            retention_in_days=self.environment_settings.log_days,
        )
        made = elasticache.CfnReplicationGroup(
            self,
            "Redis",
            # Encryption and a password are had by replication groups alone, even of one node.
            replication_group_id=self.named("redis"),
            replication_group_description="The bell that wakes the workers",
            engine="redis",
            engine_version=REDIS_VERSION,
            cache_node_type=wanted.node_type,
            num_cache_clusters=wanted.nodes,
            automatic_failover_enabled=wanted.nodes > 1,
            multi_az_enabled=wanted.nodes > 1,
            cluster_mode="disabled",
            port=REDIS,
            cache_subnet_group_name=places.ref,
            cache_parameter_group_name=parameters.ref,
            security_group_ids=[group.attr_group_id],
            transit_encryption_enabled=True,
            at_rest_encryption_enabled=True,
            kms_key_id=self.key.attr_arn,
            auth_token=self.secrets.resolved("redis", "password"),
            auto_minor_version_upgrade=True,
            snapshot_retention_limit=wanted.snapshot_days,
            snapshot_window=BACKUP_WINDOW,
            preferred_maintenance_window=UPKEEP_WINDOW,
            log_delivery_configurations=[
                elasticache.CfnReplicationGroup.LogDeliveryConfigurationRequestProperty(
                    destination_type="cloudwatch-logs",
                    destination_details=elasticache.CfnReplicationGroup.DestinationDetailsProperty(
                        cloud_watch_logs_details=elasticache.CfnReplicationGroup.CloudWatchLogsDestinationDetailsProperty(
                            log_group=slow.ref
                        )
                    ),
                    log_format="json",
                    log_type="slow-log",
                )
            ],
        )
        made.cfn_options.deletion_policy = cdk.CfnDeletionPolicy.SNAPSHOT
        made.cfn_options.update_replace_policy = cdk.CfnDeletionPolicy.SNAPSHOT
        return made
