"""Blue-green deployments of web: new tasks stand beside the old ones before they are asked."""

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_iam as iam

from cti_infra.edge import Edge
from cti_infra.layer import Layer, policy

# For so long both are there, and a way back takes seconds.
BAKE_MINUTES = 10
# What may go wrong in a minute while web is replaced, and how slow an answer may be.
MOST_ERRORS = 5
MOST_SECONDS = 5.0
_MINUTES = 3
ROLE_POLICY = "arn:aws:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers"
_RULE_PRIORITY = 100
_Forwarded = elb.CfnListenerRule.TargetGroupTupleProperty


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watch:
    """A figure of both groups by which a deployment is turned back."""

    name: str
    says: str
    metric: str
    statistic: str
    expression: str
    above: float


_WATCHES = (
    _Watch(
        name="errors",
        says="answers with errors of ours",
        metric="HTTPCode_Target_5XX_Count",
        statistic="Sum",
        expression="SUM([FILL(blue, 0), FILL(green, 0)])",
        above=MOST_ERRORS,
    ),
    _Watch(
        name="slowness",
        says="takes seconds for its slowest answers",
        metric="TargetResponseTime",
        statistic="p95",
        expression="MAX([FILL(blue, 0), FILL(green, 0)])",
        above=MOST_SECONDS,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlueGreen:
    """What ECS needs to move requests from one group of targets to the other."""

    alternate: elb.CfnTargetGroup
    rule: elb.CfnListenerRule
    role: iam.CfnRole
    alarms: Sequence[str]

    @property
    def advanced(self) -> ecs.CfnService.AdvancedConfigurationProperty:
        """What the service is told beside its first group of targets."""
        return ecs.CfnService.AdvancedConfigurationProperty(
            alternate_target_group_arn=self.alternate.ref,
            production_listener_rule=self.rule.attr_rule_arn,
            role_arn=self.role.attr_arn,
        )


def blue_green(stack: Layer, edge: Edge) -> BlueGreen:
    """Return what moves requests between the groups of an edge that has two."""
    assert edge.green is not None, "there is a second group where it is asked for"
    rule = elb.CfnListenerRule(
        stack,
        "WebRule",
        listener_arn=edge.https.ref,
        priority=_RULE_PRIORITY,
        conditions=[
            elb.CfnListenerRule.RuleConditionProperty(
                field="path-pattern",
                path_pattern_config=elb.CfnListenerRule.PathPatternConfigProperty(values=["/*"]),
            )
        ],
        # Where it begins: each deployment moves the weights, which a stack leaves alone from then.
        actions=[
            elb.CfnListenerRule.ActionProperty(
                type="forward",
                forward_config=elb.CfnListenerRule.ForwardConfigProperty(
                    target_groups=[
                        _Forwarded(target_group_arn=edge.targets.ref, weight=100),
                        _Forwarded(target_group_arn=edge.green.ref, weight=0),
                    ]
                ),
            )
        ],
    )
    role = iam.CfnRole(
        stack,
        "WebRolloutRole",
        description="Lets ECS move requests between the groups of web",
        assume_role_policy_document=policy(
            {
                "Effect": "Allow",
                "Principal": {"Service": "ecs.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ),
        managed_policy_arns=[ROLE_POLICY],
    )
    return BlueGreen(
        alternate=edge.green,
        rule=rule,
        role=role,
        alarms=[_alarm(stack, edge, wanted) for wanted in _WATCHES],
    )


def _alarm(stack: Layer, edge: Edge, wanted: _Watch) -> str:
    """Return the name of an alarm that looks at both groups, whichever is asked."""
    assert edge.green is not None, "there is a second group where it is asked for"
    query = cloudwatch.CfnAlarm.MetricDataQueryProperty
    groups = {"blue": edge.targets, "green": edge.green}
    name = stack.named(f"web-rollout-{wanted.name}")
    cloudwatch.CfnAlarm(
        stack,
        f"WebRollout{wanted.name.title()}Alarm",
        alarm_name=name,
        # It tells nobody: ECS goes back by it, and of that people are told.
        alarm_description=f"warning: A new web {wanted.says}. Runbook: docs/runbooks/errors.md",
        comparison_operator="GreaterThanThreshold",
        threshold=wanted.above,
        evaluation_periods=_MINUTES,
        datapoints_to_alarm=_MINUTES,
        treat_missing_data="notBreaching",
        metrics=[
            *(
                query(
                    id=colour,
                    return_data=False,
                    metric_stat=cloudwatch.CfnAlarm.MetricStatProperty(
                        metric=_of_group(edge, group, wanted.metric),
                        period=60,
                        stat=wanted.statistic,
                    ),
                )
                for colour, group in groups.items()
            ),
            query(id="result", expression=wanted.expression, label=wanted.name, return_data=True),
        ],
    )
    return name


def _of_group(
    edge: Edge, group: elb.CfnTargetGroup, name: str
) -> cloudwatch.CfnAlarm.MetricProperty:
    dimension = cloudwatch.CfnAlarm.DimensionProperty
    return cloudwatch.CfnAlarm.MetricProperty(
        namespace="AWS/ApplicationELB",
        metric_name=name,
        dimensions=[
            dimension(name="LoadBalancer", value=edge.load_balancer.attr_load_balancer_full_name),
            dimension(name="TargetGroup", value=group.attr_target_group_full_name),
        ],
    )


def refuse_balancer_login(stack: Layer) -> None:
    """Refuse that the load balancer logs people in: ECS moves one rule, not that one as well."""
    cdk.CfnRule(
        stack,
        "NoLogInAtLoadBalancer",
        assertions=[
            cdk.CfnRuleAssertion(
                assert_=cdk.Fn.condition_equals(
                    stack.resolve({"Ref": "OidcAuthorizationEndpoint"}), ""
                ),
                assert_description="Blue-green deployments move requests of one rule alone",
            )
        ],
    )
