"""What pages offer: whoever sees a form or a link may go where it leads."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from selectolax.lexbor import LexborHTMLParser

from answering import use
from ctiscraper.access.cookies import csrf_token
from ctiscraper.analyses import version_of
from ctiscraper.analysis.analysed import RULES as SIGMA
from ctiscraper.analysis.analysed import TaskName
from ctiscraper.db.session import Database
from ctiscraper.detecting import Detections, open_sandbox
from ctiscraper.identity import GRANTS, Permission, Role
from ctiscraper.intelligence import Extractor
from ctiscraper.types import Keep, Tier
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from ctiscraper.web.rules import API, RULES, Public
from detect.material import COMMAND, TEXT
from detect.test_modelled import GOOD
from newsroom import Newsroom
from people import person, session_of
from web import claims
from web.said import claim, say
from web.shelf import Shelf
from web.test_matrix import MATRIX
from web.test_pages import FORM

# Pages of a list differ in what narrows it: so many addresses of each form are opened.
MOST_ALIKE = 4
# Of those that are more, the ones of which there is most to tell.
TOLD = ("/articles/4", "/articles/4/detection", "/sources/idle", "/sources/sick", "/sources/acme")
# So that the form for all of a kind is there, beside that for those of a page.
ENDED = 60
HASH = "sha256 " + "ab" * 32

PATTERNS = {name: re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(name))) for name in RULES}
PAGES = {name for name in RULES if f" {API}" not in name}
# What nobody is led to who is logged in and looks around: some of it only programs ask, and some
# comes after a form that asks a site, a browser or a provider first.
NOT_BY_THE_WAY = {
    *("GET /health", "GET /health/live", "GET /health/ready", "GET /metrics"),
    *("GET /feeds/{token}.atom", "GET /feeds/{token}.json"),
    *("GET /setup", "POST /setup", "GET /login", "POST /login", "POST /login/code"),
    *("POST /login/passkey", "POST /login/passkey/options", "GET /password", "POST /password"),
    *("GET /oidc/start", "GET /oidc/again", "GET /oidc/callback", "GET /oidc/balancer"),
    *("GET /sudo", "POST /sudo", "POST /account/password", "POST /account/passkeys/remove"),
    *("POST /account/totp/confirm", "POST /account/totp/remove"),
    *("POST /sources/add", "POST /sources/{key}/mend/apply"),
}
KEPT = dict.fromkeys(Tier, 30)


@pytest_asyncio.fixture
async def app(opened: Database) -> AsyncIterator[FastAPI]:
    async with open_sandbox() as sandbox:
        yield create_app(
            WebServices(
                database=opened,
                matrix=MATRIX,
                detections=Detections(opened, sandbox),
                models=use(version=version_of, tasks=(TaskName.SUMMARY,)),
                keep=Keep(raw=KEPT, revisions=KEPT, checks=KEPT),
            )
        )


@dataclass
class Crawl:
    """What the pages that somebody opens offer: the rules of the ways, each with a page."""

    client: httpx2.AsyncClient
    waiting: list[str] = field(default_factory=list)
    alike: dict[str, set[str]] = field(default_factory=dict)
    offered: dict[str, str] = field(default_factory=dict)

    async def all(self, *addresses: str) -> None:
        """Open these pages first, then those that they lead to."""
        self.waiting = [*addresses, *self.waiting]
        while self.waiting:
            address = self.waiting.pop(0)
            if not self._is_new(address):
                continue
            answer = await self.client.get(address)
            if answer.is_success:
                self.read(answer, address)

    async def send(self, path: str, **fields: object) -> None:
        """Send a form, and open what it leads to."""
        answer = await self.client.post(path, content=urlencode(fields, doseq=True), headers=FORM)
        assert not answer.is_error, path
        if "location" in answer.headers:
            answer = await self.client.get(answer.headers["location"])
        self.read(answer, path)

    def read(self, answer: httpx2.Response, here: str) -> None:
        """Note what a page offers."""
        if not answer.headers.get("content-type", "").startswith("text/html"):
            return
        for way, target in ways_of(answer.text, here):
            self.offered.setdefault(rule_of(way, target), here)
            if way == "GET":
                self.waiting.append(target)

    def _is_new(self, address: str) -> bool:
        path, _, query = address.partition("#")[0].partition("?")
        names = ",".join(sorted(part.partition("=")[0] for part in query.split("&")))
        known = self.alike.setdefault(f"{rule_of('GET', path)}?{names}", set())
        if address in known or len(known) == MOST_ALIKE:
            return False
        known.add(address)
        return not path.startswith(f"{API}/")


def rule_of(method: str, address: str) -> str:
    """The rule of the route that answers there; what is spelt out goes before what is filled in."""
    asked = f"{method} {re.split('[?#]', address)[0]}"
    fitting = [name for name, pattern in PATTERNS.items() if pattern.fullmatch(asked)]
    assert fitting, f"no route answers {asked}"
    return max(fitting, key=lambda name: len(re.sub(r"\{\w+\}", "", name)))


def ways_of(html: str, here: str) -> Iterator[tuple[str, str]]:
    """Method and address of each way on that a page of ours has, to this installation."""
    tree = LexborHTMLParser(html)
    for link in tree.css("a[href^='/']"):
        yield "GET", link.attributes["href"] or ""
    for form in tree.css("form:not([method=dialog])"):
        method = (form.attributes.get("method") or "get").upper()
        yield method, form.attributes.get("action") or here
        for name in ("data-ask", "data-options"):
            if name in form.attributes:
                yield "POST", form.attributes[name] or ""
    for button in tree.css("[formaction]"):
        yield "POST", button.attributes["formaction"] or ""


async def fill(client: httpx2.AsyncClient, shelf: Shelf, opened: Database) -> None:
    """Let there be some of everything that pages show."""
    shelf.start = datetime.now(UTC)
    newsroom = Newsroom(shelf.conninfo, opened)
    for number in range(3):
        newsroom.tell(HASH, f"domain c{number}.evil.com", source=f"site-{number}", hours=number)
    shelf.run("INSERT INTO source_state (source_id, host) SELECT id, key || '.example' FROM source")
    await newsroom.assign()
    await newsroom.stories.split([3], actor="test", reason="a copycat")
    number = shelf.article("A report", text=TEXT)
    shelf.article("The same", "bolt", duplicate_of=number, similarity=0.9, text=TEXT + "More.")
    shelf.revision(number, 1, "An earlier text.")
    shelf.source("sick", health="failing", reason="timeout", failures=5)
    shelf.source("idle", active=False, health="paused")
    shelf.run("UPDATE source_state SET enabled = health <> 'paused'")
    for state in ("dead", "failed", "filtered", "duplicate"):
        for each in range(ENDED):
            shelf.job("acme", f"https://acme.example/{state}/{each}", state, reason="timeout")
    shelf.check("acme", status=200)
    technique = claims.mention("T1053.005", "technique", extractor=Extractor.ATTACK, verdict=None)
    named = [
        technique,
        claims.at(TEXT, "evil.example"),
        claims.at(TEXT, COMMAND, "command_line", verdict=None),
    ]
    await claims.name(shelf.conninfo, shelf, number, *named)
    say(shelf, number, claim("It ran.", TEXT, "DefenderUPD"))
    say(shelf, number, task="title", state="pending")
    say(shelf, number, task="techniques", state="failed", fault="timeout")
    say(shelf, number, claim("It was run.", TEXT, "DefenderUPD"), model="large")
    say(shelf, number, task=SIGMA, model="large", state="pending")
    rule = claim("A task", TEXT, "DefenderUPD", level="high", rule=GOOD)
    say(shelf, number, rule, task=SIGMA, prompt_version=version_of(SIGMA))
    of_it = f"{API}/articles/{number}"
    for path, body in (
        (f"{API}/watchlist", {"kind": "keyword", "term": "loader", "weight": 1}),
        (f"{of_it}/notes", {"body": "seen here"}),
        (f"{of_it}/highlights", {"revision": 2, "quote": "evil.example"}),
        (f"{API}/triage/changes", {"articles": [number], "tag": "seen"}),
        (f"{of_it}/detections", None),
    ):
        answer = await client.post(path, json=body)
        assert answer.is_success, answer.text
    verdict = {"scope": "value", "kind": "domain", "value": "evil.example", "verdict": "malicious"}
    answer = await client.post(f"{API}/verdicts", json=verdict)
    assert answer.is_success, answer.text
    answer = await client.patch(f"{API}/sources/acme", json={"settings": {"name": "The Acme"}})
    assert answer.is_success, answer.text


async def own(crawl: Crawl, role: Role) -> None:
    """Let somebody have something of his own of everything that people have."""
    for name in ("mine", "another"):
        search = {"name": name, "query": name, "shared": True}
        assert (await crawl.client.post(f"{API}/searches", json=search)).is_success
    await crawl.send("/searches/1/feed")
    await crawl.send("/tokens/make", name="mine", scopes="article:read")
    await crawl.send("/indicators/lookup", text="evil.example")
    await crawl.send("/reading", one="star 1", here="/")
    if Permission.ARTICLE_ANNOTATE in GRANTS[role]:
        await crawl.send("/triage", articles=2, act="state", state="done", here="/")


@pytest_asyncio.fixture
async def crawl(stranger: httpx2.AsyncClient, opened: Database, role: Role) -> Crawl:
    """Somebody of a role in a browser."""
    jane = await person(opened, role, "jane")
    await session_of(opened, jane)
    secret = await session_of(opened, jane, sudo_minutes=10)
    stranger.cookies.set("ctiscraper", secret)
    stranger.headers.update({"x-csrf-token": csrf_token(secret), "sec-fetch-site": "same-origin"})
    return Crawl(stranger)


def may(role: Role, rule: str) -> bool:
    return isinstance(RULES[rule], Public) or RULES[rule] in GRANTS[role]


def first_pages(role: Role) -> list[str]:
    """The addresses of all pages that a role may open and that stand for no one thing."""
    return sorted(
        name.removeprefix("GET ")
        for name in PAGES - NOT_BY_THE_WAY
        if name.startswith("GET ") and "{" not in name and may(role, name)
    )


@pytest.mark.parametrize("role", list(Role))
async def test_pages_offer_all_that_a_role_may_do_and_nothing_else(
    client: httpx2.AsyncClient, shelf: Shelf, opened: Database, crawl: Crawl, role: Role
) -> None:
    await fill(client, shelf, opened)
    await own(crawl, role)
    await crawl.all(*TOLD, *first_pages(role))
    assert {rule: here for rule, here in crawl.offered.items() if not may(role, rule)} == {}
    hidden = PAGES - NOT_BY_THE_WAY - set(crawl.offered)
    assert {rule for rule in hidden if may(role, rule)} == set()


@pytest.mark.parametrize("role", list(Role))
async def test_empty_pages_offer_nothing_that_a_role_may_not_do(crawl: Crawl, role: Role) -> None:
    await crawl.all(*first_pages(role))
    assert {rule: here for rule, here in crawl.offered.items() if not may(role, rule)} == {}
