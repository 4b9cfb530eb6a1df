"""`rehearse`: a whole deployment on this machine, from an empty account to a way back."""

import json
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from cti_infra.config import Environment
from cti_ops.checks import Images
from cti_ops.clock import wait_for
from cti_ops.deploy import Wanted, deploy, look, steps
from cti_ops.errors import Exit, FaultsError, OpsError
from cti_ops.place import Place
from cti_ops.rollout import running_definitions
from cti_ops.smoke import smoke, target_of, wrong_lines
from cti_ops.source import Source
from cti_ops.status import as_table, status_of
from cti_ops.tasks import run_admin
from rehearsal import account, front
from rehearsal.agent import Agent
from rehearsal.containers import Image, Surroundings
from rehearsal.door import Door, make_certificate, open_door
from rehearsal.processes import HERE, PRODUCT, ROOT
from rehearsal.stacks import EmulatedStacks
from rehearsal.stores import Stores

DOMAIN = "cti.example.org"
MOST_SECONDS = 900.0
# Beat tells of the queue each minute.
STATUS_SECONDS = 150.0
_LONGEST_LINE = 120
DEPLOYMENT = """
[{environment}]
account = "{account}"
certificate_arn = "{certificate}"
domain = "{domain}"
contact = "https://example.org/crawler"
alerts_to = "on-call@example.org"
"""
NO_CERTIFICATE = "arn:aws:acm:{region}:{account}:certificate/00000000-0000-0000-0000-000000000000"
# What an image is made to do wrong, by the command that its containers are started with.
BROKEN = """#!/bin/sh
if [ "$1" = {command} ]; then
    echo '{command}: this image was broken on purpose' >&2
    exit {code}
fi
exec {product} "$@"
"""


class RehearsalClock:
    """Real time, in which the agent acts; nobody waits longer than there is something to do."""

    def __init__(self) -> None:
        self.act: Callable[[], bool] = lambda: False
        self._begun = time.monotonic()

    def now(self) -> datetime:
        """Return this moment."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Return when nothing is under way, or after so long. Raises OpsError at the very end."""
        until = time.monotonic() + seconds
        if self.passed() > MOST_SECONDS:
            raise OpsError(f"the rehearsal did not end within {MOST_SECONDS / 60:.0f} minutes")
        while self.act() and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(0.1)

    def passed(self) -> float:
        """Return how long the rehearsal has taken."""
        return time.monotonic() - self._begun


