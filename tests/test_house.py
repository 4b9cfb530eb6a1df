"""The rules of the house that no linter has."""

import ast
import io
import re
import subprocess
import tokenize
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "ctiscraper"
TESTS = ROOT / "tests"

LONGEST_FILE = 500
LONGEST_TEMPLATE = 150
MOST_ROOT_ENTRIES = 24
ROOMLESS_TESTS = {"corpus", "deploy", "walk", "web_site", "internet", "shared"}

# Which rooms may import which library; everything else reaches it through them.
KEPT_TO = {
    "alembic": {"db"},
    "argon2": {"access"},
    "boto3": {"db"},
    "botocore": {"db"},
    "fastapi": {"web"},
    "h11": {"web"},
    "httpcore2": {"client", "http"},
    "httpx2": {"http"},
    "joserfc": {"access"},
    "opentelemetry": {"tracing"},
    "psycopg": {"db"},
    "psycopg_pool": {"db"},
    "pyotp": {"access"},
    "pydantic_settings": {"config"},
    "requests": {"tracing"},
    "sqlalchemy": {"db"},
    "starlette": {"web"},
    "typer": {"cli"},
    "uvicorn": {"cli", "web"},
    "webauthn": {"access"},
}
NAMELESS = {
    "common",
    "core",
    "handler",
    "helper",
    "manager",
    "misc",
    "processor",
    "service",
    "util",
}


def tracked() -> list[Path]:
    """Every file that is, or is about to be, part of the repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the repository's list of files cannot be had here")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def modules() -> list[Path]:
    """Every Python file of the program."""
    return sorted(SOURCE.rglob("*.py"))


def room_of(module: Path) -> str:
    """The first part of a module's name below the package."""
    return module.relative_to(SOURCE).with_suffix("").parts[0]


def imported(tree: ast.AST) -> Iterator[str]:
    """The first name of everything a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def environment_reads(tree: ast.AST) -> list[int]:
    """The lines that read the process's environment."""
    names = {"environ", "environb", "getenv", "getenvb"}
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.alias) and node.name in names)
    ]


def remarks(source: str) -> list[str]:
    """Comments that are a banner, a to-do note or hold a picture."""
    pattern = re.compile(
        r"#\s*(?:[-=#*~]{4,}|(?:TODO|FIXME|XXX|HACK)\b)|[\U0001F300-\U0001FAFF\u2600-\u27BF]"
    )
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = (token.string for token in tokens if token.type == tokenize.COMMENT)
    return [comment for comment in comments if pattern.search(comment)]


def parse(module: Path) -> ast.Module:
    return ast.parse(module.read_text("utf-8"), str(module))


@pytest.mark.parametrize("suffix", [".py", ".sql", ".sh"])
def test_files_stay_short(suffix: str) -> None:
    files = [path for path in tracked() if path.suffix == suffix]
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in files}
    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE} == {}


def test_templates_stay_short() -> None:
    lengths = {
        path: len(path.read_text("utf-8").splitlines())
        for path in SOURCE.rglob("templates/**/*")
        if path.is_file()
    }
    assert {path: length for path, length in lengths.items() if length > LONGEST_TEMPLATE} == {}


def test_the_root_stays_small() -> None:
    entries = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert len(entries) <= MOST_ROOT_ENTRIES, sorted(entries)


def test_the_root_holds_no_scripts() -> None:
    scripts = {
        path.name for path in tracked() if path.parent == ROOT and path.suffix in {".py", ".sh"}
    }
    assert scripts == set()


def test_tests_mirror_the_rooms() -> None:
    """A folder of tests is a room's, and a file of it begins with the name of a module there."""
    strays = []
    for test in sorted(TESTS.rglob("test_*.py")):
        parts = test.relative_to(TESTS).parts
        if len(parts) == 1 or parts[0] in ROOMLESS_TESTS:
            continue
        room = SOURCE / parts[0]
        known = {path.stem for path in room.rglob("*.py")} | {
            path.name for path in room.rglob("*") if path.is_dir()
        }
        subject = test.stem.removeprefix("test_")
        if not any(subject == name or subject.startswith(f"{name}_") for name in known):
            strays.append(str(test.relative_to(TESTS)))
    assert strays == []


