"""Costs follow the templates: by hand, by changes, and by what nobody has a price of."""

import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costs import Resources, asked, changed
from cti_cost.errors import CostError
from cti_cost.figures import load_prices, load_usage, span
from cti_cost.lines import ALB, DELIVERY, FARGATE, NETWORK, RDS, REDIS
from cti_cost.page import page
from cti_cost.plan import PLAN, comparisons
from cti_cost.reckoning import FREE, RULES, Cost, reckon
from cti_cost.templates import environments
from cti_cost.variants import variants
from model import INFRA, ROOT, load

NAMES = environments()
Change = Callable[[Resources], object]


def cost(environment: str = "prod") -> Cost:
    return reckon(asked(environment))


def at(found: Cost, place: str, item: str) -> tuple[Decimal, Decimal]:
    (line,) = [line for line in found.lines if (line.at, line.item) == (place, item)]
    return line.cost.low, line.cost.high


@pytest.mark.parametrize(
    ("place", "item", "low", "high"),
    [
        # 2 to 10 tasks, 730 hours, 1 CPU at 0.04048 and 2 GB at 0.004445.
        ("app.WebService", "CPU", "59.1008", "295.504"),
        ("app.WebService", "memory", "12.9794", "64.897"),
        # Two workers stay; three come and go on Spot at 0.01265.
        ("app.WorkerService", "CPU", "59.1008", "59.1008"),
        ("app.WorkerService", "CPU on Spot", "0", "27.7035"),
        # 30 GB beyond the 20 that are free, at 0.000111.
        ("app.OllamaService", "disk", "2.4309", "4.8618"),
        # Two machines at 0.072; 100 GB that may grow to 500 at 0.23.
        ("data.Database", "instance, db.t3.medium", "105.12", "105.12"),
        ("data.Database", "storage", "23", "115"),
        ("data.Redis", "nodes, cache.t3.micro", "12.41", "12.41"),
        ("app.LoadBalancer", "load balancer", "16.425", "16.425"),
        ("network.NatGateway1", "NAT gateway", "32.85", "32.85"),
        ("network.NatGateway1", "from sources", "9", "45"),
        # Two addresses of the load balancer at 3.65 each.
        ("app.LoadBalancer", "public addresses", "7.3", "7.3"),
        ("app.Firewall", "rules", "6", "6"),
        # 30 GB and half a GB on 34 more days; 200 GB and three; at 0.095.
        ("data.BackupPlan", "daily copies", "4.465", "28.69"),
        # 5 GB a month kept for three months at 0.15 of their size and 0.03.
        ("network.FlowLogGroup", "lines kept", "0.0675", "0.3375"),
        # 7 to 20 tasks with 30 to 40 metrics at 0.07.
        ("release.Cluster", "Container Insights", "14.7", "56"),
        # A task of 1 GB, or two, where Ollama is paid for: its model is asked.
        ("app.ModelWorkerService", "memory", "3.24485", "6.4897"),
    ],
)
def test_lines_are_what_is_reckoned_by_hand(place: str, item: str, low: str, high: str) -> None:
    assert at(cost(), place, item) == (Decimal(low), Decimal(high))


def test_the_total_is_all_of_its_lines() -> None:
    found = cost()
    assert found.total.low == sum(line.cost.low for line in found.lines)
    *_, left_out, everything = comparisons(found)
    groups = [one for one in comparisons(found) if not one.group.startswith("Together")]
    assert everything.cost.high == sum(one.cost.high for one in groups[:-1])
    assert left_out.cost.low > 100


@pytest.mark.parametrize("environment", NAMES)
def test_the_most_is_not_less_than_the_least(environment: str) -> None:
    for line in cost(environment).lines:
        assert 0 <= line.cost.low <= line.cost.high, line


def more_tasks(resources: Resources) -> None:
    resources["WebScaling"]["Properties"]["MinCapacity"] = 3


def wider_tasks(resources: Resources) -> None:
    resources["WebTask"]["Properties"]["Cpu"] = "2048"


def one_zone(resources: Resources) -> None:
    resources["Database"]["Properties"]["MultiAZ"] = False


def two_nodes(resources: Resources) -> None:
    resources["Redis"]["Properties"]["NumCacheClusters"] = 2


def no_second_way(resources: Resources) -> None:
    del resources["NatGateway2"], resources["NatAddress2"]


def another_rule(resources: Resources) -> None:
    rules = resources["Firewall"]["Properties"]["Rules"]
    rules.append(rules[0])


def shorter_logs(resources: Resources) -> None:
    resources["FlowLogGroup"]["Properties"]["RetentionInDays"] = 30


