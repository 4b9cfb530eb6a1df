"""Who may do what on AWS: exactly what the table says, and nobody else may take a role."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cti_infra.config import ENVIRONMENTS
from model import Resource, asking

PROD = asking("prod")
TABLE = Path(__file__).with_name("allowed.txt")
MANAGED = {
    "data.DatabaseMonitoringRole": ["AmazonRDSEnhancedMonitoringRole"],
    "data.BackupRole": ["AWSBackupServiceRolePolicyForBackup"],
}
SERVICES = {
    "app": "ecs-tasks.amazonaws.com",
    "release": "ecs-tasks.amazonaws.com",
}


def rights(role: Resource) -> Iterator[str]:
    """Each action that a role may do, on what, and under which condition."""
    for policy in role.get("Policies", []):
        for statement in policy["PolicyDocument"]["Statement"]:
            condition = statement.get("Condition")
            limit = f" if {json.dumps(condition, sort_keys=True)}" if condition else ""
            for action in statement["Action"]:
                for resource in statement["Resource"]:
                    yield f"{role.place} {action} {resource}{limit}"


def test_roles_may_do_exactly_what_the_table_says() -> None:
    found = sorted(line for role in PROD.of("IAM::Role") for line in rights(role))
    assert found == TABLE.read_text("utf-8").splitlines()


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_other_environments_have_no_further_rights(name: str) -> None:
    allowed = {tuple(line.split(" ")[:2]) for line in TABLE.read_text("utf-8").splitlines()}
    found = {
        tuple(line.split(" ")[:2]) for role in asking(name).of("IAM::Role") for line in rights(role)
    }
    assert found <= allowed


def test_managed_policies_are_the_services_own() -> None:
    found = {
        role.place: [arn.rpartition("/")[2] for arn in role["ManagedPolicyArns"]]
        for role in PROD.of("IAM::Role")
        if role.get("ManagedPolicyArns")
    }
    assert found == MANAGED


def test_every_role_is_taken_by_one_service_of_this_account() -> None:
    for role in PROD.of("IAM::Role"):
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert list(statement["Principal"]) == ["Service"]
        service = statement["Principal"]["Service"]
        assert service == SERVICES.get(role.stack, service)
        if role.name != "DatabaseMonitoringRole":
            assert statement["Condition"] == {
                "StringEquals": {"aws:SourceAccount": "AWS::AccountId"}
            }


def test_each_task_has_roles_of_its_own() -> None:
    tasks = PROD.of("ECS::TaskDefinition")
    roles = [task[kind] for task in tasks for kind in ("TaskRoleArn", "ExecutionRoleArn")]
    assert len(set(roles)) == 2 * len(tasks)


def test_no_task_may_read_a_secret_by_itself() -> None:
    for task in PROD.of("ECS::TaskDefinition"):
        role = PROD[task["TaskRoleArn"].removesuffix(".Arn")]
        assert not [line for line in rights(role) if "secretsmanager" in line or "kms" in line]