@dataclass(slots=True, kw_only=True)
class Stage:
    """What is there while a rehearsal goes on."""

    place: Place
    clock: RehearsalClock
    folder: Path
    stacks: EmulatedStacks
    agent: Agent
    around: Surroundings
    door: Door
    source: Source
    # Acts that are over, and how long each took.
    acts: list[tuple[str, float]] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """Where to deploy, as an operator writes it down."""
        return self.folder / "deployment.toml"

    @property
    def certificate(self) -> Path:
        """The certificate, which is its own authority."""
        return self.folder / "certificate.pem"

    def wanted(self, tag: str) -> Wanted:
        """Return what is asked to be deployed."""
        return Wanted(
            place=self.place,
            deployer=self.stacks,
            file=self.file,
            source=self.source,
            tag=tag,
            authorities=self.certificate,
            plain_port=self.door.http_port,
            https_port=self.door.https_port,
        )

    def write_deployment(self, certificate: str) -> None:
        """Write down where to deploy."""
        text = DEPLOYMENT.format(
            environment=self.place.environment.name,
            account=self.place.account(),
            certificate=certificate,
            domain=DOMAIN,
        )
        self.file.write_text(text, "utf-8")

    def image(self, program: Path | str) -> str:
        """Push the images of the commit that is checked out, and return their tag."""
        tag = self.source.tag()
        images = Images(tag=tag, ollama=None)
        for address, of in account.push(self.place, images).items():
            proxy = of.startswith("proxy-")
            self.around.images[address] = Image(program=None if proxy else str(program))
        return tag

    def broken_image(self, command: str, code: int) -> str:
        """Push images of a new commit that fail at a command, and return their tag."""
        account.commit(self.source.folder, f"Break {command}")
        program = self.folder / f"broken-{command}"
        program.write_text(BROKEN.format(command=command, code=code, product=PRODUCT), "utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return self.image(program)

    def wrong(self) -> list[str]:
        """Return what somebody outside sees that is wrong."""
        target = target_of(
            f"https://{DOMAIN}:{self.door.https_port}",
            machine=HERE,
            authorities=self.certificate,
            plain_port=self.door.http_port,
        )
        return wrong_lines(smoke(target, self.clock.now()))

    def look_and_deploy(self, wanted: Wanted) -> None:
        """Do what `ops deploy --yes` does."""
        deployment = look(wanted)
        for number, line in enumerate(steps(wanted), 1):
            self.place.say(f"{number}. {line}")
        deploy(wanted, deployment)


@contextmanager
def act(stage: Stage, words: str) -> Iterator[None]:
    """Tell what begins, and how long it took."""
    begun = stage.clock.passed()
    stage.place.say(f"== {words}")
    yield
    stage.acts.append((words, stage.clock.passed() - begun))


@contextmanager
def prepared(
    environment: Environment, folder: Path, say: Callable[[str], None], clock: RehearsalClock
) -> Iterator[Stage]:
    """Yield an empty account with everything around it, and end all of it."""
    if environment.ollama:
        raise OpsError(
            f"{environment.name} has a service of language models, whose image cannot run here: "
            "rehearse dev or staging",
            Exit.USAGE,
        )
    _need_product(say)
    with ExitStack() as stack:
        address = stack.enter_context(account.emulator())
        place = Place(environment=environment, say=say, endpoint_url=address, clock=clock)
        stores = Stores(place, folder / "stores")
        stack.callback(stores.close)
        around = Surroundings(
            folder=folder / "tasks",
            images={},
            secret=lambda value_from: account.secret_value(place, value_from),
            environ=_environ(address),
        )
        around.folder.mkdir()

        def begin() -> None:
            account.open_bucket(place)
            around.addresses.extend(stores.start())

        stacks = EmulatedStacks(place, folder / "deployment.toml", address, on_data=begin)
        agent = Agent(place, place.account(), around, stacks.deployer.evaluated)
        # Before the stores end.
        stack.callback(agent.close)
        clock.act = agent.act
        stacks.on_change = agent.act
        place.client("ecs").meta.events.register(
            "after-call.ecs.UpdateService", lambda **_: agent.act() and None
        )
        make_certificate(folder / "certificate.pem", DOMAIN, clock.now())
        door = stack.enter_context(
            open_door(folder / "certificate.pem", lambda: agent.port_of("web"))
        )
        account.clone(ROOT, folder / "clone")
        yield Stage(
            place=place,
            clock=clock,
            folder=folder,
            stacks=stacks,
            agent=agent,
            around=around,
            door=door,
            source=Source(folder / "clone"),
        )


def _need_product(say: Callable[[str], None]) -> None:
    """Have the product's own environment be there. Raises OpsError."""
    if PRODUCT.exists():
        return
    say("making the environment of the product, whose programs are run")
    done = subprocess.run([str(ROOT / "ctiscraper"), "--help"], stdout=sys.stderr, check=False)  # noqa: S603 - our own script
    if done.returncode != 0:
        raise OpsError("the environment of the product could not be made: see above")


def _environ(address: str) -> dict[str, str]:
    """Return the environment of every container: the rights of a role, on the emulator."""
    return {
        "PATH": f"{PRODUCT.parent}:{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
        "AWS_ENDPOINT_URL": address,
        **account.CREDENTIALS,
    }


def rehearse(environment: Environment, put_out: Callable[[str], None], *, short: bool) -> int:
    """Return 0 when everything went as it should. Raises OpsError."""
    clock = RehearsalClock()

    def say(line: str) -> None:
        put_out(f"{clock.passed():6.1f}  {shortened(line)}")

    with tempfile.TemporaryDirectory(prefix="ctiscraper-rehearsal-") as name:
        folder = Path(name)
        # The server of PostgreSQL is another user where this one is root.
        folder.chmod(0o711)
        with prepared(environment, folder, say, clock) as stage:
            play(stage, short=short)
            begun = clock.passed()
        stage.acts.append(("everything is ended and removed", clock.passed() - begun))
    for words, seconds in stage.acts:
        put_out(f"{seconds:8.1f} s  {words}")
    put_out(f"{clock.passed():8.1f} s  in all; everything went as it should")
    return Exit.OK


def shortened(line: str) -> str:
    """Return a line for people: of a line of the product's log what happened alone."""
    who, _, document = line.partition(": ")
    if document.startswith('{"timestamp"'):
        line = f"{who}: {json.loads(document)['event']}"
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} …"


