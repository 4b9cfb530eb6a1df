"""What holds of every route there is, asked one after the other."""

import json
import re
from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from ctiscraper.db.second_factors import SecondFactors
from ctiscraper.db.session import Database
from ctiscraper.identity import GRANTS, Role
from ctiscraper.web.rules import RULES, Public
from ctiscraper.web.token_rate import TokenRate
from people import person, session_of, token_of
from web.shelf import Shelf
from web.signing import user
from web.test_guarded import ENDLESS, SAME_SITE, asked

DESCRIPTION = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"
# Shown by a browser, or read by a program that has asked for it.
SHOWN = {"text/html", "application/json", "application/problem+json"}
# Read by what has asked for it: a scraper of metrics, a reader of feeds, a worker of our own.
READ = {
    *("application/openmetrics-text", "text/plain"),
    *("application/atom+xml", "application/feed+json"),
}
PAGES = sorted(
    name
    for name, rule in RULES.items()
    if name.startswith("GET ") and "/api/" not in name and rule is not Public.ANYONE
)
ODD_NUMBERS = (-1, 2**31, 2**63, 10**40)


@pytest.mark.parametrize("role", list(Role))
async def test_every_page_offers_the_way_out(
    stranger: httpx2.AsyncClient, opened: Database, shelf: Shelf, role: Role
) -> None:
    shelf.article("one", text="A loader.")
    stranger.cookies.set("ctiscraper", await session_of(opened, await person(opened, role)))
    offered = 0
    for rule in PAGES:
        answer = await stranger.get(asked(rule)[1], headers=SAME_SITE)
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        assert (answer.status_code == 403) == (RULES[rule] not in GRANTS[role]), rule
        assert answer.text.count('action="/logout"') == 1, (rule, answer.status_code)
        offered += answer.status_code == 200
    assert offered > 12


async def test_what_is_no_page_is_a_file_to_keep(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    """So that no browser runs, as a page of ours, what holds words of others."""
    shelf.article("one", text="A loader.")
    formats = ("", "?format=csv", "?format=ndjson")
    kept = set()
    for rule in sorted(name for name in RULES if name.startswith("GET ") and name != ENDLESS):
        for form in formats:
            answer = await client.get(asked(rule)[1] + form, headers=SAME_SITE)
            media_type = answer.headers.get("content-type", "").partition(";")[0]
            disposition = answer.headers.get("content-disposition", "")
            if disposition:
                assert disposition.startswith('attachment; filename="'), rule
                assert disposition.removeprefix('attachment; filename="')[:-1].isascii(), rule
                kept.add(media_type)
            elif answer.status_code == 200:
                assert media_type in SHOWN | READ, (rule, media_type)
    assert kept >= {"text/csv", "application/x-ndjson", "text/markdown", "application/zip"}


async def test_no_browser_keeps_what_is_about_people(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    stranger.cookies.set("ctiscraper", await session_of(opened, await person(opened)))
    seen = 0
    for rule in sorted(name for name in RULES if name.startswith("GET ") and name != ENDLESS):
        path = asked(rule)[1]
        if re.search(r"/(?:users|tokens|account|audit|sudo)\b", path):
            answer = await stranger.get(path, headers=SAME_SITE)
            assert answer.headers["cache-control"] == "no-store", rule
            seen += answer.status_code == 200
    assert seen > 6


async def test_no_answer_has_what_is_kept_of_a_secret(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    """Neither the hash of a password or of a token nor the sealed secret of an app."""
    boss = await user(opened)
    await token_of(opened, boss)
    await SecondFactors(opened).begin_totp(boss, b"sealed-secret-of-an-app")
    async with opened.connection() as conn:
        hashes = await conn.execute("SELECT password_hash FROM app_user")
        [(password,)] = await hashes.fetchall()
        secrets = await conn.execute("SELECT secret FROM api_token")
        [(token,)] = await secrets.fetchall()
    assert password.startswith("$argon2id$")
    stranger.cookies.set("ctiscraper", await session_of(opened, boss, sudo_minutes=10))
    for rule in sorted(name for name in RULES if name.startswith("GET ") and name != ENDLESS):
        answer = await stranger.get(asked(rule)[1], headers=SAME_SITE)
        for kept in (password, bytes(token).hex(), b64encode(token).decode(), "sealed-secret"):
            assert kept not in answer.text, rule


async def test_a_number_of_any_size_is_answered(
    client: httpx2.AsyncClient, app: FastAPI, shelf: Shelf
) -> None:
    app.state.token_rate = TokenRate(100_000)
    shelf.article("one", text="A loader.")
    numbered = [name for name in sorted(RULES) if "_id}" in name or "{number}" in name]
    assert len(numbered) > 40
    for rule in numbered:
        method, _, path = rule.partition(" ")
        for number in ODD_NUMBERS:
            address = re.sub(r"\{\w+\}", str(number), path)
            answer = await client.request(method, address, headers=SAME_SITE)
            # Here is no server of models, and nobody who asks sites; the database is.
            missing = answer.status_code == 503 and "database" not in answer.text
            assert missing or answer.status_code < 500, (rule, number, answer.text)


async def test_a_parameter_is_decoded_once(client: httpx2.AsyncClient) -> None:
    page = await client.get("/?q=%2541%253Cb%253E")
    assert 'value="%41%3Cb%3E"' in page.text
    assert "A&lt;b&gt;" not in page.text
    for path in ("/articles/%2531", "/%2561pi/v1/articles", "/static/%252e%252e/app.py"):
        assert (await client.get(path)).status_code in {404, 422}, path


def test_no_body_takes_a_field_that_is_not_offered() -> None:
    """The settings of a source are checked one by one, as those of the catalogue are."""
    document: dict[str, Any] = json.loads(DESCRIPTION.read_text("utf-8"))
    schemas = document["components"]["schemas"]
    bodies = [
        content["schema"]
        for operations in document["paths"].values()
        for operation in operations.values()
        for content in operation.get("requestBody", {"content": {}})["content"].values()
        if "schema" in content
    ]
    assert len(bodies) > 30
    found: set[str] = set()
    for body in bodies:
        _open_in(body, "", schemas, found)
    assert {name for name in found if not name.startswith("seen ")} == {
        "SourceIn.settings",
        "SourceProposal.settings",
        "SourceChange.settings",
    }
    assert sum(name.startswith("seen ") for name in found) > 40


def _open_in(schema: dict[str, Any], place: str, schemas: dict[str, Any], found: set[str]) -> None:
    """Put into `found` every place below a schema that takes any field."""
    if "$ref" in schema:
        place = schema["$ref"].rpartition("/")[2]
        if f"seen {place}" in found:
            return
        found.add(f"seen {place}")
        schema = schemas[place]
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        found.add(place)
    for name, below in schema.get("properties", {}).items():
        _open_in(below, f"{place}.{name}", schemas, found)
    for below in (*(schema.get(kind, ()) for kind in ("anyOf", "oneOf", "allOf")),):
        for each in below:
            _open_in(each, place, schemas, found)
    if "items" in schema:
        _open_in(schema["items"], place, schemas, found)
