"""Blue-green deployments of web: off unless asked for; broken ones are named."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from contract import faults
from costs import asked
from cti_cost.reckoning import reckon
from cti_cost.templates import Templates
from cti_infra.config import ENVIRONMENTS, PROD
from cti_infra.sign_on_settings import sign_on_faults
from made import AT_BALANCER, in_turns
from model import Document, load

Resources = dict[str, Any]


def test_they_are_off() -> None:
    for name in ENVIRONMENTS:
        service = load(name)["app.WebService"]
        assert "Strategy" not in service["DeploymentConfiguration"]
        assert len(load(name).of("ElasticLoadBalancingV2::TargetGroup")) == 1


def test_the_contract_holds() -> None:
    assert faults(in_turns()) == []


def test_web_stands_beside_itself_for_ten_minutes() -> None:
    service = in_turns()["app.WebService"]
    rollout = service["DeploymentConfiguration"]
    assert (rollout["Strategy"], rollout["BakeTimeInMinutes"]) == ("BLUE_GREEN", 10)
    assert rollout["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert rollout["Alarms"] == {
        "AlarmNames": [
            "cti-scraper-prod-web-rollout-errors",
            "cti-scraper-prod-web-rollout-slowness",
        ],
        "Enable": True,
        "Rollback": True,
    }
    (target,) = service["LoadBalancers"]
    assert target["AdvancedConfiguration"] == {
        "AlternateTargetGroupArn": "app.GreenTargets",
        "ProductionListenerRule": "app.WebRule.RuleArn",
        "RoleArn": "app.WebRolloutRole.Arn",
    }


def test_others_are_replaced_in_turn_as_before() -> None:
    for name in ("Worker", "Scheduler", "Ollama"):
        assert "Strategy" not in in_turns()[f"app.{name}Service"]["DeploymentConfiguration"]


def test_ecs_may_move_requests_and_nothing_else() -> None:
    role = in_turns()["app.WebRolloutRole"]
    assert [arn.rpartition("/")[2] for arn in role["ManagedPolicyArns"]] == [
        "AmazonECSInfrastructureRolePolicyForLoadBalancers"
    ]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "ecs.amazonaws.com"}
    assert "Policies" not in role.properties


def test_the_alarm_of_an_outage_and_the_dashboard_see_both_groups() -> None:
    alarm = in_turns()["observability.WebDownAlarm"]
    assert [query.get("Expression") for query in alarm["Metrics"]][-1] == (
        "MAX([FILL(blue, 0), FILL(green, 0)])"
    )
    body = in_turns()["observability.Dashboard"]["DashboardBody"]
    assert body.count("TargetGroupFullName") == 2


def test_logging_in_at_the_load_balancer_is_refused_beside_it() -> None:
    environment = replace(PROD, blue_green=True)
    assert any("of one rule alone" in fault for fault in sign_on_faults(AT_BALANCER, environment))
    (rule,) = [r for n, r in in_turns().stacks["app"]["Rules"].items() if n.startswith("NoLogIn")]
    assert rule["Assertions"][0]["Assert"] == {
        "Fn::Equals": [{"Ref": "OidcAuthorizationEndpoint"}, ""]
    }


def test_it_costs_two_alarms_and_their_metrics() -> None:
    before = asked("prod")
    after = replace(before, templates=Templates("prod", in_turns().stacks))
    difference = reckon(after).total - reckon(before).total
    # Four metrics of the new alarms, and the second one of web-down, at 0.10.
    assert (float(difference.low), float(difference.high)) == (0.5, 0.5)


def properties(stacks: dict[str, Document], stack: str, name: str) -> Resources:
    found: Resources = stacks[stack]["Resources"][name]["Properties"]
    return found


def same_group(stacks: dict[str, Document]) -> None:
    (target,) = properties(stacks, "app", "WebService")["LoadBalancers"]
    target["AdvancedConfiguration"]["AlternateTargetGroupArn"] = {"Ref": "WebTargets"}


def unlike_groups(stacks: dict[str, Document]) -> None:
    properties(stacks, "app", "GreenTargets")["HealthCheckPath"] = "/"


def no_bake(stacks: dict[str, Document]) -> None:
    properties(stacks, "app", "WebService")["DeploymentConfiguration"]["BakeTimeInMinutes"] = 0


def no_rollback(stacks: dict[str, Document]) -> None:
    rollout = properties(stacks, "app", "WebService")["DeploymentConfiguration"]
    rollout["Alarms"]["Rollback"] = False


def unknown_alarm(stacks: dict[str, Document]) -> None:
    rollout = properties(stacks, "app", "WebService")["DeploymentConfiguration"]
    rollout["Alarms"]["AlarmNames"] = ["cti-scraper-prod-web-down"]


def blind_alarm(stacks: dict[str, Document]) -> None:
    del properties(stacks, "app", "WebRolloutErrorsAlarm")["Metrics"][1]


def blind_outage(stacks: dict[str, Document]) -> None:
    del properties(stacks, "observability", "WebDownAlarm")["Metrics"][1]


def half_of_the_paths(stacks: dict[str, Document]) -> None:
    rule = properties(stacks, "app", "WebRule")
    rule["Conditions"][0]["PathPatternConfig"]["Values"] = ["/api/*"]


def both_at_once(stacks: dict[str, Document]) -> None:
    forward = properties(stacks, "app", "WebRule")["Actions"][0]["ForwardConfig"]
    forward["TargetGroups"][1]["Weight"] = 100


def no_role(stacks: dict[str, Document]) -> None:
    (target,) = properties(stacks, "app", "WebService")["LoadBalancers"]
    del target["AdvancedConfiguration"]["RoleArn"]


@pytest.mark.parametrize(
    "change",
    [
        same_group,
        unlike_groups,
        no_bake,
        no_rollback,
        unknown_alarm,
        blind_alarm,
        blind_outage,
        half_of_the_paths,
        both_at_once,
        no_role,
    ],
)
def test_what_is_broken_is_named(change: Callable[[dict[str, Document]], None]) -> None:
    found = faults(in_turns().changed(change))
    assert [fault for fault in found if fault.startswith("turns: ")], found
