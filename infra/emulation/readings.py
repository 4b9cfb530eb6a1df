"""By which call a resource of each type is read back."""

from collections.abc import Mapping
from typing import Any

from emulation.reading import Reading

Step = str | int | Mapping[str, str]


def _one(service: str, operation: str, argument: str, *path: Step, **synonyms: str) -> Reading:
    """Return a reading whose one argument is the identity; plural arguments take a list."""
    many = argument.endswith("s") and argument != "Alias"
    value: Any = ["@"] if many else "@"
    return Reading(
        service=service,
        operation=operation,
        arguments={argument: value},
        path=path,
        synonyms=synonyms,
    )


def _other(
    service: str,
    operation: str,
    arguments: Mapping[str, Any],
    *path: Step,
    **synonyms: str,
) -> Reading:
    return Reading(
        service=service, operation=operation, arguments=arguments, path=path, synonyms=synonyms
    )


_RULE = _one(
    "ec2",
    "describe_security_group_rules",
    "SecurityGroupRuleIds",
    "SecurityGroupRules",
    0,
    CidrIp="CidrIpv4",
)
_ACL = {"NetworkAclIds": ["=NetworkAclId"]}
_TABLE = {"RouteTableIds": ["=RouteTableId"]}

READINGS: Mapping[str, Reading] = {
    "EC2::VPC": _one("ec2", "describe_vpcs", "VpcIds", "Vpcs", 0),
    "EC2::Subnet": _one("ec2", "describe_subnets", "SubnetIds", "Subnets", 0),
    "EC2::InternetGateway": _one(
        "ec2", "describe_internet_gateways", "InternetGatewayIds", "InternetGateways", 0
    ),
    "EC2::VPCGatewayAttachment": _other(
        "ec2",
        "describe_internet_gateways",
        {"InternetGatewayIds": ["=InternetGatewayId"]},
        "InternetGateways",
        0,
        "Attachments",
        {"VpcId": "=VpcId"},
    ),
    "EC2::EIP": _one("ec2", "describe_addresses", "PublicIps", "Addresses", 0),
    "EC2::NatGateway": _one("ec2", "describe_nat_gateways", "NatGatewayIds", "NatGateways", 0),
    "EC2::RouteTable": _one("ec2", "describe_route_tables", "RouteTableIds", "RouteTables", 0),
    "EC2::Route": _other(
        "ec2",
        "describe_route_tables",
        _TABLE,
        "RouteTables",
        0,
        "Routes",
        {"DestinationCidrBlock": "=DestinationCidrBlock"},
    ),
    "EC2::SubnetRouteTableAssociation": _other(
        "ec2",
        "describe_route_tables",
        _TABLE,
        "RouteTables",
        0,
        "Associations",
        {"RouteTableAssociationId": "@"},
    ),
    "EC2::SecurityGroup": _one(
        "ec2",
        "describe_security_groups",
        "GroupIds",
        "SecurityGroups",
        0,
        GroupDescription="Description",
    ),
    "EC2::SecurityGroupIngress": _RULE,
    "EC2::SecurityGroupEgress": _RULE,
    "EC2::NetworkAcl": _one("ec2", "describe_network_acls", "NetworkAclIds", "NetworkAcls", 0),
    "EC2::NetworkAclEntry": _other(
        "ec2",
        "describe_network_acls",
        _ACL,
        "NetworkAcls",
        0,
        "Entries",
        {"RuleNumber": "=RuleNumber", "Egress": "=Egress"},
    ),
    "EC2::SubnetNetworkAclAssociation": _other(
        "ec2",
        "describe_network_acls",
        _ACL,
        "NetworkAcls",
        0,
        "Associations",
        {"SubnetId": "=SubnetId"},
    ),
    "EC2::VPCEndpoint": _one("ec2", "describe_vpc_endpoints", "VpcEndpointIds", "VpcEndpoints", 0),
    "EC2::FlowLog": _one("ec2", "describe_flow_logs", "FlowLogIds", "FlowLogs", 0),
    "KMS::Key": _one("kms", "describe_key", "KeyId", "KeyMetadata"),
    "KMS::Alias": _other("kms", "list_aliases", {}, "Aliases", {"AliasName": "@"}),
    "IAM::Role": _one("iam", "get_role", "RoleName", "Role"),
    "SecretsManager::Secret": _one("secretsmanager", "describe_secret", "SecretId"),
    "S3::Bucket": _one("s3", "get_bucket_tagging", "Bucket", Tags="TagSet"),
    "S3::BucketPolicy": _one("s3", "get_bucket_policy", "Bucket", PolicyDocument="Policy"),
    "RDS::DBSubnetGroup": _one(
        "rds", "describe_db_subnet_groups", "DBSubnetGroupName", "DBSubnetGroups", 0
    ),
    "RDS::DBParameterGroup": _one(
        "rds",
        "describe_db_parameter_groups",
        "DBParameterGroupName",
        "DBParameterGroups",
        0,
        Family="DBParameterGroupFamily",
    ),
    "RDS::DBInstance": _one(
        "rds", "describe_db_instances", "DBInstanceIdentifier", "DBInstances", 0
    ),
    "ElastiCache::SubnetGroup": _one(
        "elasticache",
        "describe_cache_subnet_groups",
        "CacheSubnetGroupName",
        "CacheSubnetGroups",
        0,
        Description="CacheSubnetGroupDescription",
    ),
    "ElastiCache::ReplicationGroup": _one(
        "elasticache",
        "describe_replication_groups",
        "ReplicationGroupId",
        "ReplicationGroups",
        0,
        ReplicationGroupDescription="Description",
        MultiAZEnabled="MultiAZ",
        AutomaticFailoverEnabled="AutomaticFailover",
    ),
    "Backup::BackupVault": _one("backup", "describe_backup_vault", "BackupVaultName"),
    "Backup::BackupPlan": _one("backup", "get_backup_plan", "BackupPlanId"),
    "ECR::Repository": _other(
        "ecr", "describe_repositories", {"repositoryNames": ["@"]}, "repositories", 0
    ),
    "ECS::Cluster": _other(
        "ecs",
        "describe_clusters",
        {"clusters": ["@"], "include": ["SETTINGS", "TAGS"]},
        "clusters",
        0,
        ClusterSettings="settings",
    ),
    "ECS::TaskDefinition": _one(
        "ecs", "describe_task_definition", "taskDefinition", "taskDefinition"
    ),
    "ECS::Service": _other(
        "ecs",
        "describe_services",
        {"cluster": "=Cluster", "services": ["@"]},
        "services",
        0,
    ),
    "ElasticLoadBalancingV2::LoadBalancer": _one(
        "elbv2",
        "describe_load_balancers",
        "LoadBalancerArns",
        "LoadBalancers",
        0,
        Name="LoadBalancerName",
    ),
    "ElasticLoadBalancingV2::TargetGroup": _one(
        "elbv2",
        "describe_target_groups",
        "TargetGroupArns",
        "TargetGroups",
        0,
        Name="TargetGroupName",
    ),
    "ElasticLoadBalancingV2::Listener": _one(
        "elbv2", "describe_listeners", "ListenerArns", "Listeners", 0
    ),
    "ElasticLoadBalancingV2::ListenerRule": _one("elbv2", "describe_rules", "RuleArns", "Rules", 0),
    "ApplicationAutoScaling::ScalableTarget": _other(
        "application-autoscaling",
        "describe_scalable_targets",
        {"ServiceNamespace": "=ServiceNamespace"},
        "ScalableTargets",
        {"ResourceId": "=ResourceId"},
    ),
    "ApplicationAutoScaling::ScalingPolicy": _other(
        "application-autoscaling",
        "describe_scaling_policies",
        {"ServiceNamespace": "ecs"},
        "ScalingPolicies",
        {"PolicyARN": "@"},
    ),
    "WAFv2::WebACL": _other(
        "wafv2", "get_web_acl", {"Name": "=Name", "Scope": "=Scope", "Id": "@Id"}, "WebACL"
    ),
    "WAFv2::WebACLAssociation": _other(
        "wafv2",
        "get_web_acl_for_resource",
        {"ResourceArn": "=ResourceArn"},
        "WebACL",
        WebACLArn="ARN",
    ),
    "WAFv2::LoggingConfiguration": _one(
        "wafv2", "get_logging_configuration", "ResourceArn", "LoggingConfiguration"
    ),
    "ServiceDiscovery::PrivateDnsNamespace": _one(
        "servicediscovery", "get_namespace", "Id", "Namespace"
    ),
    "ServiceDiscovery::Service": _one("servicediscovery", "get_service", "Id", "Service"),
    "Events::Rule": _one("events", "describe_rule", "Name"),
    "Logs::LogGroup": _other(
        "logs",
        "describe_log_groups",
        {"logGroupNamePrefix": "@"},
        "logGroups",
        {"logGroupName": "@"},
    ),
    "Logs::MetricFilter": _other(
        "logs",
        "describe_metric_filters",
        {"logGroupName": "=LogGroupName"},
        "metricFilters",
        {"filterName": "@"},
    ),
    "CloudWatch::Alarm": _other(
        "cloudwatch", "describe_alarms", {"AlarmNames": ["@"]}, "MetricAlarms", 0
    ),
    "CloudWatch::Dashboard": _one("cloudwatch", "get_dashboard", "DashboardName"),
    "SNS::Topic": _one("sns", "get_topic_attributes", "TopicArn", "Attributes"),
    "SNS::TopicPolicy": _other(
        "sns",
        "get_topic_attributes",
        {"TopicArn": "@Topic"},
        "Attributes",
        PolicyDocument="Policy",
    ),
    "SNS::Subscription": _other(
        "sns", "list_subscriptions", {}, "Subscriptions", {"TopicArn": "=TopicArn"}
    ),
    "Budgets::Budget": _other(
        "budgets",
        "describe_budget",
        {"AccountId": "@Account", "BudgetName": "@"},
    ),
    "CloudTrail::Trail": _one("cloudtrail", "get_trail", "Name", "Trail", TrailName="Name"),
    "Config::ConfigurationRecorder": _one(
        "config",
        "describe_configuration_recorders",
        "ConfigurationRecorderNames",
        "ConfigurationRecorders",
        0,
    ),
    "Config::DeliveryChannel": _one(
        "config", "describe_delivery_channels", "DeliveryChannelNames", "DeliveryChannels", 0
    ),
    "Config::ConfigRule": _one(
        "config", "describe_config_rules", "ConfigRuleNames", "ConfigRules", 0
    ),
    "GuardDuty::Detector": _one("guardduty", "get_detector", "DetectorId"),
    "SecurityHub::Hub": _one("securityhub", "describe_hub", "HubArn"),
    "CodeBuild::Project": _one("codebuild", "batch_get_projects", "names", "projects", 0),
    "CodePipeline::Pipeline": _one("codepipeline", "get_pipeline", "name", "pipeline"),
}
