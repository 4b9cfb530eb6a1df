"""The bootstrap in a small project of its own, with real environments and no package index."""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ("awk", "cat", "dirname", "env", "ls", "rm", "sh", "sleep")
PYTHON_PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "ctiscraper"
version = "1"
"""
BACKEND = """
import pathlib, zipfile

FILES = {
    "program.py": "import sys, dep\\ndef main(): print(dep.WORD, *sys.argv[1:])",
    "ctiscraper-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: ctiscraper\\nVersion: 1",
    "ctiscraper-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nTag: py3-none-any",
    "ctiscraper-1.dist-info/entry_points.txt": "[console_scripts]\\nctiscraper=program:main",
    "ctiscraper-1.dist-info/RECORD": "",
}

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "ctiscraper-1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as wheel:
        for path, text in FILES.items():
            wheel.writestr(path, text + "\\n" if text else "")
    return name
"""


class Project:
    """A checkout with the real bootstrap, a program that says a word, and a folder of wheels."""

    def __init__(self, folder: Path, bin_dir: Path) -> None:
        self.root = folder / "a place with spaces"
        self.wheels = folder / "wheels"
        self.bin_dir = bin_dir
        self.root.mkdir()
        self.wheels.mkdir()
        shutil.copy(ROOT / "ctiscraper", self.root)
        (self.root / "pyproject.toml").write_text(PYTHON_PROJECT, "utf-8")
        (self.root / "backend.py").write_text(BACKEND, "utf-8")
        (self.root / "requirements-dev.lock").touch()
        self.lock("1", "hello")

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    def lock(self, version: str, word: str) -> None:
        """Pin a new version of the one dependency, whose wheel says `word`."""
        name = f"dep-{version}-py3-none-any.whl"
        with zipfile.ZipFile(self.wheels / name, "w") as wheel:
            info = f"dep-{version}.dist-info"
            wheel.writestr("dep.py", f"WORD = {word!r}\n")
            wheel.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: dep\nVersion: {version}\n"
            )
            wheel.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            wheel.writestr(f"{info}/RECORD", "")
        digest = hashlib.sha256((self.wheels / name).read_bytes()).hexdigest()
        pin = f"dep=={version} \\\n    --hash=sha256:{digest}\n"
        (self.root / "requirements.lock").write_text(pin, "utf-8")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        found = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": self.wheels.as_uri()}
        found |= {"UV_OFFLINE": "1", "UV_FIND_LINKS": str(self.wheels)}
        return subprocess.Popen(
            [self.root / "ctiscraper", *arguments],
            cwd="/",
            env={"PATH": str(self.bin_dir), "HOME": str(self.wheels), **found},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=100)
        return process.returncode, out.strip(), err.strip()


@pytest.fixture
def bin_dir(tmp_path: Path) -> Path:
    """A search path with what every system has, and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    return folder


def python_at(bin_dir: Path) -> None:
    base = Path(sys.base_prefix) / "bin" / f"python{sysconfig.get_python_version()}"
    (bin_dir / "python3").symlink_to(base if base.exists() else sys.executable)


@pytest.fixture
def project(tmp_path: Path, bin_dir: Path) -> Project:
    """A project on a machine that has Python and uv."""
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.defpath]))
    if uv is not None:
        (bin_dir / "uv").symlink_to(uv)
    python_at(bin_dir)
    return Project(tmp_path, bin_dir)


def test_one_command_does_all_and_the_next_has_nothing_to_do(project: Project) -> None:
    code, out, err = project.run("up", "--port", "1 2")
    assert (code, out) == (0, "hello up --port 1 2")
    assert "setting up" in err
    made = (project.venv / ".runtime-key").stat().st_mtime_ns
    assert project.run("up") == (0, "hello up", "")
    assert (project.venv / ".runtime-key").stat().st_mtime_ns == made


def test_a_changed_lock_makes_a_new_environment(project: Project) -> None:
    project.run()
    project.lock("2", "changed")
    code, out, err = project.run()
    assert (code, out) == (0, "changed")
    assert "setting up" in err


def test_a_moved_project_is_set_up_again(project: Project) -> None:
    project.run()
    project.root = project.root.rename(project.root.with_name("elsewhere"))
    code, out, err = project.run()
    assert (code, out) == (0, "hello")
    assert "setting up" in err


def remove(venv: Path) -> None:
    shutil.rmtree(venv)


def break_python(venv: Path) -> None:
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to("/nowhere/python")


def interrupt(venv: Path) -> None:
    (venv / ".runtime-key").unlink()
    shutil.rmtree(next(venv.glob("lib/python*/site-packages")))


@pytest.mark.parametrize("harm", [remove, break_python, interrupt])
def test_a_harmed_environment_is_made_again(project: Project, harm: Callable[[Path], None]) -> None:
    project.run()
    harm(project.venv)
    code, out, err = project.run()
    assert (code, out) == (0, "hello")
    assert "setting up" in err


def test_of_several_first_starts_one_installs(project: Project) -> None:
    processes = [project.start(str(number)) for number in range(3)]
    ended = [(process.communicate(timeout=100), process.returncode) for process in processes]
    assert [(out.strip(), code) for (out, _), code in ended] == [
        ("hello 0", 0),
        ("hello 1", 0),
        ("hello 2", 0),
    ]
    assert sum("setting up" in err for (_, err), _ in ended) == 1


def test_a_package_that_is_not_the_pinned_one_is_refused(project: Project) -> None:
    lock = project.root / "requirements.lock"
    good = lock.read_text("utf-8")
    lock.write_text(good[:-9] + "00000000\n", "utf-8")
    code, out, err = project.run()
    assert (code, out) == (1, "")
    assert "could not be installed" in err
    assert not (project.venv / ".runtime-key").exists()
    lock.write_text(good, "utf-8")
    assert project.run()[:2] == (0, "hello")


def test_pip_alone_is_enough(tmp_path: Path, bin_dir: Path) -> None:
    python_at(bin_dir)
    project = Project(tmp_path, bin_dir)
    assert project.run("up")[:2] == (0, "hello up")


def test_a_machine_without_python_is_told_what_to_install(tmp_path: Path, bin_dir: Path) -> None:
    for name in ("python3", "python"):
        (bin_dir / name).write_text("#!/bin/sh\nexit 1\n", "ascii")
        (bin_dir / name).chmod(0o755)
    code, _, err = Project(tmp_path, bin_dir).run()
    assert code == 1
    assert "Python 3.11 or newer was not found" in err
    assert "apt install" in err


def test_a_python_without_venv_is_told_what_to_install(tmp_path: Path, bin_dir: Path) -> None:
    """Debian's python3 has no ensurepip: a wrapper here hides it likewise."""
    program = bin_dir / "python3"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\nexec "{sys.executable}" "$@"\n',
        "utf-8",
    )
    program.chmod(0o755)
    code, _, err = Project(tmp_path, bin_dir).run()
    assert code == 1
    assert "python3-venv" in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_someone_else_is_refused(project: Project) -> None:
    project.root.chmod(0o500)
    code, _, err = project.run()
    project.root.chmod(0o700)
    assert code == 1
    assert "another user" in err
