"""Who uses an installation: readers, searchers and programs; and what they must be given.

Started by bench/load/run.py. Ends with 1 when a request failed, when fewer were answered than
`LOAD_LEAST`, or when the 95th percentile of a kind took longer than `LOAD_P95_MS` (0: any time).
"""

import itertools
import os
from typing import Any

from locust import HttpUser, between, events, task

SESSION = os.environ["LOAD_SESSION"]
TOKENS = os.environ["LOAD_TOKENS"].split(",")
WORDS = os.environ["LOAD_WORDS"].split(",")
LEAST = int(os.environ["LOAD_LEAST"])
P95_MS = float(os.environ["LOAD_P95_MS"])
# No more than a token may ask in a minute, shared by those who have the same one.
_turn = itertools.count()


class Reader(HttpUser):
    """Looks at the list, a source, and how things stand."""

    weight = 3
    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        """Be logged in."""
        self.client.cookies.set("ctiscraper", SESSION)

    @task(6)
    def read_list(self) -> None:
        """Ask for the newest articles, and read the first."""
        self.client.get("/", name="list")
        found = self.client.get("/api/v1/articles?limit=1", name="newest").json()
        for article in found["articles"]:
            self.client.get(f"/articles/{article['id']}", name="article")

    @task(2)
    def look_at_sources(self) -> None:
        """Ask for the sources."""
        self.client.get("/sources", name="sources")

    @task(1)
    def look_at_dashboard(self) -> None:
        """Ask for the dashboard."""
        self.client.get("/accounting", name="accounting")


class Searcher(HttpUser):
    """Looks for words."""

    weight = 1
    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        """Be logged in."""
        self.client.cookies.set("ctiscraper", SESSION)

    @task
    def search(self) -> None:
        """Ask for a word."""
        word = WORDS[next(_turn) % len(WORDS)]
        self.client.get("/", params={"q": word}, name="search")


class Consumer(HttpUser):
    """A program that pages through articles with a token, and asks again with the tag."""

    weight = 1
    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        """Take a token."""
        token = TOKENS[next(_turn) % len(TOKENS)]
        self.client.headers["Authorization"] = f"Bearer {token}"

    @task
    def page(self) -> None:
        """Ask for a page, and whether it has changed."""
        path = "/api/v1/articles?limit=50"
        answer = self.client.get(path, name="api articles")
        tag = {"If-None-Match": answer.headers["ETag"]}
        self.client.get(path, headers=tag, name="api articles again")
        self.client.get("/api/v1/sources", name="api sources")


@events.quitting.add_listener  # type: ignore[untyped-decorator]  # locust has no types for it
def judge(environment: Any, **_: object) -> None:  # noqa: ANN401 - locust has no types for it
    """Set the exit code by what was asked for."""
    stats = environment.stats
    slow = [
        f"{entry.name} {entry.get_response_time_percentile(0.95):.0f} ms"
        for entry in stats.entries.values()
        if P95_MS and entry.get_response_time_percentile(0.95) > P95_MS
    ]
    broken = sum(each["count"] for each in environment.runner.exceptions.values())
    failed, asked = stats.total.num_failures + broken, stats.total.num_requests
    print(f"asked {asked}, failed {failed}, slower than {P95_MS:.0f} ms: {slow or 'none'}")
    environment.process_exit_code = 1 if failed or slow or asked < LEAST else 0
