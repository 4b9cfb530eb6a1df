"""`deploy`: refusals before anything changes, the order, the migration, and the way back."""

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID

from cti_infra.config import DEV, ENVIRONMENTS, PROD
from cti_ops import cli
from cti_ops.cli import main
from cti_ops.deploy import SERVICE_STACKS, Wanted, deploy, foundation_stacks, look, steps
from cti_ops.errors import FaultsError, OpsError
from cti_ops.source import Source
from cti_ops.toolkit import Toolkit
from front_door import FrontDoor, front_door, make_certificate
from installation import Installation, MotoStacks
from model import RENDERED

DEPLOYMENT = """
[prod]
account = "{account}"
certificate_arn = "{certificate}"
domain = "cti.example.org"
contact = "https://example.org/crawler"
alerts_to = "on-call@example.org"
"""


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", folder, "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.fixture
def source(tmp_path: Path) -> Source:
    folder = tmp_path / "clone"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "file").write_text("one", "utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    return Source(folder)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[FrontDoor]:
    with front_door(make_certificate(tmp_path, now=datetime.now(UTC), days=90)) as made:
        yield made


def make_ready(installed: Installation, tag: str, certificate: Path) -> str:
    """Have all that a deployment asks for be there, and return the certificate."""
    place = installed.place
    for region in ("us-east-1", "us-west-2"):
        place.client("ssm", region).put_parameter(
            Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String"
        )
    place.client("cloudformation").create_stack(
        StackName="cti-scraper-prod-data",
        TemplateBody='{"Resources":{"Topic":{"Type":"AWS::SNS::Topic"}}}',
    )
    ecr = place.client("ecr")
    tags = {name: [tag] for name in ("web", "worker", "scheduler")}
    tags["web"].append(f"proxy-{tag}")
    tags["ollama"] = ["llama"]
    for name, some in tags.items():
        ecr.create_repository(repositoryName=f"cti-scraper/{name}")
        for one in some:
            # What differs alone has a digest of its own.
            manifest = {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"size": 1, "digest": f"sha256:{one}"},
                "layers": [],
            }
            ecr.put_image(
                repositoryName=f"cti-scraper/{name}",
                imageManifest=json.dumps(manifest),
                imageTag=one,
            )
    made, mark, key = certificate.read_bytes().partition(b"-----BEGIN PRIVATE KEY-----")
    imported = place.client("acm").import_certificate(Certificate=made, PrivateKey=mark + key)
    return str(imported["CertificateArn"])


@pytest.fixture
def wanted(installed: Installation, source: Source, door: FrontDoor, tmp_path: Path) -> Wanted:
    tag = source.tag()
    file = tmp_path / "prod.toml"
    arn = make_ready(installed, tag, door.authority)
    file.write_text(DEPLOYMENT.format(account=DEFAULT_ACCOUNT_ID, certificate=arn), "utf-8")
    return Wanted(
        place=installed.place,
        deployer=MotoStacks(installed.place),
        file=file,
        source=source,
        tag=tag,
        ollama_tag="llama",
        authorities=door.authority,
        plain_port=door.http_port,
        https_port=door.https_port,
    )


def stacks(wanted: Wanted) -> list[str]:
    assert isinstance(wanted.deployer, MotoStacks)
    return [name.removeprefix("cti-scraper-prod-") for name, _ in wanted.deployer.deployed]


def test_the_stacks_are_those_of_the_templates() -> None:
    for name, environment in ENVIRONMENTS.items():
        order = [*foundation_stacks(environment), "release", *SERVICE_STACKS]
        rendered = {file.stem for file in (RENDERED / name).glob("*.json")}
        assert set(order) == rendered - {"delivery"}


def test_everything_is_deployed_in_order(installed: Installation, wanted: Wanted) -> None:
    deploy(wanted, look(wanted))
    order = [*foundation_stacks(PROD), "release", *SERVICE_STACKS]
    assert stacks(wanted) == order
    assert [task["family"] for task in installed.agent.ran] == ["migrate"]
    assert isinstance(wanted.deployer, MotoStacks)
    given = dict(wanted.deployer.deployed)
    assert given["cti-scraper-prod-release"] == {"ImageTag": wanted.tag}
    assert given["cti-scraper-prod-app"] == {"ImageTag": wanted.tag, "OllamaTag": "llama"}
    running = installed.place.client("ecs").describe_task_definition(
        taskDefinition=installed.service("web")["taskDefinition"]
    )["taskDefinition"]
    assert running["containerDefinitions"][0]["image"] == f"product:{wanted.tag}"
    assert installed.said[-1] == f"prod runs {wanted.tag}."


