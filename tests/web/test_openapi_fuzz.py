"""Every operation of the API is asked anything that its description allows, and more."""

import asyncio
import json
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from psycopg.conninfo import make_conninfo
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ctiscraper.bootstrap import open_meaning, open_questions
from ctiscraper.db.roles import DatabaseRole, Part, give_roles
from ctiscraper.model_use import model_use
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from ctiscraper.web.serve import listen, serve
from internet.world import FakeInternet
from people import person, token_of
from walk.walker import walking
from web.shelf import Shelf

DESCRIPTION = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"
EXAMPLES = 15
# One may ask 600 times a minute.
TOKENS = 40
# What they ask another site for may fail there, and is told so.
ABROAD = {"preview_source", "add_source", "check_source"}

# What happens is told until the asker goes; tests/web/test_live.py asks for that.
ENDLESS = "get_events"
# Nobody asks it here: what it is to say waits for a worker.
A_MODEL = {"model_url": "http://127.0.0.1:9", "model": "some"}

schema = schemathesis.openapi.from_dict(json.loads(DESCRIPTION.read_text("utf-8")))
OPERATIONS = [
    operation["operationId"]
    for path in schema.raw_schema["paths"].values()
    for operation in path.values()
    if operation["operationId"] != ENDLESS
]


@dataclass(frozen=True)
class Served:
    """A program that runs, and tokens for everything."""

    url: str
    tokens: list[str]


@contextmanager
def served(database: str, folder: Path) -> Iterator[Served]:
    """Yield the address of the program, which runs in a thread of its own, and tokens."""
    ready, done = Event(), Event()
    made: list[str] = []

    async def run() -> None:
        async with (
            FakeInternet(hosts=1) as net,
            walking(database, net, folder) as walk,
            open_meaning(walk.services.settings, walk.database) as meaning,
            open_questions(walk.services.settings, meaning) as questions,
        ):
            admin = await person(walk.database)
            made.extend([await token_of(walk.database, admin) for _ in range(TOKENS)])
            app = create_app(
                WebServices(
                    database=walk.database,
                    sourcing=walk.services.sourcing,
                    rehearsals=walk.services.rehearsals,
                    mending=walk.services.mending,
                    keep=walk.services.settings.keep(),
                    detections=walk.services.detections,
                    meaning=meaning,
                    questions=questions,
                    models=model_use(walk.services.settings.model_copy(update=A_MODEL)),
                )
            )
            with listen("127.0.0.1", 0) as listening:
                made.append(f"http://127.0.0.1:{listening.getsockname()[1]}")
                serving = asyncio.create_task(serve(app, listening))
                ready.set()
                await asyncio.to_thread(done.wait)
                serving.cancel()
                await asyncio.wait({serving})

    thread = Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    assert ready.wait(60), "the program does not start"
    yield Served(made[-1], made[:-1])
    done.set()
    thread.join(60)


@pytest.fixture(scope="module")
def site(
    postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """One program for all operations: to start one for each takes longer than to ask it."""
    name = f"fuzz_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        database = make_conninfo(postgres, dbname=name)
        shelf = Shelf(database)
        for number in range(3):
            shelf.article(f"Number {number}", text="A loader calls evil[.]com and hides.")
        # As the pages are served where parts have roles: a right that they lack shows here.
        give_roles(database, [DatabaseRole(part=Part.WEB, name=name, password="any words")])
        own = make_conninfo(database, user=name, password="any words")
        with served(own, tmp_path_factory.mktemp("fuzz")) as given:
            yield given
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
        connection.execute(f'DROP ROLE "{name}"'.encode())


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    # What fails is told as it was found: to shrink it takes minutes.
    phases=[Phase.explicit, Phase.generate],
)
def ask(case: schemathesis.Case[Any], site: Served) -> None:
    name: str = case.operation.definition.raw["operationId"]
    token = site.tokens[zlib.crc32(name.encode()) % TOKENS]
    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    answer = case.call(base_url=site.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    if answer.status_code == 502 and name in ABROAD:
        return
    case.validate_response(answer, checks=checks)


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_request_breaks_an_operation(name: str, site: Served) -> None:
    # What a schema itself parametrizes, each process makes of all operations before its first test.
    described = schema.include(operation_id=name)
    [made] = get_all_tests(schema=described, test_func=ask, settings=None, given_kwargs=None)
    assert isinstance(made, Ok), made
    _, ask_all = made.ok()
    ask_all(site=site)
