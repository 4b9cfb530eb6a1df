"""A browser that sets a new installation up and goes on as its administrator."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2

PASSWORD = "seven lanterns hum at noon"
SAME_SITE = {"sec-fetch-site": "same-origin"}
# A busy machine is none of a test's business.
PATIENCE = 60.0


@contextmanager
def set_up(ready: Mapping[str, Any]) -> Iterator[httpx2.Client]:
    """A client that is logged in, by the address that the program has shown."""
    with httpx2.Client(base_url=ready["url"], headers=SAME_SITE, timeout=PATIENCE) as client:
        answer = client.post("setup", data=form(ready["setup"]))
        assert answer.status_code == 303, answer.text
        yield client


def form(address: str, login: str = "admin") -> dict[str, str]:
    """What the page of an address sends."""
    token = address.partition("#token=")[2]
    return {"token": token, "login": login, "password": PASSWORD, "again": PASSWORD}
