"""What watches, delivers and guards: logs, alarms, topics, pipelines, the account's own."""

import json
from collections.abc import Mapping

from emulation.calls import Task
from emulation.intrinsics import Made
from emulation.recipes import Creation, Recipe, found, made


def _log_group(task: Task) -> Made:
    name, days = task.properties["LogGroupName"], task.take("RetentionInDays")
    task.send("logs", "create_log_group")
    if days:
        task.call("logs", "put_retention_policy", logGroupName=name, retentionInDays=days)
    arn = f"arn:aws:logs:{task.region}:{task.account}:log-group:{name}:*"
    return made(task, name, Arn=arn)


def _metric_filter(task: Task) -> Made:
    task.send("logs", "put_metric_filter", {"filterName": task.name})
    return made(task, task.name)


def _alarm(task: Task) -> Made:
    name = task.properties["AlarmName"]
    task.send("cloudwatch", "put_metric_alarm")
    arn = f"arn:aws:cloudwatch:{task.region}:{task.account}:alarm:{name}"
    return made(task, name, Arn=arn)


def _dashboard(task: Task) -> Made:
    answer = task.send("cloudwatch", "put_dashboard")
    if faults := answer["DashboardValidationMessages"]:
        raise task.error(str(faults))
    return made(task, task.properties["DashboardName"])


def _topic(task: Task) -> Made:
    names = ("DisplayName", "KmsMasterKeyId")
    attributes = {name: task.take(name) for name in names if name in task.properties}
    answer = task.send(
        "sns", "create_topic", {"Attributes": attributes}, renames={"TopicName": "Name"}
    )
    return made(task, found(answer, "TopicArn"))


def _topic_policy(task: Task) -> Made:
    document = json.dumps(task.take("PolicyDocument"))
    topics = task.take("Topics")
    for topic in topics:
        task.call(
            "sns",
            "set_topic_attributes",
            TopicArn=topic,
            AttributeName="Policy",
            AttributeValue=document,
        )
    return made(task, task.name, Topic=topics[0])


def _budget(task: Task) -> Made:
    task.send("budgets", "create_budget", {"AccountId": task.account})
    return made(task, found(task.properties, "Budget.BudgetName"), Account=task.account)


def _trail(task: Task) -> Made:
    logging = task.take("IsLogging")
    answer = task.send(
        "cloudtrail", "create_trail", renames={"TrailName": "Name", "Tags": "TagsList"}
    )
    if logging:
        task.call("cloudtrail", "start_logging", Name=answer["Name"])
    return made(task, answer["Name"], Arn=answer["TrailARN"])


def _recorder(task: Task) -> Made:
    task.properties.setdefault("Name", "default")
    task.send("config", "put_configuration_recorder", within="ConfigurationRecorder")
    return made(task, task.properties["Name"])


def _channel(task: Task) -> Made:
    task.properties.setdefault("Name", "default")
    task.send("config", "put_delivery_channel", within="DeliveryChannel")
    # It is by this that CloudFormation starts to record.
    for recorder in task.call("config", "describe_configuration_recorders")[
        "ConfigurationRecorders"
    ]:
        task.call(
            "config",
            "start_configuration_recorder",
            ConfigurationRecorderName=recorder["name"],
        )
    return made(task, task.properties["Name"])


def _config_rule(task: Task) -> Made:
    task.send("config", "put_config_rule", within="ConfigRule")
    return made(task, task.properties["ConfigRuleName"])


def _hub(task: Task) -> Made:
    task.send("securityhub", "enable_security_hub")
    return made(task, f"arn:aws:securityhub:{task.region}:{task.account}:hub/default")


def _project(task: Task) -> Made:
    for part in ("Source", "Artifacts"):
        # AWS asks for no place where a pipeline brings and takes it, and ignores one; moto asks.
        task.properties[part] = {"Location": task.properties["Name"], **task.properties[part]}
    answer = task.send("codebuild", "create_project", renames={"BuildSpec": "buildspec"})
    return made(task, found(answer, "project.name"), Arn=found(answer, "project.arn"))


def _pipeline(task: Task) -> Made:
    tags = [{"key": t["Key"], "value": t["Value"]} for t in task.take("Tags", [])]
    answer = task.send("codepipeline", "create_pipeline", {"tags": tags}, within="pipeline")
    return made(task, found(answer, "pipeline.name"))


def _query(task: Task) -> Made:
    answer = task.send("logs", "put_query_definition")
    return made(task, found(answer, "queryDefinitionId"))


RECIPES: Mapping[str, Recipe] = {
    "Logs::LogGroup": _log_group,
    "Logs::MetricFilter": _metric_filter,
    "Logs::QueryDefinition": _query,
    "CloudWatch::Alarm": _alarm,
    "CloudWatch::Dashboard": _dashboard,
    "SNS::Topic": _topic,
    "SNS::TopicPolicy": _topic_policy,
    "SNS::Subscription": Creation(service="sns", operation="subscribe", identity="SubscriptionArn"),
    "XRay::Group": Creation(service="xray", operation="create_group", identity="Group.GroupARN"),
    "Budgets::Budget": _budget,
    "CloudTrail::Trail": _trail,
    "Config::ConfigurationRecorder": _recorder,
    "Config::DeliveryChannel": _channel,
    "Config::ConfigRule": _config_rule,
    "GuardDuty::Detector": Creation(
        service="guardduty", operation="create_detector", identity="DetectorId"
    ),
    "SecurityHub::Hub": _hub,
    "AccessAnalyzer::Analyzer": Creation(
        service="accessanalyzer", operation="create_analyzer", identity="arn"
    ),
    "CodeBuild::Project": _project,
    "CodePipeline::Pipeline": _pipeline,
}