def no_copies_elsewhere(resources: Resources) -> None:
    del resources["BackupPlan"]["Properties"]["BackupPlan"]["BackupPlanRule"][0]["CopyActions"]


def inside(resources: Resources) -> None:
    resources["LoadBalancer"]["Properties"]["Scheme"] = "internal"


def closer_alarm(resources: Resources) -> None:
    resources["WebCpuAlarm"]["Properties"]["Period"] = 10


@pytest.mark.parametrize(
    ("stack", "change", "low", "high"),
    [
        # A task of web: 29.5504 of CPU, 6.4897 of memory; 30 metrics more.
        ("app", more_tasks, "38.1401", "0"),
        ("app", wider_tasks, "59.1008", "295.504"),
        ("data", one_zone, "-64.06", "-110.06"),
        ("data", two_nodes, "12.41", "12.41"),
        ("network", no_second_way, "-36.5", "-36.5"),
        ("app", another_rule, "1", "1"),
        ("network", shorter_logs, "-0.045", "-0.225"),
        ("data", no_copies_elsewhere, "-3.435", "-22.51"),
        # Two addresses and 20 to 200 GB at 0.09.
        ("app", inside, "-9.1", "-25.3"),
        ("observability", closer_alarm, "0.2", "0.2"),
    ],
)
def test_changed_templates_change_the_sum(stack: str, change: Change, low: str, high: str) -> None:
    difference = reckon(changed("prod", stack, change)).total - cost().total
    assert difference == span(low, high)


def unknown_type(resources: Resources) -> None:
    resources["Search"] = {"Type": "AWS::OpenSearchService::Domain", "Properties": {}}


def unknown_class(resources: Resources) -> None:
    resources["Database"]["Properties"]["DBInstanceClass"] = "db.r6i.large"


def unknown_amount(resources: Resources) -> None:
    resources["OtherBucket"] = {"Type": "AWS::S3::Bucket", "Properties": {}}


def older_insights(resources: Resources) -> None:
    resources["Database"]["Properties"]["PerformanceInsightsRetentionPeriod"] = 31


def data_events(resources: Resources) -> None:
    resources["Trail"]["Properties"]["EventSelectors"] = [{"ReadWriteType": "All"}]


def second_trail(resources: Resources) -> None:
    resources["Trail2"] = resources["Trail"]


def other_balancer(resources: Resources) -> None:
    resources["LoadBalancer"]["Properties"]["Type"] = "network"


def other_pipeline(resources: Resources) -> None:
    del resources["Pipeline"]["Properties"]["PipelineType"]


def steps(resources: Resources) -> None:
    resources["WebScalingPolicy"]["Properties"]["PolicyType"] = "StepScaling"


def older_watching(resources: Resources) -> None:
    resources["Cluster"]["Properties"]["ClusterSettings"][0]["Value"] = "enabled"


def lost_task(resources: Resources) -> None:
    resources["WebService"]["Properties"]["TaskDefinition"] = "web:1"


def text_message(resources: Resources) -> None:
    resources["CriticalMail"]["Properties"]["Protocol"] = "sms"


def other_door(resources: Resources) -> None:
    resources["S3Endpoint"]["Properties"]["VpcEndpointType"] = "GatewayLoadBalancer"


@pytest.mark.parametrize(
    ("stack", "change", "said"),
    [
        ("data", unknown_type, r"AWS::OpenSearchService::Domain \(data.Search\)"),
        ("data", unknown_class, r'rds_db.r6i.large: add \["rds_db.r6i.large"\]'),
        ("data", unknown_amount, "no amount of data.OtherBucket in prod"),
        ("data", older_insights, "Performance Insights beyond 7 days"),
        ("baseline", data_events, "no price of EventSelectors"),
        ("baseline", second_trail, "a second trail"),
        ("app", other_balancer, "a balancer of network"),
        ("delivery", other_pipeline, "other than V2"),
        ("app", steps, "StepScaling"),
        ("release", older_watching, "Container Insights 'enabled'"),
        ("app", lost_task, "not in the stack app"),
        ("observability", text_message, "messages by sms"),
        ("network", other_door, "no price of GatewayLoadBalancer"),
    ],
)
def test_what_has_no_price_is_refused(stack: str, change: Change, said: str) -> None:
    with pytest.raises(CostError, match=said):
        reckon(changed("prod", stack, change))


def test_a_type_costs_or_is_free() -> None:
    assert not set(RULES) & set(FREE)
    assert all(FREE.values())


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("A second node of Redis", "12.41", "12.41"),
        ("RDS Proxy", "21.9", "21.9"),
        # Two machines, 0.007 an hour less.
        ("RDS on Graviton (t4g)", "-10.22", "-10.22"),
        # Six endpoints in two zones, less what 80 to 240 GB cost by NAT and not there.
        ("Interface endpoints", "84.8", "79.2"),
    ],
)
def test_variants_are_reckoned(name: str, low: str, high: str) -> None:
    found = {variant.name: variant for variant in variants(asked("prod"), cost())}
    assert found[name].difference == span(low, high)


