"""What an alarm asks for is what is published, and a step that fails is told as failed."""

import json
import re
from pathlib import Path

import pytest

RENDERED = Path(__file__).parents[1] / "rendered"
ENVIRONMENTS = sorted(folder.name for folder in RENDERED.iterdir() if folder.is_dir())


def resources(environment: str, stack: str) -> dict[str, dict[str, object]]:
    found = json.loads((RENDERED / environment / f"{stack}.json").read_text("utf-8"))
    return dict(found["Resources"])


def of_kind(given: dict[str, dict[str, object]], kind: str) -> list[dict[str, object]]:
    return [one for one in given.values() if one["Type"] == kind]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_alarm_of_the_firewall_asks_for_what_it_publishes(environment: str) -> None:
    acls = of_kind(resources(environment, "app"), "AWS::WAFv2::WebACL")
    published = {
        json.dumps(acl["Properties"]["VisibilityConfig"]["MetricName"])  # type: ignore[index]  # a template
        for acl in acls
    }
    alarms = of_kind(resources(environment, "observability"), "AWS::CloudWatch::Alarm")
    asked = {
        json.dumps(value)
        for alarm in alarms
        for value in re.findall(r'"Name": "WebACL", "Value": "([^"]+)"', json.dumps(alarm))
    }
    assert published
    assert asked == published


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_each_image_is_pushed_by_a_command_of_its_own(environment: str) -> None:
    """A loop ends as its last turn does, whatever failed before."""
    specs = [
        json.loads(one["Properties"]["Source"]["BuildSpec"])  # type: ignore[index]  # a template
        for one in of_kind(resources(environment, "delivery"), "AWS::CodeBuild::Project")
        if "docker push" in json.dumps(one)
    ]
    [spec] = specs
    commands = [line for phase in spec["phases"].values() for line in phase["commands"]]
    pushes = [line for line in commands if "docker push" in line]
    assert len(pushes) == 4
    for line in pushes:
        # What a run before has pushed stands: tags are never changed.
        found = re.fullmatch(
            r"aws ecr describe-images --repository-name (\S+) --image-ids imageTag=(\S+)"
            r" >/dev/null 2>&1 \|\| docker push \S+/(\S+):(\S+)",
            line,
        )
        assert found is not None, line
        assert found[1].endswith(found[3].rpartition("/")[2])
        assert found[2] == found[4]
    assert not any(word in line for line in commands for word in ("for ", ";"))