def test_every_room_has_tests() -> None:
    rooms = {room_of(module) for module in modules() if module.parent != SOURCE}
    assert {room for room in rooms if not (TESTS / room).is_dir()} == set()


def test_names_say_what_a_module_is() -> None:
    words = {module: set(module.stem.rstrip("s").split("_")) for module in modules()}
    assert {module for module, parts in words.items() if parts & NAMELESS} == set()


def test_only_settings_read_the_environment() -> None:
    reads = {
        module: found
        for module in modules()
        if room_of(module) != "config" and (found := environment_reads(parse(module)))
    }
    assert reads == {}


def test_libraries_are_kept_to_their_rooms() -> None:
    strays = {
        (str(module.relative_to(SOURCE)), name)
        for module in modules()
        for name in imported(parse(module))
        if name in KEPT_TO and room_of(module) not in KEPT_TO[name]
    }
    assert strays == set()


def test_only_the_command_line_writes_to_the_terminal() -> None:
    writers = {
        str(module.relative_to(SOURCE))
        for module in modules()
        if room_of(module) not in {"cli", "telemetry"}
        and re.search(r"\bsys\.(?:stdout|stderr)\b", module.read_text("utf-8"))
    }
    assert writers == set()


def test_comments_are_plain() -> None:
    files = [path for path in tracked() if path.suffix == ".py"]
    found = {path: notes for path in files if (notes := remarks(path.read_text("utf-8")))}
    assert found == {}


def test_no_registry_or_machine_is_named() -> None:
    written = ("pypi org", "pythonhosted org", "registry npmjs", "deb debian org")
    hosts = (*(name.replace(" ", ".") for name in written), "extra-index-url")
    places = (r"/work/", r"/root/", r"/home/[a-z]+/", r"/Users/[a-z]+/")
    pattern = re.compile("|".join([*map(re.escape, hosts), *(rf"(?<![\w.]){it}" for it in places)]))
    found = {}
    for path in tracked():
        text = path.read_bytes().decode("utf-8", "ignore")
        if path != Path(__file__) and "\0" not in text and (names := set(pattern.findall(text))):
            found[str(path.relative_to(ROOT))] = names
    assert found == {}


def test_locks_pin_every_package_by_hash() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text("utf-8")
        blocks = re.split(r"\n(?=\S)", text.strip())
        assert [block for block in blocks if "==" not in block or "--hash=" not in block] == []
        assert "://" not in text


def test_no_library_is_declared_that_nothing_uses() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    modules_of = defaultdict(set)
    for module, names in packages_distributions().items():
        for name in names:
            modules_of[plain(name)].add(module)
    code = "\n".join(module.read_text() for module in modules())
    declared = [plain(re.split(r"[<>=\[]", one)[0]) for one in project["dependencies"]]
    assert len(declared) > 40
    for name in declared:
        # Some are files alone, which are found by the name of what brings them.
        assert any(word in code for word in {name, *modules_of[name]}), name


def plain(name: str) -> str:
    """The name of a package as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_rules_see_what_they_forbid() -> None:
    """Each rule on a file that breaks it."""
    assert environment_reads(ast.parse("import os\nx = os.environ['A']")) == [2]
    assert environment_reads(ast.parse("from os import getenv")) == [1]
    assert list(imported(ast.parse("def f():\n    import httpx2.client"))) == ["httpx2"]
    assert remarks("x = '\U0001f9a0'  # TODO later\n# ======\n") == ["# TODO later", "# ======"]
    assert remarks("x = 1  # a reason - with a dash") == []