def test_variants_are_those_an_environment_has() -> None:
    night, model = "Services and database off at night and at weekends", "No language model"
    have = {name: {variant.name for variant in variants(asked(name), cost(name))} for name in NAMES}
    assert night in have["dev"]
    assert night not in have["prod"]
    assert model in have["prod"]
    assert model not in have["dev"]


def test_what_is_cheaper_costs_less() -> None:
    found = {v.name: v.difference for v in variants(asked("dev"), cost("dev"))}
    off = found["Services and database off at night and at weekends"]
    group = cost("dev").of(FARGATE).low
    # 469.3 of 730 hours; migrations are run as before.
    assert Decimal("-0.65") * (group + 27) < off.low < Decimal("-0.6") * group
    for cheaper in ("Tasks on Graviton", "All workers on Spot", "RDS on Graviton (t4g)"):
        assert found[cheaper].low < 0


def test_every_price_is_used_or_offered() -> None:
    used = {line.price.name for name in NAMES for line in cost(name).lines}
    offered = {f"{kind}{size}" for kind in ("rds_db.", "cache_cache.") for size in ("t3", "t4g")}
    spare = {
        name
        for name in set(load_prices().known) - used
        if not name.startswith((*offered, "fargate_", "build_", "ec2_"))
    }
    assert spare == {"alarm_fast", "ebs_gp3", "interface_data", "interface_endpoint", "rds_proxy"}


def test_prices_say_where_they_are_from() -> None:
    for price in load_prices().known.values():
        assert price.price > 0
        assert len(price.date) == len("2026-11")
        # Nothing else stands without its mark.
        assert price.believed or "infracost" in price.source, price


def test_amounts_name_what_is_there() -> None:
    here = {resource.place for resource in asked("prod").templates.resources()}
    places = {name.removesuffix(" writes") for name in load_usage("prod").known if "." in name}
    assert places
    assert places <= here


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a]\nunit = 'GB'\nreason = 'x'\nprod = [2, 1]\n", "from less to more"),
        ("[a]\nunit = 'GB'\nprod = [1, 2]\n", "needs unit, reason"),
        ("[a\n", "cannot be read"),
    ],
)
def test_wrong_amounts_are_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "usage.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(CostError, match=said):
        load_usage("prod", file)


def test_wrong_prices_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text("[a]\nprice = 1\nunit = 'GB'\n", "utf-8")
    with pytest.raises(CostError, match="a needs price, unit, source and date"):
        load_prices(file)


def test_the_plan_is_beside_what_it_left_out() -> None:
    shown = {one.group: one.verdict for one in comparisons(cost())}
    assert shown[REDIS] == "below"
    assert shown[FARGATE] == shown[RDS] == "within to above"
    assert shown[ALB] == "below to above"
    assert shown[NETWORK] == shown[DELIVERY] == ""
    assert set(PLAN) == {"dev", "prod"}


def test_the_page_is_what_the_command_writes() -> None:
    written = (ROOT / "docs" / "reference" / "aws-cost.md").read_text("utf-8")
    assert written == page([asked(name) for name in NAMES]), "run ./ctiscraper infra cost --write"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cti_cost", *arguments],
        cwd=INFRA,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_tells_one_environment() -> None:
    told = run("--env", "dev").stdout
    assert told in page([asked(name) for name in NAMES])
    assert told.startswith("## dev")


def test_the_command_speaks_json() -> None:
    told: dict[str, Any] = json.loads(run("--env", "prod", "--json").stdout)
    assert told["total"][0] == pytest.approx(
        sum(line["cost"][0] for line in told["lines"]), abs=0.01
    )
    assert [one["environment"] for one in json.loads(run("--json").stdout)] == NAMES


def test_an_unknown_environment_is_refused() -> None:
    done = run("--env", "production")
    assert done.returncode == 2
    assert "invalid choice: 'production'" in done.stderr


@pytest.mark.parametrize("environment", NAMES)
def test_a_budget_rings_in_no_month_that_costs_the_least_and_before_the_most(
    environment: str,
) -> None:
    budget = load(environment)["baseline.Budget"]
    limit = budget["Budget"]["BudgetLimit"]["Amount"]
    first = min(one["Notification"]["Threshold"] for one in budget["NotificationsWithSubscribers"])
    total = cost(environment).total
    assert total.low < limit * first / 100
    assert limit < total.high
