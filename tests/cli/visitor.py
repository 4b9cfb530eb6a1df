"""A browser that sets a new installation up and goes on as its administrator."""

from collections.abc import Mapping
from typing import Any

import httpx2

PASSWORD = "seven lanterns hum at noon"
SAME_SITE = {"sec-fetch-site": "same-origin"}


def set_up(ready: Mapping[str, Any], login: str = "admin") -> httpx2.Client:
    """A client that is logged in, by the address that the program has shown."""
    client = httpx2.Client(base_url=ready["url"], headers=SAME_SITE)
    answer = client.post("setup", data=form(ready["setup"], login))
    assert answer.status_code == 303, answer.text
    return client


def form(address: str, login: str = "admin") -> dict[str, str]:
    """What the page of an address sends."""
    token = address.partition("#token=")[2]
    return {"token": token, "login": login, "password": PASSWORD, "again": PASSWORD}
