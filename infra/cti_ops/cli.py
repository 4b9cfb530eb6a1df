"""The command line: `./ctiscraper ops VERB`."""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from cti_infra.config import ENVIRONMENTS, environment_of
from cti_infra.errors import SettingsError
from cti_ops import deploy as deploying
from cti_ops import drill as drilling
from cti_ops import settings_files, status
from cti_ops.clock import Clock, SystemClock
from cti_ops.deploy import Wanted
from cti_ops.errors import Exit, OpsError, told
from cti_ops.place import Place
from cti_ops.rotate import NAMES, USUAL, rotate
from cti_ops.scaling import scale
from cti_ops.smoke import smoke, target_of, wrong_lines
from cti_ops.source import Source
from cti_ops.tasks import run_admin
from cti_ops.toolkit import StackDeployer, Toolkit

Arguments = argparse.Namespace
Verb = Callable[[Place, Arguments], int]


def say(line: str) -> None:
    """Tell what is being done; what was asked for goes to standard output."""
    sys.stderr.write(f"{line}\n")


def put_out(text: str) -> None:
    """Write what was asked for."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def wanted_of(place: Place, given: Arguments, source: Source, deployer: StackDeployer) -> Wanted:
    """Return what the command line asks to deploy."""
    return Wanted(
        place=place,
        deployer=deployer,
        file=given.deployment,
        source=source,
        tag=given.tag or source.tag(),
        ollama_tag=given.ollama_tag,
        foundation=given.foundation,
        authorities=given.ca_file,
    )


def _deploy(place: Place, given: Arguments) -> int:
    name = place.environment.name
    toolkit = Toolkit(
        environment=name,
        deployment=given.deployment,
        region=place.environment.region,
        endpoint_url=place.endpoint_url,
    )
    wanted = wanted_of(place, given, Source(), toolkit)
    deployment = deploying.look(wanted)
    lines = list(deploying.steps(wanted))
    question = f"Deploy {wanted.tag} to {name}, account {deployment.account}?"
    for number, line in enumerate(lines, 1):
        put_out(f"{number}. {line}")
    if given.dry_run:
        put_out(f"Would ask: {question} Nothing was changed.")
        return Exit.OK
    confirm(question, yes=given.yes)
    deploying.deploy(wanted, deployment)
    return Exit.OK


def confirm(question: str, *, yes: bool) -> None:
    """Return when the answer is yes. Raises OpsError."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise OpsError(f"{question} There is nobody to ask: add --yes", Exit.USAGE)
    sys.stderr.write(f"{question} [y/N] ")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise OpsError("nothing was changed")


def _run_task(place: Place, given: Arguments) -> int:
    words = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not words:
        raise OpsError("name a command of the product: ops run-task -- status", Exit.USAGE)
    return run_admin(place, words)


def _status(place: Place, given: Arguments) -> int:
    seen = status.status_of(place)
    put_out(status.as_json(seen) if given.json else status.as_table(seen))
    return Exit.DEGRADED if seen.wrong else Exit.OK


def _scale(place: Place, given: Arguments) -> int:
    scale(place, given.service, given.count, hold=given.hold)
    return Exit.OK


def _rotate(place: Place, given: Arguments) -> int:
    names = given.secret or list(USUAL)
    confirm(f"Renew {', '.join(names)} of {place.environment.name}?", yes=given.yes)
    for name in names:
        rotate(place, name, voids_second_factors=given.voids_second_factors)
    return Exit.OK


def _config_to_s3(place: Place, given: Arguments) -> int:
    if given.what == "put":
        count = settings_files.put(place, given.files)
        place.say(f"{count} of {len(given.files)} were stored")
    elif given.what == "get":
        settings_files.get(place, given.name, given.to, given.version, force=given.force)
    else:
        rows: list[tuple[object, ...]] = [("file", "stored", "bytes", "sha256", "version", "")]
        for one in settings_files.versions(place):
            latest = "latest" if one.latest else ""
            at = f"{one.at:%Y-%m-%d %H:%M:%S}"
            rows.append((one.name, at, one.size, one.sha256[:16], one.version, latest))
        put_out("\n".join(status.columns(rows)))
    return Exit.OK


def _restore_drill(place: Place, given: Arguments) -> int:
    report = drilling.drill(place, snapshot=given.snapshot, at=given.at)
    lines = "\n".join(drilling.report_lines(report))
    put_out(drilling.report_json(report) if given.json else lines)
    for fault in report.faults:
        say(f"! {fault}")
    return Exit.DEGRADED if report.faults else Exit.OK


def _smoke(given: Arguments, clock: Clock) -> int:
    target = target_of(
        given.url, machine=given.address, authorities=given.ca_file, plain_port=given.plain_port
    )
    findings = smoke(target, clock.now())
    for one in findings:
        put_out(f"{'WRONG' if one.wrong else 'ok':<6} {one.what}  {one.wrong or one.seen}".rstrip())
    wrong = wrong_lines(findings)
    for line in wrong:
        say(f"! {line}")
    return Exit.DEGRADED if wrong else Exit.OK


def _rehearse(given: Arguments) -> int:
    # Emulators take a second to import, and no other command needs them.
    code: int = importlib.import_module("rehearsal.play").rehearse(
        environment_of(given.env), put_out, short=given.short
    )
    return code


