"""A short private folder for the server's unix socket."""

import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path

from ctiscraper.errors import SettingsError

_SOCKET_NAME = ".s.PGSQL.5432"
# sun_path of unix(7) without its closing zero; BSD and macOS have 104 bytes in all
_LONGEST = 107 if sys.platform.startswith("linux") else 103


def socket_dir_for(data_dir: Path, runtime_dir: Path | None = None) -> Path:
    """Return the folder of this data folder's socket, the same for every process that asks."""
    name = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    roots = [runtime_dir] if runtime_dir else [Path(tempfile.gettempdir()), Path("/tmp")]  # noqa: S108 - a private folder is made in it
    for root in roots:
        folder = root / f"ctiscraper-{os.geteuid()}" / name
        if len(os.fsencode(folder / _SOCKET_NAME)) <= _LONGEST:
            return folder
    raise SettingsError(
        f"the path of the database's socket below {roots[0]} is longer than {_LONGEST} bytes: "
        "choose a shorter runtime folder"
    )


def make_socket_dir(folder: Path) -> None:
    """Make the folder, its parent being ours and writable by no one else."""
    parent = folder.parent
    parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    status = parent.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise SettingsError(
            f"{parent} belongs to someone else: remove it, or use another temporary folder"
        )
    parent.chmod(0o711)
    folder.mkdir(mode=0o700, exist_ok=True)
