"""The account of a rehearsal: an emulator here, and what an operator does there first."""

import json
import logging
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moto.moto_api import state_manager
from moto.server import ThreadedMotoServer

from cti_infra.config import PROJECT
from cti_ops.checks import BOOTSTRAP, Images
from cti_ops.place import Place
from rehearsal.processes import HERE

# Nothing of a real account is known, so nothing of it can be touched.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}
_MOTO = {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true", "NO_PROXY": HERE}
_UNSET = ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL")


@contextmanager
def emulator() -> Iterator[str]:
    """Yield the address of an emulator that knows nothing yet; agents reach into it."""
    before = {name: os.environ.get(name) for name in (*CREDENTIALS, *_MOTO, *_UNSET)}
    os.environ.update({**CREDENTIALS, **_MOTO})
    for name in _UNSET:
        os.environ.pop(name, None)
    # What it lacks is told where a stack is deployed, without a trace for each.
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address=HERE, port=0, verbose=False)
    server.start()
    # Tasks stay as they are until the agent ends them.
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 9999})
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
        state_manager.unset_transition("ecs::task")
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def bootstrap(place: Place) -> None:
    """Leave the mark that `cdk bootstrap` leaves, in each region that the environment uses."""
    environment = place.environment
    for region in filter(None, (environment.region, environment.recovery_region)):
        place.client("ssm", region).put_parameter(Name=BOOTSTRAP, Value="30", Type="String")


def bring_certificate(place: Place, file: Path) -> str:
    """Return the ARN under which ACM knows a certificate."""
    made, mark, key = file.read_bytes().partition(b"-----BEGIN PRIVATE KEY-----")
    answer = place.client("acm").import_certificate(Certificate=made, PrivateKey=mark + key)
    return str(answer["CertificateArn"])


def push(place: Place, images: Images) -> dict[str, str]:
    """Push images, and return by their addresses what repository they are of."""
    ecr, addresses = place.client("ecr"), {}
    for name, tag in images.wanted():
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            # What differs alone has a digest of its own.
            "config": {"size": 1, "digest": f"sha256:{tag}"},
            "layers": [],
        }
        repository = f"{PROJECT}/{name}"
        ecr.put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag=tag)
        found = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]
        addresses[f"{found['repositoryUri']}:{tag}"] = tag
    return addresses


def secret_value(place: Place, value_from: str) -> str:
    """Return what ECS gives for a secret of a task definition: all of it, or a field."""
    parts = value_from.split(":")
    arn, fields = ":".join(parts[:7]), parts[7:]
    text = str(place.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
    return str(json.loads(text)[fields[0]]) if fields and fields[0] else text


def open_bucket(place: Place) -> None:
    """Let raw pages be kept: of a bucket's policy the emulator reads no conditions.

    That of this one refuses whoever comes without TLS; here it would refuse everybody.
    """
    place.client("s3").delete_bucket_policy(Bucket=place.bucket())


def clone(source: Path, folder: Path) -> None:
    """Make a clone of what is checked out, so that commits of the rehearsal stay in it."""
    git(source, "clone", "--quiet", "--shared", str(source), str(folder))


def commit(folder: Path, words: str) -> None:
    """Make a commit that changes nothing but the tag of images."""
    mine = ("-c", "user.name=rehearsal", "-c", "user.email=rehearsal@localhost")
    git(folder, *mine, "commit", "--quiet", "--allow-empty", "--no-verify", "-m", words)


def git(folder: Path, *arguments: str) -> None:
    """Run git. Raises CalledProcessError."""
    subprocess.run(  # noqa: S603 - arguments, never a shell
        ["git", "-C", str(folder), *arguments],  # noqa: S607 - whichever git there is
        check=True,
        capture_output=True,
    )