VERBS: dict[str, Verb] = {
    "deploy": _deploy,
    "run-task": _run_task,
    "status": _status,
    "scale": _scale,
    "rotate": _rotate,
    "config-to-s3": _config_to_s3,
    "restore-drill": _restore_drill,
}


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def make_parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        prog="ctiscraper ops", description="Operates an installation on AWS."
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")

    def verb(name: str, about: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=about, description=about)
        made.add_argument(
            "--env", required=True, choices=list(ENVIRONMENTS), help="the environment"
        )
        made.add_argument(
            "--endpoint-url",
            help="ask this address in place of AWS; AWS_ENDPOINT_URL does the same",
        )
        return made

    _add_deploy(verb("deploy", "Deploy: look first, then stacks, schema and services in order."))
    made = verb("run-task", "Run a command of the product in a task, and end as it ends.")
    made.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND ...")
    made = verb("status", "Show services, alarms, work that waits, database, Redis and backups.")
    made.add_argument("--json", action="store_true", help="one document for programs")
    made = verb("scale", "Have a service run so many tasks.")
    made.add_argument("service", metavar="SERVICE")
    made.add_argument("count", metavar="COUNT", type=_count)
    made.add_argument("--hold", action="store_true", help="keep automatic scaling from undoing it")
    made = verb("rotate", "Renew secrets: new values are tried before the old ones are dropped.")
    made.add_argument("secret", nargs="*", metavar="SECRET", help=", ".join(NAMES))
    made.add_argument("--yes", action="store_true", help="do not ask")
    made.add_argument("--voids-second-factors", action="store_true", help="of installation-key")
    _add_files(verb("config-to-s3", "Keep the catalogue and settings files in S3, and get them."))
    made = verb("restore-drill", "Restore a backup beside the database, compare, time, remove it.")
    of = made.add_mutually_exclusive_group()
    of.add_argument("--snapshot", metavar="NAME", help="a snapshot, or 'latest'")
    of.add_argument("--at", metavar="TIME", type=_moment, help="a moment; the latest by default")
    made.add_argument("--json", action="store_true", help="one document for programs")
    _add_smoke(verbs)
    _add_rehearse(verbs)
    return parser


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise ValueError(text)
    return count


def _add_deploy(made: argparse.ArgumentParser) -> None:
    made.add_argument("--deployment", required=True, type=Path, metavar="FILE", help="where to")
    made.add_argument(
        "--tag", help="the commit of the images; that which is checked out by default"
    )
    made.add_argument("--ollama-tag", metavar="TAG", help="the tag of the image with the model")
    made.add_argument("--foundation", action="store_true", help="what lasts alone, before images")
    made.add_argument("--dry-run", action="store_true", help="look, and show the steps")
    made.add_argument("--yes", action="store_true", help="do not ask")
    made.add_argument("--ca-file", type=Path, metavar="FILE", help="authorities of the certificate")


def _add_files(made: argparse.ArgumentParser) -> None:
    what = made.add_subparsers(dest="what", metavar="put|list|get", required=True)
    put = what.add_parser("put", help="store files that changed")
    put.add_argument("files", nargs="+", type=Path, metavar="FILE")
    what.add_parser("list", help="show all versions")
    get = what.add_parser("get", help="write a version of a file here")
    get.add_argument("name", metavar="NAME")
    get.add_argument("--version", metavar="ID", help="the latest by default")
    get.add_argument("--to", type=Path, default=Path(), metavar="PATH", help="here by default")
    get.add_argument("--force", action="store_true", help="overwrite a file that differs")


def _add_rehearse(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "Deploy on this machine, in an emulated account, and show what happens when it fails."
    made = verbs.add_parser("rehearse", help=about, description=about)
    made.add_argument("--env", required=True, choices=list(ENVIRONMENTS), help="the environment")
    made.add_argument("--short", action="store_true", help="the first deployment and one way back")


def _add_smoke(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "Ask from outside: health, ready, the login page, headers, TLS."
    made = verbs.add_parser("smoke", help=about, description=about)
    made.add_argument("--url", required=True, help="https://cti.example.org")
    made.add_argument("--address", metavar="HOST", help="connect there, whatever the name leads to")
    made.add_argument("--ca-file", type=Path, metavar="FILE", help="authorities of the certificate")
    made.add_argument("--plain-port", type=int, default=80, help="of plain HTTP, which leads on")


def main(arguments: Sequence[str], clock: Clock | None = None) -> int:
    """Return the exit code of one command."""
    parser = make_parser()
    given = parser.parse_args(arguments)
    if given.verb is None:
        parser.print_help()
        return Exit.OK
    try:
        return _run(given, clock or SystemClock())
    except OpsError as error:
        ended = error
    except SettingsError as error:
        ended = OpsError(str(error), Exit.SETTINGS)
    except (BotoCoreError, ClientError) as error:
        ended = told(error)
    except KeyboardInterrupt:
        ended = OpsError(
            "stopped; what was begun at AWS goes on, './ctiscraper ops status' shows it",
            Exit.INTERRUPTED,
        )
    say(f"ops: {ended}")
    return ended.code


def _run(given: Arguments, clock: Clock) -> int:
    if given.verb == "smoke":
        return _smoke(given, clock)
    if given.verb == "rehearse":
        return _rehearse(given)
    place = Place(
        environment=environment_of(given.env),
        say=say,
        endpoint_url=given.endpoint_url,
        clock=clock,
    )
    return VERBS[given.verb](place, given)
