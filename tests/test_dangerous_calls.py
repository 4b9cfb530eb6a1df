"""What no module does: each of these would be a way in, and none is needed."""

import ast
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "ctiscraper"
# By a shell, or as code: what comes from outside would be run.
RUN = {
    *("eval", "exec", "compile", "__import__", "execfile"),
    *("os.system", "os.popen", "os.spawnl", "os.spawnv", "os.execl", "os.startfile"),
    *("subprocess.getoutput", "subprocess.getstatusoutput"),
    *("asyncio.create_subprocess_shell", "loop.subprocess_shell"),
}
# These make objects of whatever kind a text names.
REVIVED = {"pickle", "cPickle", "dill", "marshal", "shelve", "jsonpickle", "copyreg"}
UNSAFE_YAML = {"UnsafeLoader", "CUnsafeLoader", "FullLoader", "CFullLoader", "Loader", "CLoader"}
# Chance that can be foretold: for how long to wait, and for nothing else.
FORETOLD = {"client/transport.py", "db/one_by_one.py", "pipeline.py"}
CIPHERS = {
    "access/sealing.py": {
        "cryptography.exceptions.InvalidTag",
        "cryptography.hazmat.primitives.ciphers.aead.AESGCM",
    },
    "access/load_balancer.py": {
        "cryptography.exceptions.InvalidSignature",
        "cryptography.exceptions.UnsupportedAlgorithm",
        "cryptography.hazmat.primitives.asymmetric.ec",
        "cryptography.hazmat.primitives.asymmetric.utils.encode_dss_signature",
        "cryptography.hazmat.primitives.hashes.SHA256",
        "cryptography.hazmat.primitives.serialization.load_pem_public_key",
    },
}
# The check of one's own health, over loopback: its certificate is of another name.
UNCHECKED = {"cli/health.py"}


@cache
def trees() -> tuple[tuple[str, ast.Module], ...]:
    """Place and tree of each module."""
    return tuple(
        (module.relative_to(SOURCE).as_posix(), ast.parse(module.read_text("utf-8")))
        for module in sorted(SOURCE.rglob("*.py"))
    )


