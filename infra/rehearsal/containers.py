"""A task of ECS on this machine: its containers are processes, by their own definition."""

import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cti_ops.place import Answer
from rehearsal import front, processes
from rehearsal.processes import HERE, Process

# A container is asked this often whether it is well, until it is.
# A check is a start of the whole program, and holds up that which it asks about.
HEALTH_SECONDS = 3.0
HEALTH_PATIENCE = 30.0
LAST_LINES = 6
# Sources are asked by way of a proxy that is not there.
NO_INTERNET = {"CTISCRAPER_PROXY": f"http://{HERE}:1"}
# Its image is Amazon's, and no process of this machine.
_COLLECTOR = "OTEL_EXPORTER_OTLP_ENDPOINT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What stands for an image: the program of the product, or the front door."""

    program: str | None


@dataclass(slots=True, kw_only=True)
class Surroundings:
    """What tasks find around them."""

    folder: Path
    # By the names that task definitions give; others cannot be run here.
    images: dict[str, Image]
    # Secrets as definitions name them: ARN, or ARN:FIELD::.
    secret: Callable[[str], str]
    # What stands in variables, and what is there in its place.
    addresses: list[tuple[str, str]] = field(default_factory=list)
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Container:
    """One container: waiting, left out, running or ended."""

    definition: Answer
    log: Path
    left_out: bool = False
    process: Process | None = None
    well: bool = False
    asked: float = 0

    @property
    def name(self) -> str:
        return str(self.definition["name"])

    @property
    def essential(self) -> bool:
        return bool(self.definition.get("essential", True))

    @property
    def code(self) -> int | None:
        return self.process.poll() if self.process else None


