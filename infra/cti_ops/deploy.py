"""`deploy`: everything looked at first, then stack by stack, the schema before the services."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cti_infra.config import Environment
from cti_infra.deployment import Deployment, load_deployment
from cti_infra.errors import SettingsError
from cti_ops import checks
from cti_ops.checks import Images
from cti_ops.errors import FaultsError, OpsError
from cti_ops.place import Place
from cti_ops.rollout import roll_back, running_definitions, see_newest, wait_steady
from cti_ops.smoke import smoke, target_of, wrong_lines
from cti_ops.source import Source
from cti_ops.tasks import definition_of, run_task
from cti_ops.toolkit import StackDeployer, Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be deployed, by which deployer, and how it is looked at from outside."""

    place: Place
    deployer: StackDeployer
    file: Path
    source: Source
    tag: str
    ollama_tag: str | None = None
    # What lasts alone: the repositories must be there before images can be.
    foundation: bool = False
    authorities: Path | None = None
    plain_port: int | None = 80
    https_port: int | None = None

    @property
    def images(self) -> Images:
        """The images that the services are to run."""
        model = self.ollama_tag or "" if self.place.environment.ollama else None
        return Images(tag=self.tag, ollama=model)


def foundation_stacks(environment: Environment) -> list[str]:
    """Return the stacks of what lasts, in the order that their references ask for."""
    copies = ["dr"] if environment.recovery_region else []
    return ["baseline", "network", "registry", *copies, "data"]


SERVICE_STACKS = ("app", "observability")


def parameters(wanted: Wanted) -> dict[str, dict[str, str]]:
    """Return the parameters of each stack that has some."""
    place, images = wanted.place, wanted.images
    app = {"ImageTag": images.tag, **({"OllamaTag": images.ollama} if images.ollama else {})}
    return {place.named("release"): {"ImageTag": images.tag}, place.named("app"): app}


def steps(wanted: Wanted) -> Iterator[str]:
    """Yield what a deployment does, step by step, for people."""
    place, given = wanted.place, parameters(wanted)

    def stack(name: str) -> str:
        values = given.get(place.named(name), {})
        told = "".join(f" {key}={value}" for key, value in values.items())
        return f"deploy the stack {place.named(name)}{told}"

    yield from map(stack, foundation_stacks(place.environment))
    if wanted.foundation:
        return
    yield stack("release")
    yield f"run {place.named('migrate')} in {place.cluster}, and wait for its exit codes"
    yield from map(stack, SERVICE_STACKS)
    yield f"wait until {', '.join(place.services)} are steady; go back to what they run now if not"
    yield "ask health, ready, the login page, headers and TLS; go back if one is not right"


def look(wanted: Wanted) -> Deployment:
    """Return where to deploy, when nothing stands against it. Raises FaultsError with all."""
    place, faults = wanted.place, list(wanted.source.faults(wanted.tag))
    account = place.account()
    try:
        deployment = load_deployment(wanted.file, place.environment, account=account)
    except SettingsError as error:
        raise FaultsError(
            f"{place.environment.name} cannot be deployed", [*faults, *error.faults]
        ) from error
    faults += checks.region_faults(place)
    faults += checks.bootstrap_faults(place, account)
    faults += checks.certificate_faults(place, deployment, place.clock.now())
    faults += checks.network_faults(place)
    faults += checks.secret_faults(place)
    if not wanted.foundation:
        if wanted.images.ollama == "":
            faults.append("ollama: give the tag of the image with the model: --ollama-tag TAG")
        else:
            faults += checks.image_faults(place, wanted.images)
    if faults:
        raise FaultsError(f"{place.environment.name} cannot be deployed", faults)
    return deployment


def deploy(wanted: Wanted, deployment: Deployment) -> None:
    """Do all of it. Raises OpsError after having gone back, where there was something before."""
    place = wanted.place
    before = running_definitions(place)
    given = parameters(wanted)

    def deploy_stacks(*names: str) -> Values:
        stacks = [place.named(name) for name in names]
        place.say(f"stacks: {', '.join(stacks)}")
        return wanted.deployer.deploy(stacks, given)

    deploy_stacks(*foundation_stacks(place.environment))
    if wanted.foundation:
        place.say("What lasts is there. Push the images, then deploy without --foundation.")
        return
    deploy_stacks("release")
    migrate(place)
    try:
        outputs = deploy_stacks(*SERVICE_STACKS)
        wait_steady(place, place.services)
        see_newest(place)
        _look_from_outside(wanted, deployment, outputs)
    except OpsError as error:
        raise _gone_back(place, before, error) from error
    place.say(f"{place.environment.name} runs {wanted.tag}.")


def migrate(place: Place) -> None:
    """Bring the schema up to date. Raises OpsError unless every container ended well."""
    ended = run_task(place, definition_of(place, place.named("migrate")))
    if not ended.well:
        raise OpsError(
            f"the migration failed, so no service was touched: {ended.told()}. Its lines stand "
            "above and in the log group /aws/ecs/cti-scraper/release; mend the cause and deploy "
            "again. The services run on, on a schema that they know"
        )
    place.say("the schema is up to date")


def _look_from_outside(wanted: Wanted, deployment: Deployment, outputs: Values) -> None:
    app: Mapping[str, str] = outputs.get(wanted.place.named("app"), {})
    port = f":{wanted.https_port}" if wanted.https_port else ""
    target = target_of(
        f"https://{deployment.domain}{port}",
        # The domain may point elsewhere still.
        machine=app.get("Address"),
        authorities=wanted.authorities,
        plain_port=wanted.plain_port,
    )
    wrong = wrong_lines(smoke(target, wanted.place.clock.now()))
    if wrong:
        raise OpsError("seen from outside:\n" + "\n".join(f"  {line}" for line in wrong))
    wanted.place.say(f"https://{deployment.domain} answers as it should")
    if "Address" in app:
        wanted.place.say(f"{deployment.domain} should point to {app['Address']}")


def _gone_back(place: Place, before: Mapping[str, str], error: OpsError) -> OpsError:
    place.say("the services failed: going back")
    try:
        done = "; ".join(roll_back(place, before))
    except OpsError as again:
        return OpsError(
            f"{error}\nand the way back failed too: {again}\n"
            "see docs/runbooks/web-down.md: the services may be in between"
        )
    return OpsError(
        f"{error}\nrolled back: {done}. The schema stays as it is, which the program of before "
        "works on. The stack App may name the newer tasks: deploy again when the cause is mended"
    )