def test_the_migration_is_between_release_and_services(
    installed: Installation, wanted: Wanted
) -> None:
    installed.agent.codes["migrate", "migrate"] = 8
    before = installed.service("web")["taskDefinition"]
    with pytest.raises(OpsError, match="the migration failed, so no service was touched") as caught:
        deploy(wanted, look(wanted))
    assert "prepare 0, migrate 8, roles did not run" in str(caught.value)
    assert stacks(wanted) == [*foundation_stacks(PROD), "release"]
    assert installed.service("web")["taskDefinition"] == before


def test_services_that_never_stand_are_rolled_back(installed: Installation, wanted: Wanted) -> None:
    before = {name: installed.service(name)["taskDefinition"] for name in installed.place.services}
    newer = before["web"].rpartition(":")[0] + ":2"
    installed.agent.bad.add(newer)
    with pytest.raises(OpsError, match="not steady after 20 minutes: web") as caught:
        deploy(wanted, look(wanted))
    assert "rolled back: web is back at cti-scraper-prod-web:1" in str(caught.value)
    after = {name: installed.service(name)["taskDefinition"] for name in installed.place.services}
    assert after == before
    assert installed.clock.slept >= 1200


def test_services_that_ecs_gives_up_are_rolled_back(
    installed: Installation, wanted: Wanted
) -> None:
    installed.agent.given_up.add("worker")
    with pytest.raises(OpsError, match="ECS gave up: worker: tasks failed to start") as caught:
        deploy(wanted, look(wanted))
    # It stays given up, and that is said as well.
    assert "the way back failed too" in str(caught.value)
    assert installed.service("worker")["taskDefinition"].endswith("worker:1")


def test_services_that_ecs_put_back_are_no_success(installed: Installation, wanted: Wanted) -> None:
    before = installed.service("web")["taskDefinition"]

    def put_back() -> None:
        for service in installed.agent.backend.services.values():
            if service.name == "web":
                service.task_definition = before

    installed.clock.acts.append(put_back)
    with pytest.raises(OpsError, match=r"ECS went back by itself.*: web to cti-scraper-prod-web:1"):
        deploy(wanted, look(wanted))
    assert installed.service("worker")["taskDefinition"].endswith("worker:1")


def test_services_that_cannot_be_looked_at_are_rolled_back(
    installed: Installation, wanted: Wanted
) -> None:
    deployment = look(wanted)
    calls = [0]

    def throttled(**_: object) -> None:
        calls[0] += 1
        # The first asks what runs before, five are of the stack, and then services are waited for.
        if calls[0] == 7:
            raise wanted.place.client("ecs").exceptions.ClientError(
                {"Error": {"Code": "ThrottlingException"}}, "DescribeServices"
            )

    installed.hook("ecs", "before-call.ecs.DescribeServices", throttled)
    with pytest.raises(OpsError, match=r"AWS is asked too often .DescribeServices.") as caught:
        deploy(wanted, deployment)
    assert "rolled back: web is back" in str(caught.value)
    assert installed.service("web")["taskDefinition"].endswith("web:1")


def test_a_stack_that_fails_has_services_rolled_back(
    installed: Installation, wanted: Wanted
) -> None:
    assert isinstance(wanted.deployer, MotoStacks)
    wanted.deployer.fails = "cti-scraper-prod-observability"
    with pytest.raises(OpsError, match="observability could not be deployed") as caught:
        deploy(wanted, look(wanted))
    assert "rolled back: web is back" in str(caught.value)
    assert installed.service("scheduler")["taskDefinition"].endswith("scheduler:1")


def test_what_does_not_answer_is_rolled_back(
    installed: Installation, wanted: Wanted, door: FrontDoor
) -> None:
    door.answers["/login"] = (500, "")
    with pytest.raises(OpsError, match="login page: /login answers 500") as caught:
        deploy(wanted, look(wanted))
    assert "rolled back: " in str(caught.value)
    assert installed.service("web")["taskDefinition"].endswith("web:1")