class LocalTask:
    """One task of a definition."""

    def __init__(self, definition: Answer, name: str, around: Surroundings) -> None:
        self.definition = definition
        self.folder = around.folder / name
        self._around = around
        self._ports: dict[int, int] = {}
        for volume in definition.get("volumes", []):
            (self.folder / volume["name"]).mkdir(parents=True)
        self.containers = [
            _Container(one, self.folder / f"{one['name']}.log", self._is_foreign(one))
            for one in definition["containerDefinitions"]
        ]

    def _is_foreign(self, container: Answer) -> bool:
        image = self._around.images.get(container["image"])
        proxy = image is not None and image.program is None
        return image is None or (proxy and front.find_nginx() is None)

    @property
    def port(self) -> int | None:
        """The port that a load balancer asks: of the front door, else of the web process."""
        for one in self.containers:
            for mapping in one.definition.get("portMappings", []):
                asked = 8000 if one.left_out else mapping["containerPort"]
                return self._port(asked)
        return None

    @property
    def over(self) -> bool:
        """Whether it has ended: what is essential has, or what others wait for failed."""
        return any(
            one.code is not None and (one.essential or one.code != 0) for one in self.containers
        )

    @property
    def codes(self) -> dict[str, int | None]:
        """The exit code of each container, None where it did not run."""
        return {one.name: one.code for one in self.containers}

    def lines(self) -> dict[str, list[str]]:
        """Return what each container wrote."""
        return {
            one.name: one.log.read_text("utf-8", "replace").splitlines()
            for one in self.containers
            if one.log.exists()
        }

    @property
    def runs(self) -> bool:
        """Whether every container runs that should, and is well as far as it says."""
        return all(one.left_out or one.well for one in self.containers if one.essential)

    def advance(self) -> None:
        """Start what may start now, and ask those that run whether they are well."""
        for one in self.containers:
            if one.process is None and not one.left_out and self._may_start(one):
                self._start(one)
            elif one.process is not None and not one.well and one.code is None:
                self._ask(one)

    def _may_start(self, one: _Container) -> bool:
        named = {other.name: other for other in self.containers}
        return all(
            _holds(named[needed["containerName"]], needed["condition"])
            for needed in one.definition.get("dependsOn", [])
        )

    def _start(self, one: _Container) -> None:
        environ = {
            **self._around.environ,
            **self._variables(one),
            **{
                secret["name"]: self._around.secret(secret["valueFrom"])
                for secret in one.definition.get("secrets", [])
            },
        }
        one.process = processes.start(self._command(one, environ), environ, one.log, self.folder)
        one.well, one.asked = "healthCheck" not in one.definition, time.monotonic()

    def _variables(self, one: _Container) -> dict[str, str]:
        given = {pair["name"]: pair["value"] for pair in one.definition.get("environment", [])}
        if self._around.images[one.definition["image"]].program is not None:
            given = {**front.image_settings("product"), **given, **NO_INTERNET}
            # Programs are where this machine has them.
            del given["PATH"]
        given.pop(_COLLECTOR, None)
        local = {name: self._local(value) for name, value in given.items()}
        if "NGINX_LISTEN" in local:
            local["NGINX_LISTEN"] = f"{HERE}:{self._port(int(given['NGINX_LISTEN']))}"
            local["NGINX_TRUSTED_PROXIES"] = f"{HERE}/32"
        return local

    def _command(self, one: _Container, environ: Mapping[str, str]) -> list[str]:
        definition = one.definition
        given = [self._local(word) for word in definition.get("command", [])]
        if "entryPoint" in definition:
            return [*definition["entryPoint"], *given]
        program = self._around.images[definition["image"]].program
        if program is None:
            mount = definition["mountPoints"][0]
            return front.render(self.folder / mount["sourceVolume"], environ)
        return [program, *self._with_port(given)]

    def _with_port(self, words: list[str]) -> list[str]:
        if "--port" not in words:
            return words
        at = words.index("--port") + 1
        return [*words[:at], str(self._port(int(words[at]))), *words[at + 1 :]]

    def _port(self, wanted: int) -> int:
        """Return the port of this machine for one of the task, whose address is its own."""
        if wanted not in self._ports:
            self._ports[wanted] = processes.free_port()
        return self._ports[wanted]

    def _local(self, text: str) -> str:
        for there, here in self._around.addresses:
            text = text.replace(there, here)
        text = re.sub(rf"\b{HERE}:(\d+)", lambda m: f"{HERE}:{self._mapped(int(m[1]))}", text)
        names = "|".join(volume["name"] for volume in self.definition.get("volumes", []))
        text = re.sub(rf"(?<![\w/.:-])/(?=(?:{names})\b)", f"{self.folder}/", text)
        # Files stay whose they are: nobody else runs here.
        return re.sub(r"^chown .*$", ":", text, flags=re.MULTILINE)

    def _mapped(self, port: int) -> int:
        if port == 1:
            return port
        stores = {here.rstrip("/").rpartition(":")[2] for _, here in self._around.addresses}
        return port if str(port) in stores else self._port(port)

    def _ask(self, one: _Container) -> None:
        """Ask by the container's own check; the front door's is asked by the load balancer."""
        if time.monotonic() - one.asked < HEALTH_SECONDS:
            return
        _, program, *words = one.definition["healthCheck"]["command"]
        image = self._around.images[one.definition["image"]]
        if image.program is None or program != "ctiscraper":
            one.well = True
            return
        port = self._ports.get(8000)
        words += ["--port", str(port)] if port else []
        with (self.folder / f"{one.name}-health.log").open("ab") as out:
            try:
                done = subprocess.run(  # noqa: S603 - the check of our own task definition
                    [str(processes.PRODUCT), *words],
                    env={**self._around.environ, **self._variables(one)},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    timeout=HEALTH_PATIENCE,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return
            finally:
                one.asked = time.monotonic()
        one.well = done.returncode == 0

    def stop(self) -> None:
        """End what still runs, the front door first, each as ECS tells it to."""
        for one in reversed(self.containers):
            if one.process is not None:
                image = self._around.images[one.definition["image"]]
                number = signal.SIGQUIT if image.program is None else signal.SIGTERM
                processes.stop(one.process, number, one.definition.get("stopTimeout", 30))

    def last_words(self) -> list[str]:
        """Return the last lines of what has ended badly."""
        return [
            f"{one.name}: {line}"
            for one in self.containers
            if one.code not in {None, 0}
            for line in one.log.read_text("utf-8", "replace").splitlines()[-LAST_LINES:]
        ]


def _holds(needed: _Container, condition: str) -> bool:
    if needed.left_out:
        return True
    if condition in {"SUCCESS", "COMPLETE"}:
        return needed.code == 0
    return needed.process is not None and (condition == "START" or needed.well)
