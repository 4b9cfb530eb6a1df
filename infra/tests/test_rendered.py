"""What is committed is what the code says, and neither cfn-lint nor AwsSolutions has a word."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from cti_infra.acknowledged import acknowledged
from cti_infra.config import ENVIRONMENTS, PROD
from cti_infra.deployment import Deployment
from cti_infra.rendering import Finding, synthesize, text_of
from model import RENDERED, Document

NAMES = tuple(ENVIRONMENTS)
# A template that CloudFormation takes by way of a bucket, in bytes.
LARGEST = 1_000_000


@cache
def made(name: str) -> tuple[dict[str, Document], set[Finding]]:
    return synthesize(ENVIRONMENTS[name], acknowledging=True)


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_templates_are_what_the_code_makes(name: str) -> None:
    templates, _ = made(name)
    committed = {file.stem: file.read_text("utf-8") for file in (RENDERED / name).glob("*.json")}
    wanted = {stack: text_of(template) for stack, template in templates.items()}
    assert committed == wanted, "run ./ctiscraper infra render"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_found_that_nobody_acknowledged(name: str) -> None:
    assert made(name)[1] == set()


def test_every_acknowledgement_is_of_something_found() -> None:
    _, found = synthesize(PROD, acknowledging=False)
    # A warning is told, and does not fail a synthesis.
    wanted = {(stack.lower(), construct, rule) for stack, construct, rule, _ in acknowledged(PROD)}
    assert found == wanted


def test_every_acknowledgement_has_a_reason_of_its_own() -> None:
    for *place, reason in acknowledged(PROD):
        assert len(reason.split()) > 5, place


def test_cfn_lint_has_no_word() -> None:
    files = sorted(str(file) for file in RENDERED.glob("*/*.json"))
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.parametrize("name", NAMES)
def test_templates_are_small_enough_and_name_no_account(name: str) -> None:
    for file in (RENDERED / name).glob("*.json"):
        content = file.read_text("utf-8")
        assert len(content) < LARGEST
        template = json.loads(content)
        assert len(template["Resources"]) < 500
        assert "111122223333" not in content


def test_a_deployment_is_taken_and_becomes_the_parameters_defaults() -> None:
    account = "111122223333"
    deployment = Deployment(
        account=account,
        certificate_arn=f"arn:aws:acm:us-east-1:{account}:certificate/{'0' * 36}",
        domain="cti.example.org",
        contact="https://example.org/crawler",
        alerts_to="on-call@example.org",
    )
    templates, found = synthesize(PROD, acknowledging=True, deployment=deployment)
    assert found == set(), "the toolkit refuses to deploy what nobody acknowledged"
    parameters = templates["app"]["Parameters"]
    assert parameters["Domain"]["Default"] == "cti.example.org"
    assert parameters["CertificateArn"]["Default"] == deployment.certificate_arn
    bucket = templates["data"]["Resources"]["DataBucket"]["Properties"]["BucketName"]
    assert bucket == f"cti-scraper-data-prod-{account}"