def test_the_foundation_asks_for_no_image(installed: Installation, wanted: Wanted) -> None:
    installed.place.client("ecr").delete_repository(repositoryName="cti-scraper/worker", force=True)
    with pytest.raises(FaultsError, match=r"no repository cti-scraper/worker.*--foundation"):
        look(wanted)
    first = replace(wanted, foundation=True)
    deploy(first, look(first))
    assert stacks(first) == foundation_stacks(PROD)
    assert installed.agent.ran == []


def refused(wanted: Wanted) -> str:
    with pytest.raises(FaultsError) as caught:
        look(wanted)
    assert caught.value.code == 3
    assert "nothing was changed" in str(caught.value)
    assert stacks(wanted) == []
    return str(caught.value)


Harm = Callable[[Installation], object]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (
            lambda i: i.change("sts", "GetCallerIdentity", lambda a: a.update(Account="9" * 12)),
            "account: the credentials are of 999999999999",
        ),
        (
            lambda i: i.place.client("ssm", "us-west-2").delete_parameter(
                Name="/cdk-bootstrap/hnb659fds/version"
            ),
            "us-west-2 is not ready for it; ./ctiscraper infra cdk bootstrap",
        ),
        (
            lambda i: i.change(
                "acm",
                "DescribeCertificate",
                lambda a: a["Certificate"].update(Status="PENDING_VALIDATION"),
            ),
            "certificate: it is PENDING_VALIDATION, not ISSUED",
        ),
        (
            lambda i: i.change(
                "acm",
                "DescribeCertificate",
                lambda a: a["Certificate"].update(
                    DomainName="other.org", SubjectAlternativeNames=["other.org"]
                ),
            ),
            "certificate: it is for other.org, not for cti.example.org",
        ),
        (
            lambda i: i.change(
                "acm",
                "DescribeCertificate",
                lambda a: a["Certificate"].update(NotAfter=datetime(2020, 1, 1, tzinfo=UTC)),
            ),
            "certificate: it ended on 2020-01-01",
        ),
        (
            lambda i: i.fail("acm", "DescribeCertificate", "ResourceNotFoundException"),
            "is not in us-east-1; request one there",
        ),
        (
            lambda i: i.place.client("ec2").create_vpc(CidrBlock="10.0.128.0/20"),
            "network: 10.0.0.0/16 overlaps 10.0.128.0/20",
        ),
        (
            lambda i: i.place.client("secretsmanager").delete_secret(
                SecretId="cti-scraper/prod/redis", ForceDeleteWithoutRecovery=True
            ),
            "secret: cti-scraper/prod/redis is missing",
        ),
        (
            lambda i: i.place.client("secretsmanager").delete_secret(
                SecretId="cti-scraper/prod/redis"
            ),
            "secret: cti-scraper/prod/redis is to be deleted",
        ),
        (
            lambda i: i.place.client("cloudformation").delete_stack(
                StackName="cti-scraper-prod-data"
            ),
            "is there already, of an earlier installation",
        ),
        (
            lambda i: i.change(
                "ec2", "DescribeAvailabilityZones", lambda a: a.update(AvailabilityZones=[])
            ),
            "region: us-east-1 has 0 zones",
        ),
    ],
)
def test_what_is_wrong_is_refused_before_anything(
    installed: Installation, wanted: Wanted, harm: Harm, said: str
) -> None:
    harm(installed)
    assert said in refused(wanted)


