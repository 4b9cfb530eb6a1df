"""The image of the front door: Nginx with the product's own files, filled in as the image does."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from rehearsal.processes import ROOT

FOLDER = ROOT / "deploy" / "nginx"


@cache
def find_nginx() -> str | None:
    """Return the program, None where there is none."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@cache
def image_settings(stage: str) -> Mapping[str, str]:
    """Return the variables that a stage of the Dockerfile sets, and what it is made from."""
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    stages = rf"^FROM (\S+) AS {re.escape(stage)}$(.*?)(?=^FROM |\Z)"
    found = re.search(stages, text, re.MULTILINE | re.DOTALL)
    if found is None:
        return {}
    lines = re.findall(r"^ENV (.+)$", found[2], re.MULTILINE)
    own = dict(word.split("=", 1) for line in lines for word in shlex.split(line))
    return {**image_settings(found[1]), **own}


def render(run: Path, given: Mapping[str, str]) -> list[str]:
    """Write the settings into a folder, and return the command that serves by them."""
    nginx = find_nginx()
    assert nginx is not None, "images of the front door are there only with Nginx"
    values = {
        **image_settings("proxy"),
        "NGINX_LOCAL_RESOLVERS": "127.0.0.1",
        "NGINX_ROOT": str(ROOT / "src" / "ctiscraper" / "web"),
        **given,
        "NGINX_RUN": str(run),
    }
    shown = subprocess.run(  # noqa: S603 - the file of the image's entrypoint
        ["/bin/sh", "-euc", f". {FOLDER}/18-edge.envsh; env -0"],
        env={"PATH": os.environ["PATH"], **values},
        capture_output=True,
        check=True,
    )
    known = dict(row.split("=", 1) for row in shown.stdout.decode().split("\0") if row)
    for template in sorted(FOLDER.glob("*.template")):
        (run / template.stem).write_text(_filled(template.read_text("utf-8"), known), "utf-8")
    # Workers of root stay root, to read the task's folder.
    user = "user root; " if os.geteuid() == 0 else ""
    return [nginx, "-c", str(run / "nginx.conf"), "-g", f"{user}daemon off;"]


def _filled(template: str, values: Mapping[str, str]) -> str:
    wanted = re.compile(values["NGINX_ENVSUBST_FILTER"])

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return values[name] if name in values and wanted.search(name) else match[0]

    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, template)
