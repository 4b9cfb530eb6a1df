"""Runbooks name what is there: resources, saved queries and log groups of production."""

import json
import re
from collections.abc import Iterator

import pytest

from model import ROOT, asking

PROD = asking("prod")
RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
HOWTO = ROOT / "docs" / "howto"
PAGES = [*RUNBOOKS, HOWTO / "deploy-on-aws.md", HOWTO / "operate-on-aws.md"]
# Names that a person chooses while he follows a page, and that of a drill.
CHOSEN = {
    "cti-scraper-prod-restored",
    "cti-scraper-prod-drill",
    "cti-scraper-prod-incident",
    "cti-scraper/prod/oidc-client",
}


def names() -> set[str]:
    """Everything of production that has a name."""
    found = {f"cti-scraper-prod-{stack}" for stack in PROD.stacks}
    for resource in PROD.resources.values():
        found |= {value for value in resource.properties.values() if isinstance(value, str)}
        for group in ("BackupPlan", "Budget"):
            inner = resource.get(group)
            if isinstance(inner, dict):
                found |= {value for value in inner.values() if isinstance(value, str)}
    return found | {"cti-scraper-prod-redis-001"}


def mentioned(text: str) -> Iterator[str]:
    yield from re.findall(r"(?:aws-waf-logs-)?cti-scraper-prod-[a-z0-9-]+[a-z0-9]", text)
    yield from re.findall(r"cti-scraper/prod/[a-z-]+", text)
    yield from re.findall(r"(?<![\w/])/aws/[a-z]+/[\w/-]+\w", text)


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.stem)
def test_what_a_runbook_names_is_there(file: object) -> None:
    known = names()
    for name in mentioned((ROOT / str(file)).read_text("utf-8")):
        assert name in known | CHOSEN, name


def test_how_many_images_are_kept_is_told_as_it_is() -> None:
    told = (ROOT / "docs" / "runbooks" / "rollback.md").read_text("utf-8")
    kept = {}
    for repository in PROD.of("ECR::Repository"):
        rules = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
        [newest] = [one["selection"] for one in rules if one["selection"]["tagStatus"] == "any"]
        # By the time of the push, and by nothing else.
        assert newest["countType"] == "imageCountMoreThan"
        kept[repository["RepositoryName"].partition("/")[2]] = newest["countNumber"]
    assert kept == {name: int(count) for count, name in re.findall(r"(\d+) of `([a-z]+)`", told)}
    assert f"after {kept['worker']} pushes without a deployment" in told


def test_saved_queries_of_runbooks_are_there() -> None:
    saved = {query["Name"] for query in PROD.of("Logs::QueryDefinition")}
    asked = {
        name
        for file in RUNBOOKS
        for name in re.findall(r"saved query `([^`]+)`", file.read_text("utf-8"))
    }
    assert asked
    assert asked <= saved


def test_every_runbook_of_an_alarm_names_its_alarms() -> None:
    pages = {file.stem: file.read_text("utf-8") for file in RUNBOOKS}
    for alarm in PROD.of("CloudWatch::Alarm"):
        (page,) = re.findall(r"docs/runbooks/([a-z-]+)\.md", alarm["AlarmDescription"])
        assert f"`{alarm['AlarmName'].removeprefix('cti-scraper-prod-')}`" in pages[page]


# What the plan of operation asks for, beside what alarms ask for.
@pytest.mark.parametrize(
    "name", ["deploy", "rollback", "restore", "failover", "secrets", "incident"]
)
def test_there_is_a_runbook_with_commands(name: str) -> None:
    (page,) = [file.read_text("utf-8") for file in RUNBOOKS if file.stem == name]
    assert "./ctiscraper ops " in page
    assert f"runbooks/{name}.md" in (ROOT / "mkdocs.yml").read_text("utf-8")


def test_the_drill_of_each_quarter_has_a_reminder_and_a_checklist() -> None:
    page = (ROOT / "docs/runbooks/restore.md").read_text("utf-8")
    assert "docs/runbooks/restore.md" in PROD["observability.DrillReminder"]["Targets"][0]["Input"]
    assert PROD["observability.DrillReminder"]["ScheduleExpression"] == "cron(0 9 1 1,4,7,10 ? *)"
    assert page.count("- [ ] ") >= 8


def test_alarms_and_stages_of_runbooks_are_there() -> None:
    text = "".join(file.read_text("utf-8") for file in RUNBOOKS)
    (pipeline,) = PROD.of("CodePipeline::Pipeline")
    stages = {stage["Name"] for stage in pipeline["Stages"]}
    asked = set(re.findall(r"--stage-name (\S+)", text))
    assert asked
    assert asked <= stages