def test_another_region_of_the_credentials_is_refused(
    wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert "region: eu-west-1 by the profile, and prod is in us-east-1" in refused(wanted)


@pytest.mark.parametrize("name", ["worker", "web"])
def test_an_image_that_nobody_pushed_is_refused(
    installed: Installation, wanted: Wanted, name: str
) -> None:
    installed.place.client("ecr").batch_delete_image(
        repositoryName=f"cti-scraper/{name}", imageIds=[{"imageTag": wanted.tag}]
    )
    assert f"image: cti-scraper/{name}:{wanted.tag} is not in ECR" in refused(wanted)


def test_every_fault_is_told_at_once(installed: Installation, wanted: Wanted) -> None:
    installed.place.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    said = refused(replace(wanted, tag="v1.2", ollama_tag=None))
    assert "network: " in said
    assert "tag: 'v1.2' should be 7 to 40 digits" in said
    assert "ollama: give the tag" in said


def test_a_tree_that_differs_from_its_commit_is_refused(wanted: Wanted) -> None:
    (wanted.source.folder / "file").write_text("two", "utf-8")
    assert "tag: 1 files differ from the commit (file …)" in refused(wanted)


def test_a_commit_that_is_not_there_is_refused(wanted: Wanted) -> None:
    assert "tag: there is no commit abcdef012345" in refused(replace(wanted, tag="abcdef012345"))


def test_what_is_no_clone_is_refused(wanted: Wanted, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "is no clone of the repository" in refused(replace(wanted, source=Source(empty)))


def test_the_steps_name_all_that_is_done(wanted: Wanted) -> None:
    told = list(steps(wanted))
    assert told[0] == "deploy the stack cti-scraper-prod-baseline"
    assert told[5] == f"deploy the stack cti-scraper-prod-release ImageTag={wanted.tag}"
    assert told[6].startswith("run cti-scraper-prod-migrate")
    assert len(told) == 11
    assert len(list(steps(replace(wanted, foundation=True)))) == 5
    assert foundation_stacks(DEV) == ["baseline", "network", "registry", "data"]


def test_a_dry_run_shows_the_steps_and_the_question(
    wanted: Wanted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "Source", lambda: wanted.source)
    place = wanted.place
    arguments = [
        "deploy",
        "--env=prod",
        f"--endpoint-url={place.endpoint_url}",
        f"--deployment={wanted.file}",
        "--ollama-tag=llama",
    ]
    assert main([*arguments, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if line.startswith("6. ")] == [
        f"6. deploy the stack cti-scraper-prod-release ImageTag={wanted.tag}"
    ]
    question = f"Deploy {wanted.tag} to prod, account {DEFAULT_ACCOUNT_ID}?"
    assert f"Would ask: {question} Nothing was changed." in shown
    # There is nobody here to say yes.
    assert main(arguments) == 2
    assert f"{question} There is nobody to ask: add --yes" in capsys.readouterr().err


def test_the_toolkit_is_told_once_for_each_stack(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.write_text(
        f'echo "$AWS_REGION $AWS_ENDPOINT_URL $*" >>{tmp_path}/calls\n'
        "for last; do :; done\n"
        'echo "{\\"$3\\": {\\"Address\\": \\"alb.example\\"}}" >"${last#--outputs-file=}"\n',
        "utf-8",
    )
    toolkit = Toolkit(
        environment="prod",
        deployment=tmp_path / "prod.toml",
        region="us-east-1",
        endpoint_url="http://127.0.0.1:1",
        run=run,
    )
    outputs = toolkit.deploy(["one", "two"], {"two": {"ImageTag": "abc"}})
    assert outputs == {"one": {"Address": "alb.example"}, "two": {"Address": "alb.example"}}
    first, second = (tmp_path / "calls").read_text("utf-8").splitlines()
    assert first.startswith("us-east-1 http://127.0.0.1:1 cdk deploy one --exclusively")
    assert f"--context=environment=prod --context=deployment={tmp_path}/prod.toml" in first
    assert "--parameters" not in first
    assert "--parameters=two:ImageTag=abc" in second


def test_a_toolkit_that_fails_stops_the_deployment(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.write_text(f'echo "$3" >>{tmp_path}/calls\nexit 7\n', "utf-8")
    toolkit = Toolkit(environment="prod", deployment=tmp_path, region="us-east-1", run=run)
    with pytest.raises(OpsError, match=r"one could not be deployed \(the toolkit ended with 7\)"):
        toolkit.deploy(["one", "two"], {})
    assert (tmp_path / "calls").read_text("utf-8") == "one\n"


def test_without_credentials_it_says_where_they_come_from(
    monkeypatch: pytest.MonkeyPatch, aws: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    arguments = ["deploy", "--env=dev", f"--deployment={tmp_path}", f"--endpoint-url={aws}"]
    assert main(arguments) == 3
    assert "no credentials of AWS were found" in capsys.readouterr().err