def dotted(node: ast.expr) -> str:
    """The words of `a.b.c`; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


@cache
def nodes(tree: ast.Module) -> tuple[ast.AST, ...]:
    """All that a tree is made of: to walk through those of all modules takes a second."""
    return tuple(ast.walk(tree))


@cache
def imported(tree: ast.Module) -> frozenset[str]:
    """Every module that is imported, and every name out of one."""
    found: set[str] = set()
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{each.name}" for each in node.names}
    return frozenset(found)


def calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in nodes(tree) if isinstance(node, ast.Call))


def of(names: AbstractSet[str], modules: set[str]) -> set[str]:
    """Those of the names that are one of the modules, or in it."""
    return {name for name in names if name.split(".")[0] in modules}


def test_no_shell_and_no_text_is_run() -> None:
    found = []
    for place, tree in trees():
        for call in calls(tree):
            shell = [word.arg for word in call.keywords if word.arg == "shell"]
            if shell or dotted(call.func) in RUN:
                found.append((place, call.lineno))
        names = imported(tree)
        found += [(place, 0) for name in names if name in {"os.system", "os.popen", "code", "pty"}]
    assert found == []


def test_programs_are_started_by_lists_of_arguments() -> None:
    """The first argument is never one text with the others in it."""
    started = 0
    for place, tree in trees():
        for call in calls(tree):
            name = dotted(call.func)
            if name.startswith("subprocess.") and name != "subprocess.CompletedProcess":
                started += 1
                assert not isinstance(call.args[0], ast.Constant | ast.JoinedStr), place
            elif name == "asyncio.create_subprocess_exec":
                started += 1
                assert not isinstance(call.args[0], ast.JoinedStr), place
    assert started > 5


def test_no_text_becomes_an_object_of_any_kind() -> None:
    for place, tree in trees():
        assert of(imported(tree), REVIVED) == set(), place
        for node in nodes(tree):
            if isinstance(node, ast.Attribute):
                name = dotted(node)
                assert name not in {f"yaml.{loader}" for loader in UNSAFE_YAML}, place
        for call in calls(tree):
            if dotted(call.func) in {"yaml.load", "yaml.load_all"}:
                given = {word.arg: dotted(word.value) for word in call.keywords}
                assert given.get("Loader") == "_LOADER", place
            assert dotted(call.func) not in {"yaml.unsafe_load", "yaml.full_load"}, place


def test_templates_are_files_of_the_package_alone() -> None:
    makers = {
        place: ast.unparse(word.value)
        for place, tree in trees()
        for call in calls(tree)
        if dotted(call.func).rpartition(".")[2] == "Environment"
        for word in call.keywords
        if word.arg == "loader"
    }
    assert makers == {"web/render.py": "PackageLoader('ctiscraper.web')"}
    for place, tree in trees():
        for call in calls(tree):
            name = dotted(call.func).rpartition(".")[2]
            assert name not in {"from_string", "Template", "render_template_string"}, place
            if name == "get_template" and place != "web/render.py":
                raise AssertionError(place)


def test_no_format_is_made_of_input() -> None:
    """Formats are written where they are used, or constants; those of SQL quote their parts."""
    found = set()
    for place, tree in trees():
        for call in calls(tree) if not place.startswith("db/") else ():
            if not isinstance(call.func, ast.Attribute) or call.func.attr != "format":
                continue
            given = call.func.value
            while isinstance(given, ast.Subscript):
                given = given.value
            made = dotted(given.func) if isinstance(given, ast.Call) else ""
            constant = isinstance(given, ast.Constant) or dotted(given).lstrip("_").isupper()
            if not constant and made not in {"sql.SQL", "Markup"}:
                found.add((place, ast.unparse(call.func)))
    # A writer of JSON has the same name.
    assert {each for each in found if each[1] != "msgspec.json.format"} == set()


def test_what_must_not_be_guessed_is_drawn_by_the_system() -> None:
    """By `secrets`: neither by a generator that can be foretold nor as the number of a row."""
    assert {place for place, tree in trees() if of(imported(tree), {"random"})} == FORETOLD
    makers = {place for place, tree in trees() if "secrets" in imported(tree)}
    assert {
        *("access/cookies.py", "access/tokens.py", "access/one_time.py", "access/feeds.py"),
        *("access/totp.py", "access/oidc.py", "access/sealing.py"),
    } <= makers
    for place, tree in trees():
        if place.startswith(("access/", "admission", "accounts")):
            assert of(imported(tree), {"random", "uuid", "numpy", "time"}) <= {"time"}, place


def test_hashes_that_prove_something_are_sha_256() -> None:
    """Others name things for a comparison (xxhash), or find a mistyped token (CRC 32)."""
    found: set[str] = set()
    for _, tree in trees():
        found |= {name for name in imported(tree) if name.startswith("hashlib.")}
        for node in nodes(tree):
            if isinstance(node, ast.Attribute) and dotted(node).startswith("hashlib."):
                found.add(dotted(node))
    assert found == {"hashlib.sha256"}


def test_ciphers_and_signatures_are_those_that_are_listed() -> None:
    libraries = {"cryptography", "Crypto", "Cryptodome", "nacl", "OpenSSL", "rsa", "ecdsa"}
    found = {place: names for place, tree in trees() if (names := of(imported(tree), libraries))}
    assert found == CIPHERS


def test_no_certificate_is_left_unchecked() -> None:
    found = set()
    for place, tree in trees():
        for node in nodes(tree):
            if isinstance(node, ast.Attribute) and node.attr in {
                "CERT_NONE",
                "CERT_OPTIONAL",
                "_create_unverified_context",
            }:
                found.add(place)
            elif isinstance(node, ast.keyword) and node.arg in {"verify", "ssl_check_hostname"}:
                assert not _is_false(node.value), place
    assert found == UNCHECKED


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def test_these_rules_see_what_they_forbid() -> None:
    tree = ast.parse("import os, pickle\nfrom random import choice\nos.system('x')\neval('1')")
    assert of(imported(tree), REVIVED) == {"pickle"}
    assert of(imported(tree), {"random"}) == {"random.choice"}
    assert {dotted(call.func) for call in calls(tree)} & RUN == {"os.system", "eval"}
