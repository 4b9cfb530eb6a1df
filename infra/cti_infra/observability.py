"""What is watched: alarms in three severities, a dashboard, events, traces and saved queries."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_xray as xray
from constructs import Construct

from cti_infra.alarms import LOGS, MINUTE, Alarm, Metric, Severity, Watched, alarms
from cti_infra.app import App, Base
from cti_infra.config import PROJECT, Environment
from cti_infra.dashboard import body
from cti_infra.deployment import Deployment
from cti_infra.layer import Document, Layer, own_key, policy
from cti_infra.models import WORKER, model_is_asked, only_where_asked

# Lines that are counted: the service's log, what is looked for, and the metric.
COUNTED = {
    "WebErrors": ("web", '{ $.level = "error" || $.level = "critical" }', "Errors"),
    "WorkerErrors": ("worker", '{ $.level = "error" || $.level = "critical" }', "Errors"),
    "SchedulerErrors": ("scheduler", '{ $.level = "error" || $.level = "critical" }', "Errors"),
    "RefusedLogins": ("web", '{ $.event = "login.refused" }', "RefusedLogins"),
}
ERRORS_OF_MODELS = (WORKER, COUNTED["WorkerErrors"][1], "Errors")
# When, what is due, and the page that says how.
REMINDERS = {
    "Drill": ("cron(0 9 1 1,4,7,10 ? *)", "Restore the database as a drill", "restore"),
    "Secrets": ("cron(0 9 15 1,4,7,10 ? *)", "Renew the passwords of the services", "secrets"),
}
# The names under which processes send traces.
TRACED = ("web", "worker", "models")
QUERIES = {
    "slowest-requests": (
        "web",
        (
            "fields @timestamp, method, route, status, ms | filter event = 'request' "
            "| sort ms desc | limit 50"
        ),
    ),
    "errors": (
        "web",
        (
            "fields @timestamp, event, route, exception | filter level = 'error' "
            "| sort @timestamp desc | limit 100"
        ),
    ),
    "failures-by-reason": (
        "worker",
        (
            "filter event = 'processed' and ispresent(reason) | stats count(*) as items by reason "
            "| sort items desc"
        ),
    ),
    "one-source": (
        "worker",
        (
            "fields @timestamp, event, job, outcome, reason | filter source = 'KEY' "
            "| sort @timestamp desc | limit 200"
        ),
    ),
}


class Observability(Layer):
    """Everything by which people learn how the system is."""

    def __init__(
        self,
        scope: Construct,
        environment: Environment,
        deployment: Deployment | None,
        *,
        base: Base,
        app: App,
    ) -> None:
        super().__init__(
            scope,
            "Observability",
            environment,
            deployment,
            description="alarms, dashboard and traces",
        )
        self.topics = self._topics()
        asked = model_is_asked(self)
        self._count_lines(base, asked)
        watched = Watched(
            environment=environment,
            cluster=base.release.cluster.ref,
            database=base.data.database.ref,
            redis=base.data.redis.ref,
            load_balancer=app.edge.load_balancer.attr_load_balancer_full_name,
            targets={
                colour: group.attr_target_group_full_name
                for colour, group in (("blue", app.edge.targets), ("green", app.edge.green))
                if group is not None
            },
            firewall=self.named("firewall"),
        )
        # What is there only under a condition cannot be shown in any case.
        shown = []
        for alarm in alarms(watched):
            made = self._alarm(alarm)
            if alarm.of_models:
                made.cfn_options.condition = asked
            else:
                shown.append(made.attr_arn)
        cloudwatch.CfnDashboard(
            self,
            "Dashboard",
            dashboard_name=self.named("overview"),
            dashboard_body=self.to_json_string(body(watched, shown), 0),
        )
        self._events()
        self._reminders()
        self._traces()
        self._queries()

    def _topics(self) -> dict[Severity, sns.CfnTopic]:
        # Alarms cannot publish under the key that AWS manages for SNS.
        publishers = ("cloudwatch.amazonaws.com", "events.amazonaws.com")
        key = own_key(
            self,
            "AlertsKey",
            "alerts",
            {
                "Sid": "Publishers",
                "Effect": "Allow",
                "Principal": {"Service": list(publishers)},
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:SourceAccount": self.account}},
            },
        )
        mail = self.given(
            "AlertsTo",
            "alerts_to",
            description="Mail address that is told of alarms",
            pattern=r"[^@\s]+@[^@\s]+",
        )
        made = {}
        for severity in Severity:
            topic = sns.CfnTopic(
                self,
                f"{severity.title()}Alerts",
                topic_name=self.named(severity),
                display_name=f"CTIScraper {self.environment_settings.name} {severity}",
                kms_master_key_id=key.ref,
            )
            sns.CfnSubscription(
                self,
                f"{severity.title()}Mail",
                topic_arn=topic.ref,
                protocol="email",
                endpoint=mail,
            )
            made[severity] = topic
        sns.CfnTopicPolicy(
            self,
            "AlertsPolicy",
            topics=[topic.ref for topic in made.values()],
            policy_document=policy(
                *(
                    {
                        "Sid": f"Publish{severity.title()}",
                        "Effect": "Allow",
                        "Principal": {"Service": list(publishers)},
                        "Action": "sns:Publish",
                        "Resource": topic.ref,
                        "Condition": {"StringEquals": {"aws:SourceAccount": self.account}},
                    }
                    for severity, topic in made.items()
                ),
                {
                    "Sid": "OnlyOverTls",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sns:Publish",
                    "Resource": [topic.ref for topic in made.values()],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
            ),
        )
        return made

    def _count_lines(self, base: Base, asked: cdk.CfnCondition) -> None:
        for name, (service, pattern, metric) in COUNTED.items():
            self._filter(name, self.log_name(service), pattern, metric)
        with only_where_asked(self, asked):
            service, pattern, metric = ERRORS_OF_MODELS
            self._filter("ModelWorkerErrors", self.log_name(service), pattern, metric)
        self._filter("SlowStatements", base.data.database_log.ref, '"duration:"', "SlowStatements")

    def _filter(self, name: str, group: str, pattern: str, metric: str) -> None:
        logs.CfnMetricFilter(
            self,
            f"{name}Filter",
            log_group_name=group,
            filter_pattern=pattern,
            metric_transformations=[
                logs.CfnMetricFilter.MetricTransformationProperty(
                    metric_namespace=LOGS, metric_name=metric, metric_value="1", default_value=0
                )
            ],
        )

    def _alarm(self, alarm: Alarm) -> cloudwatch.CfnAlarm:
        is_low = alarm.below is not None
        threshold = alarm.below if alarm.below is not None else alarm.above
        assert threshold is not None, "an alarm has a threshold"
        periods = max(1, alarm.minutes * MINUTE // alarm.period)
        topic = self.topics[alarm.severity].ref
        single = None if alarm.expression else next(iter(alarm.metrics.values()))
        return cloudwatch.CfnAlarm(
            self,
            "".join(part.title() for part in alarm.name.split("-")) + "Alarm",
            alarm_name=self.named(alarm.name),
            alarm_description=(
                f"{alarm.severity}: {alarm.says}. Runbook: docs/runbooks/{alarm.runbook}.md"
            ),
            comparison_operator="LessThanThreshold" if is_low else "GreaterThanThreshold",
            threshold=threshold,
            evaluation_periods=periods,
            datapoints_to_alarm=periods,
            treat_missing_data=alarm.missing,
            alarm_actions=[topic],
            ok_actions=[topic],
            **(_alone(single, alarm.period) if single else {"metrics": _together(alarm)}),
        )

    def _events(self) -> None:
        """Have deployments, scaling and scans told as information, and failures as a warning."""
        cluster = [{"prefix": f"arn:aws:ecs:{self.region}:"}]
        told: dict[str, tuple[Severity, dict[str, object]]] = {
            "Deployments": (
                Severity.INFO,
                {
                    "source": ["aws.ecs"],
                    "detail-type": ["ECS Deployment State Change"],
                    "resources": cluster,
                },
            ),
            "FailedDeployments": (
                Severity.WARNING,
                {
                    "source": ["aws.ecs"],
                    "detail-type": ["ECS Deployment State Change"],
                    "detail": {"eventName": ["SERVICE_DEPLOYMENT_FAILED"]},
                },
            ),
            "Scaling": (
                Severity.INFO,
                {
                    "source": ["aws.application-autoscaling"],
                    "detail-type": ["Application Auto Scaling Scaling Activity State Change"],
                },
            ),
            "Database": (
                Severity.WARNING,
                {
                    "source": ["aws.rds"],
                    "detail-type": ["RDS DB Instance Event"],
                    "detail": {"EventCategories": ["failover", "failure", "low storage"]},
                },
            ),
            "Scans": (
                Severity.WARNING,
                {
                    "source": ["aws.ecr"],
                    "detail-type": ["ECR Image Scan"],
                    "detail": {"finding-severity-counts": {"CRITICAL": [{"numeric": [">", 0]}]}},
                },
            ),
        }
        for name, (severity, pattern) in told.items():
            events.CfnRule(
                self,
                f"{name}Rule",
                description=f"{name} go to the topic {severity}",
                event_pattern=pattern,
                state="ENABLED",
                targets=[events.CfnRule.TargetProperty(id=severity, arn=self.topics[severity].ref)],
            )

    def _reminders(self) -> None:
        """Have people told each quarter of what they alone can do."""
        for name, (when, what, page) in REMINDERS.items():
            told = f"CTIScraper {self.environment_settings.name}: {what}. docs/runbooks/{page}.md"
            events.CfnRule(
                self,
                f"{name}Reminder",
                description=what,
                schedule_expression=when,
                state="ENABLED",
                targets=[
                    events.CfnRule.TargetProperty(
                        id="reminder",
                        arn=self.topics[Severity.WARNING].ref,
                        # A text of JSON is what SNS is to send.
                        input=f'"{told}"',
                    )
                ],
            )

    def _traces(self) -> None:
        xray.CfnGroup(
            self,
            "Traces",
            group_name=self.named("traces"),
            filter_expression=" OR ".join(f'service("ctiscraper-{name}")' for name in TRACED),
            insights_configuration=xray.CfnGroup.InsightsConfigurationProperty(
                insights_enabled=True, notifications_enabled=False
            ),
        )

    def _queries(self) -> None:
        for name, (service, text) in QUERIES.items():
            logs.CfnQueryDefinition(
                self,
                "".join(part.title() for part in name.split("-")) + "Query",
                name=f"{PROJECT}/{name}",
                log_group_names=[self.log_name(service)],
                query_string=text,
            )


def _dimensions(metric: Metric) -> list[cloudwatch.CfnAlarm.DimensionProperty]:
    return [
        cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value)
        for name, value in metric.dimensions.items()
    ]


def _alone(metric: Metric, period: int) -> Document:
    percentile = metric.statistic.startswith("p")
    return {
        "namespace": metric.namespace,
        "metric_name": metric.name,
        "dimensions": _dimensions(metric) or None,
        "period": period,
        "extended_statistic" if percentile else "statistic": metric.statistic,
    }


def _together(alarm: Alarm) -> list[cloudwatch.CfnAlarm.MetricDataQueryProperty]:
    queries = [
        cloudwatch.CfnAlarm.MetricDataQueryProperty(
            id=name,
            return_data=False,
            metric_stat=cloudwatch.CfnAlarm.MetricStatProperty(
                metric=cloudwatch.CfnAlarm.MetricProperty(
                    namespace=metric.namespace,
                    metric_name=metric.name,
                    dimensions=_dimensions(metric),
                ),
                period=alarm.period,
                stat=metric.statistic,
            ),
        )
        for name, metric in alarm.metrics.items()
    ]
    queries.append(
        cloudwatch.CfnAlarm.MetricDataQueryProperty(
            id="result", expression=alarm.expression, label=alarm.name, return_data=True
        )
    )
    return queries
