"""The cost of an environment, line by line: each type of resource has a rule, or is free."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from cti_cost import compute, guards, network, stores, watching
from cti_cost.errors import CostError
from cti_cost.figures import NOTHING, Span
from cti_cost.lines import Asked, Line, Rule

RULES: Mapping[str, Rule] = {
    "ApplicationAutoScaling::ScalingPolicy": watching.policies,
    "Backup::BackupPlan": stores.backup_plans,
    "CloudTrail::Trail": guards.trails,
    "CloudWatch::Alarm": watching.alarms,
    "CloudWatch::Dashboard": watching.dashboards,
    "CodeBuild::Project": guards.builds,
    "CodePipeline::Pipeline": guards.pipelines,
    "Config::ConfigRule": guards.config_rules,
    "Config::ConfigurationRecorder": guards.recorders,
    "EC2::EIP": network.addresses,
    "EC2::Instance": compute.machines,
    "EC2::NatGateway": network.gateways,
    "EC2::VPC": network.networks,
    "EC2::VPCEndpoint": network.endpoints,
    "ECR::Repository": stores.repositories,
    "ECS::Cluster": compute.clusters,
    "ECS::Service": compute.services,
    "ECS::TaskDefinition": compute.run_by_hand,
    "ElastiCache::ReplicationGroup": stores.caches,
    "ElasticLoadBalancingV2::LoadBalancer": network.load_balancers,
    "GuardDuty::Detector": guards.detectors,
    "KMS::Key": guards.keys,
    "Logs::LogGroup": watching.log_groups,
    "Logs::MetricFilter": watching.filters,
    "RDS::DBInstance": stores.databases,
    "RDS::DBProxy": stores.proxies,
    "S3::Bucket": stores.buckets,
    "SNS::Subscription": watching.subscriptions,
    "SecretsManager::Secret": guards.secrets,
    "SecurityHub::Hub": guards.hubs,
    "ServiceDiscovery::PrivateDnsNamespace": network.namespaces,
    "WAFv2::WebACL": guards.firewalls,
    "XRay::Group": watching.traces,
}
_PART = "part of what it belongs to"
# Types that nothing is asked for, and why.
FREE: Mapping[str, str] = {
    "AccessAnalyzer::Analyzer": "an analyzer of the account's outside is free",
    "ApplicationAutoScaling::ScalableTarget": "the tasks are what costs",
    "Backup::BackupSelection": _PART,
    "Backup::BackupVault": "the copies are what costs",
    "Budgets::Budget": "budgets that only tell are free",
    "Config::DeliveryChannel": _PART,
    "EC2::FlowLog": "its lines count in their log group",
    "EC2::InternetGateway": "traffic is what costs",
    "EC2::NetworkAcl": _PART,
    "EC2::NetworkAclEntry": _PART,
    "EC2::Route": _PART,
    "EC2::RouteTable": _PART,
    "EC2::SecurityGroup": _PART,
    "EC2::SecurityGroupEgress": _PART,
    "EC2::SecurityGroupIngress": _PART,
    "EC2::Subnet": _PART,
    "EC2::SubnetNetworkAclAssociation": _PART,
    "EC2::SubnetRouteTableAssociation": _PART,
    "EC2::VPCGatewayAttachment": _PART,
    "ElastiCache::ParameterGroup": _PART,
    "ElastiCache::SubnetGroup": _PART,
    "ElasticLoadBalancingV2::Listener": _PART,
    "ElasticLoadBalancingV2::ListenerRule": _PART,
    "ElasticLoadBalancingV2::TargetGroup": _PART,
    "Events::Rule": "events of AWS itself and schedules are free",
    "IAM::Role": "rights are free",
    "KMS::Alias": _PART,
    "Logs::QueryDefinition": "queries cost when they are run",
    "RDS::DBParameterGroup": _PART,
    "RDS::DBSubnetGroup": _PART,
    "S3::BucketPolicy": _PART,
    "SNS::Topic": "messages are what costs",
    "SNS::TopicPolicy": _PART,
    "ServiceDiscovery::Service": "names that ECS keeps are free",
    "WAFv2::LoggingConfiguration": "its lines count in their log group",
    "WAFv2::WebACLAssociation": _PART,
}


@dataclass(frozen=True, slots=True)
class Cost:
    """The lines of an environment, and how many resources of each free type it has."""

    environment: str
    lines: tuple[Line, ...]
    free: Mapping[str, int]

    @property
    def total(self) -> Span:
        """Dollars in a month."""
        return total(self.lines)

    def of(self, group: str) -> Span:
        """Return the dollars of a group."""
        return total([line for line in self.lines if line.group == group])


def reckon(asked: Asked) -> Cost:
    """Return what an environment costs. Raises CostError for what has no price."""
    kinds = defaultdict(list)
    for resource in asked.templates.resources():
        kinds[resource.type.removeprefix("AWS::")].append(resource)
    unknown = sorted(set(kinds) - set(RULES) - set(FREE))
    if unknown:
        raise CostError(
            f"no price of {', '.join(f'AWS::{kind} ({kinds[kind][0].place})' for kind in unknown)}:"
            " give each a rule in cti_cost/reckoning.py, or say there why it is free"
        )
    lines = [line for kind, rule in RULES.items() for line in rule(asked, kinds.get(kind, []))]
    free = {kind: len(found) for kind, found in sorted(kinds.items()) if kind in FREE}
    return Cost(asked.templates.environment, tuple(lines), free)


def total(lines: list[Line] | tuple[Line, ...]) -> Span:
    """Return the sum of lines."""
    found = NOTHING
    for line in lines:
        found += line.cost
    return found
