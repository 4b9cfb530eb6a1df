"""Whom the embedded server runs as, since PostgreSQL refuses to run as root."""

import os
import pwd
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ctiscraper.db.binaries import PgBinaries
from ctiscraper.errors import SettingsError

_LAUNCHER = Path(__file__).with_name("foreground.py")
_UNPRIVILEGED = "nobody"


@dataclass(frozen=True, slots=True)
class Account:
    """How the server's processes get their user; `mark` is what the launcher is told."""

    mark: str
    uid: int
    gid: int

    @property
    def drops(self) -> bool:
        """Whether files must be handed to another user than ours."""
        return ":" in self.mark

    def command(self, *program: str | Path) -> list[str]:
        """Return the command line that runs `program` in this account as our child."""
        launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), self.mark]
        return [*launcher, *map(str, program)]

    def hand_over(self, path: Path) -> None:
        """Make the path the account's own, for nobody else to enter."""
        if self.drops:
            os.chown(path, self.uid, self.gid)
        path.chmod(0o700)

    def reachable(self, binaries: PgBinaries, data_dir: Path) -> PgBinaries:
        """Return the programs where the account can run them, copied to `data_dir` if need be."""
        if not self.drops or is_reachable(binaries.bin_dir, self.uid, self.gid):
            return binaries
        if not binaries.relocatable:
            raise SettingsError(
                f"user {_user_name(self.uid)}, who runs the database, cannot enter "
                f"{binaries.bin_dir}: open that folder to other users, or choose other programs"
            )
        return binaries.copied_to(data_dir)


def choose_account(data_dir: Path, cluster: Path) -> Account:
    """Return the account that owns the cluster, or for a new one the least privileged that can.

    As root that is an existing unprivileged user, where that user can reach the folder, else
    root's own number mapped to an ordinary one. Raises `SettingsError` when neither works.
    """
    uid, gid = os.geteuid(), os.getegid()
    owner = cluster.stat() if cluster.exists() else None
    if uid != 0:
        if owner is not None and owner.st_uid != uid:
            raise SettingsError(
                f"the database in {cluster} belongs to {_user_name(owner.st_uid)}, not to "
                f"{_user_name(uid)}: run as that user, or choose another data folder"
            )
        return Account("same", uid, gid)
    if owner is not None and owner.st_uid != 0:
        return Account(f"{owner.st_uid}:{owner.st_gid}", owner.st_uid, owner.st_gid)
    entry = _unprivileged_user() if owner is None else None
    if entry is not None and is_reachable(data_dir.parent, entry.pw_uid, entry.pw_gid):
        return Account(f"{entry.pw_uid}:{entry.pw_gid}", entry.pw_uid, entry.pw_gid)
    mapped = Account("map", uid, gid)
    if _works(mapped):
        return mapped
    raise SettingsError(
        f"PostgreSQL refuses to run as root, user {_UNPRIVILEGED} cannot enter {data_dir.parent} "
        "and this system gives no user namespaces: run as an ordinary user, choose a data folder "
        "that every user may enter, or set DATABASE_URL"
    )


def is_reachable(path: Path, uid: int, gid: int) -> bool:
    """Whether the mode bits let this user enter `path` and every folder above it."""
    return all(_may_enter(folder, uid, gid) for folder in (path, *path.parents))


def _may_enter(folder: Path, uid: int, gid: int) -> bool:
    status = folder.stat()
    if status.st_uid == uid:
        needed = stat.S_IXUSR
    elif status.st_gid == gid:
        needed = stat.S_IXGRP
    else:
        needed = stat.S_IXOTH
    return bool(status.st_mode & needed)


def _unprivileged_user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(_UNPRIVILEGED)
    except KeyError:
        return None


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _works(account: Account) -> bool:
    """Whether a process can really be started in the account."""
    command = account.command("/bin/sh", "-c", ":")
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own launcher
