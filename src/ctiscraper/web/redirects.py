"""Ways on within this program."""

from starlette.responses import RedirectResponse, Response


def local_path(path: str) -> str:
    """Return a path of this program, the start page for anything else."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_local and path.isprintable() and path.isascii() else "/"


def see_other(path: str) -> Response:
    """Return the way to another page of this program."""
    return RedirectResponse(local_path(path), 303)
