"""Becomes another program that gives up root and ends with its parent; run as a script.

It imports the standard library alone, so that it starts in milliseconds, and it does before
`exec` what would be unsafe between `fork` and `exec` of a threaded parent.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_INNER_ID = 1000


def _become(account: str) -> None:
    """Take on the account: `same`, `map` (a user namespace) or `uid:gid`."""
    if account == "map":
        _map_to_ordinary_user()
    elif account != "same":
        uid, gid = (int(number) for number in account.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def _map_to_ordinary_user() -> None:
    """Enter a user namespace where this user has an ordinary number (user_namespaces(7))."""
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"user namespaces are not to be had: {os.strerror(code)}")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_INNER_ID} {uid} 1"),
        ("gid_map", f"{_INNER_ID} {gid} 1"),
    ):
        # pathlib would double the time that this script takes to start
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(text)


def main() -> None:
    """Run as `foreground.py PARENT ACCOUNT PROGRAM ARGUMENT...`."""
    parent, account, *command = sys.argv[1:]
    _become(account)
    if sys.platform.startswith("linux"):
        # After the change of user, which clears it (prctl(2)). SIGINT is the fast shutdown.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != int(parent):
            sys.exit("the parent has gone")
    os.umask(0o077)
    os.execv(command[0], command)  # noqa: S606 - becoming the given program is the purpose


if __name__ == "__main__":
    main()