def play(stage: Stage, *, short: bool) -> None:
    """Go through a deployment. Raises OpsError at the first thing that is not as it should be."""
    front_door = "Nginx with deploy/nginx" if front.find_nginx() else "no Nginx here, so none"
    stage.place.say(f"front door: {front_door}; the load balancer's TLS is on {HERE}")
    first_time(stage)
    tag = stage.source.tag()
    with act(stage, "deploy everything, for the first time"):
        stage.look_and_deploy(stage.wanted(tag))
    if not short:
        with act(stage, "look at it: status, and a command of the product in a task"):
            look_around(stage)
        with act(stage, "deploy the same again"):
            same_again(stage, tag)
        with act(stage, "deploy images whose migration fails"):
            refused(stage, stage.broken_image("migrate", 8), "the migration failed")
    with act(stage, "deploy images whose web process ends at once"):
        refused(stage, stage.broken_image("web", 1), "rolled back")
    if not short:
        with act(stage, "deploy what is good once more"):
            stage.look_and_deploy(stage.wanted(tag))
            must(stage.wrong() == [], "it does not answer as it should")


def must(holds: bool, otherwise: str) -> None:
    """Go on only if it is so. Raises OpsError."""
    if not holds:
        raise OpsError(f"the rehearsal failed: {otherwise}")


def first_time(stage: Stage) -> None:
    """Prepare an empty account, step by step as the guide has it."""
    place, tag = stage.place, stage.source.tag()
    wanted = stage.wanted(tag)
    region, number = place.environment.region, place.account()
    with act(stage, "an empty account is refused"):
        stage.write_deployment(NO_CERTIFICATE.format(region=region, account=number))
        told(stage, wanted, "is not ready for it", "certificate: ", "there is no repository")
    with act(stage, "prepare it: the toolkit's mark, a certificate"):
        account.bootstrap(place)
        stage.write_deployment(account.bring_certificate(place, stage.certificate))
    with act(stage, "deploy what lasts (--foundation)"):
        stage.look_and_deploy(replace(wanted, foundation=True))
    with act(stage, "without images it is refused"):
        told(stage, wanted, "is not in ECR; build it and push it")
    with act(stage, "push the images"):
        stage.image(PRODUCT)
        for address in stage.around.images:
            place.say(f"pushed {address}")


def told(stage: Stage, wanted: Wanted, *parts: str) -> None:
    """See that a deployment is refused for these reasons. Raises OpsError."""
    try:
        look(wanted)
    except FaultsError as error:
        for fault in error.faults:
            stage.place.say(f"refused: {fault}")
        missing = [part for part in parts if part not in str(error)]
        must(not missing, f"it was not refused for: {', '.join(missing)}")
        return
    raise OpsError("the rehearsal failed: the deployment was not refused")


def look_around(stage: Stage) -> None:
    """See that the operator's commands find everything well. Raises OpsError."""
    place = stage.place

    def all_well() -> str | None:
        seen = status_of(place)
        return None if seen.wrong else as_table(seen)

    table = wait_for(
        stage.clock, all_well, every=1, most=STATUS_SECONDS, late="status finds something wrong"
    )
    for line in table.splitlines():
        place.say(f"status: {line}" if line else "")
    must(run_admin(place, ["doctor"]) == 0, "doctor finds something wrong")


def same_again(stage: Stage, tag: str) -> None:
    """See that nothing changes by deploying the same. Raises OpsError."""
    before = standing(stage)
    stage.look_and_deploy(stage.wanted(tag))
    must(stage.stacks.changed == [], f"stacks changed: {stage.stacks.changed}")
    must(standing(stage) == before, "tasks were replaced")


def standing(stage: Stage) -> dict[str, tuple[str, list[str]]]:
    """Return what each service runs, and which tasks those are."""
    return {
        name: (definition, stage.agent.folders_of(name))
        for name, definition in running_definitions(stage.place).items()
    }


def refused(stage: Stage, tag: str, because: str) -> None:
    """See that a deployment fails, and leaves everything as it was. Raises OpsError."""
    before = running_definitions(stage.place)
    web = stage.agent.folders_of("web")
    try:
        stage.look_and_deploy(stage.wanted(tag))
    except OpsError as error:
        for line in str(error).splitlines():
            stage.place.say(f"refused: {line}")
        must(because in str(error), f"it was not said that {because}")
    else:
        raise OpsError("the rehearsal failed: what is broken was deployed")
    must(running_definitions(stage.place) == before, "services run something else than before")
    must(stage.agent.folders_of("web") == web, "the pages were replaced")
    must(stage.wrong() == [], "what stood before does not answer as it should")
    stage.place.say(f"https://{DOMAIN} answers as before, from the same task")
