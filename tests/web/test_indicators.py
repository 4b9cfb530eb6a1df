"""The pages of what articles name: marks and evidence, lists, one in full, decisions, lookup."""

from datetime import timedelta
from urllib.parse import urlencode

import httpx2
import pytest

from ctiscraper.intelligence import Extractor, Verdict
from web import claims
from web.shelf import START, Shelf
from web.test_pages import FORM, attribute, page, words

TEXT = "The loader asks www.evil[.]com for stage.exe. Cozy Bear sent it."


async def article(database: str, shelf: Shelf) -> tuple[int, dict[str, int]]:
    number = shelf.article("Report", text=TEXT)
    ids = await claims.name(
        database,
        shelf,
        number,
        claims.at(TEXT, "www.evil[.]com", reasons=("defanged", "attack:asks", "popular_1k")),
        claims.at(TEXT, "stage.exe", "file_name", verdict=Verdict.SUSPICIOUS, host=""),
        claims.at(
            TEXT, "Cozy Bear", "actor", value="G0016", name="APT29", alias="Cozy Bear",
            verdict=None, reasons=(), host="", extractor=Extractor.NAMES,
        ),
    )  # fmt: skip
    return number, ids


async def test_an_article_marks_what_it_names_and_shows_the_evidence(
    client: httpx2.AsyncClient, database: str, shelf: Shelf
) -> None:
    number, ids = await article(database, shelf)
    tree = await page(client, f"/articles/{number}")
    assert words(tree, ".body") == [TEXT]
    assert words(tree, "mark.m") == ["www.evil[.]com", "stage.exe", "Cozy Bear"]
    domain = ids["www.evil.com"]
    assert attribute(tree, f"#p-{domain}", "title") == "Domain: www[.]evil[.]com (malicious)"
    assert attribute(tree, f"#p-{domain}", "tabindex") == "0"
    assert words(tree, "#named-title") == ["Names 3 things"]
    assert words(tree, ".kind h3") == [
        "Mark each Threat actor 1", "Mark each Domain 1", "Mark each File name 1",
    ]  # fmt: skip
    reasons = words(tree, f'[data-evidence="{domain}"] .reasons li')
    assert reasons == [
        "+Speaks for it: Written so that nobody opens it by accident",
        "+Speaks for it: Its sentence tells of an attack: asks",
        "−Speaks against it: Among the thousand most popular sites",  # noqa: RUF001 - as shown
    ]
    assert "Recognised as “Cozy Bear”" in words(tree, f'[data-evidence="{ids["G0016"]}"]')[0]
    scopes = [node.attributes["value"] for node in tree.css(f"#e-{domain} option")]
    assert scopes == [
        "value", "domain www.evil.com", "domain evil.com", "source acme",
    ]  # fmt: skip
    assert attribute(tree, f"#e-{domain} .jump", "href") == f"#p-{domain}"
    assert not tree.css(f"#e-{ids['G0016']} form")


async def test_no_value_becomes_a_link(
    client: httpx2.AsyncClient, database: str, shelf: Shelf
) -> None:
    url = "http://evil.com/x"
    number = shelf.article("Report", text=f"Not here: {url}")
    ids = await claims.name(database, shelf, number, claims.mention(url, "url", host="evil.com"))
    for path in (f"/articles/{number}", "/indicators", f"/indicators/{ids[url]}"):
        tree = await page(client, path)
        targets = [node.attributes["href"] or "" for node in tree.css("a[href]")]
        assert not [target for target in targets if "evil.com" in target], path
        assert "hxxp://evil[.]com/x" in words(tree, "main")[0]
        copied = {node.attributes["data-copy"] for node in tree.css("[data-copy]")}
        assert path == "/indicators" or copied == {"hxxp://evil[.]com/x", url}


async def test_a_link_of_the_source_to_something_bad_is_disarmed(
    client: httpx2.AsyncClient, database: str, shelf: Shelf
) -> None:
    text = "Do not open evil.com or good.com."
    html = (
        '<p>Do not open <a href="http://evil.com/">evil.com</a> or '
        '<a href="http://good.com/">good.com</a>.</p>'
    )
    number = shelf.article("Report", text=text, html=html)
    ids = await claims.name(
        database, shelf, number, claims.at(text, "evil.com"),
        claims.at(text, "good.com", verdict=Verdict.BENIGN),
    )  # fmt: skip
    tree = await page(client, f"/articles/{number}")
    assert [node.attributes["href"] for node in tree.css(".body a[href]")] == ["http://good.com/"]
    assert words(tree, ".body a.disarmed mark") == ["evil.com"]
    assert attribute(tree, f"#p-{ids['evil.com']}", "tabindex") == "0"


@pytest.mark.parametrize(
    ("scope", "team"),
    [("value", "benign"), ("domain evil.com", "benign"), ("source acme", None)],
)
async def test_a_decision_is_made_and_undone_by_forms(
    client: httpx2.AsyncClient, database: str, shelf: Shelf, scope: str, team: str | None
) -> None:
    number, ids = await article(database, shelf)
    domain = ids["www.evil.com"]
    here = f"/articles/{number}?q=loader"
    sent = urlencode({"entity": domain, "verdict": "benign", "scope": scope, "here": here})
    answer = await client.post("/verdicts", content=sent, headers=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{here}#e-{domain}")
    assert shelf.run("SELECT team FROM entity WHERE id = %s", (domain,)) == (team,)
    tree = await page(client, f"/articles/{number}")
    assert words(tree, f"#e-{domain} summary .verdict") == ["Benign"]
    assert "The text alone says: malicious." in words(tree, f"#e-{domain} .why")[0]
    assert "the-admin, token a test" in words(tree, f"#e-{domain} .decided")[0]
    sent = urlencode(
        {
            "verdict": attribute(tree, f"#e-{domain} .undo [name=verdict]", "value"),
            "entity": domain,
            "here": "https://elsewhere.example/",
        }
    )
    answer = await client.post("/verdicts/undo", content=sent, headers=FORM)
    assert answer.headers["location"] == f"/#e-{domain}"
    tree = await page(client, f"/articles/{number}")
    assert words(tree, f"#e-{domain} summary .verdict") == ["Malicious"]
    history = await page(client, f"/indicators/{domain}")
    assert ("undone" in words(history, ".history")[0]) is (scope != "x")


@pytest.mark.parametrize(
    "sent",
    [
        {"verdict": "benign", "scope": "domain com"},
        {"verdict": "benign", "scope": "domain other.com"},
        {"verdict": "harmless"},
        {"verdict": "benign", "scope": "everything"},
        {"verdict": "benign", "surprise": "1"},
    ],
)
async def test_a_decision_that_makes_no_sense_is_refused(
    client: httpx2.AsyncClient, database: str, shelf: Shelf, sent: dict[str, str]
) -> None:
    _, ids = await article(database, shelf)
    form = urlencode({"entity": ids["www.evil.com"], **sent})
    answer = await client.post("/verdicts", content=form, headers=FORM)
    assert answer.status_code == 422
    assert shelf.run("SELECT count(*) FROM verdict") == (0,)


async def test_other_sites_cannot_decide(
    client: httpx2.AsyncClient, database: str, shelf: Shelf
) -> None:
    _, ids = await article(database, shelf)
    form = urlencode({"entity": ids["stage.exe"], "verdict": "benign"})
    foreign = {**FORM, "sec-fetch-site": "cross-site"}
    for path in ("/verdicts", "/verdicts/undo", "/indicators/lookup"):
        assert (await client.post(path, content=form, headers=foreign)).status_code == 403


async def test_a_revision_tells_what_came_and_went(
    client: httpx2.AsyncClient, database: str, shelf: Shelf
) -> None:
    number, ids = await article(database, shelf)
    other = await claims.name(database, shelf, shelf.article(), claims.mention("old.example"))
    claims.looked(
        shelf, number, added=[ids["stage.exe"], 99_999], removed=[other["old.example"]],
        notes=["observables: the first 5,000 of 6,000 are kept"],
    )  # fmt: skip
    tree = await page(client, f"/articles/{number}")
    assert words(tree, ".delta summary") == ["+2 added", "−1 removed"]  # noqa: RUF001 - as shown
    assert words(tree, ".delta li") == ["stage.exe", "and 1 more", "old[.]example"]
    assert "the first 5,000 of 6,000" in words(tree, "#named")[0]


async def test_an_article_says_why_nothing_is_marked(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    number = shelf.article("Report")
    assert "Not looked through yet" in (await client.get(f"/articles/{number}")).text
    claims.looked(shelf, number, failure="parser_timeout: it took too long")
    assert "could not be looked through" in (await client.get(f"/articles/{number}")).text
    shelf.run("UPDATE article SET revision = 2 WHERE id = %s", (number,))
    assert "Not looked through yet" in (await client.get(f"/articles/{number}")).text


async def test_thousands_of_things_leave_room_for_each_kind(
    client: httpx2.AsyncClient, database: str, shelf: Shelf
) -> None:
    number = shelf.article("Report", text=TEXT)
    many = (claims.mention(f"d{n}.example") for n in range(2_100))
    await claims.name(
        database, shelf, number, *many, claims.at(TEXT, "stage.exe", "file_name", host="")
    )
    tree = await page(client, f"/articles/{number}")
    assert words(tree, ".kind h3 .count") == ["2,100", "1"]
    assert len(tree.css(".thing")) == 2_000
    assert len(tree.css("[data-evidence]")) == 400
    assert "101 more are not listed" in words(tree, "#named")[0]
    [rest] = words(tree, ".rest > summary")
    assert rest == "2,092 more"
    assert words(tree, ".rest > ul > li.soft") == ["and 101 that are not listed here"]


async def test_the_list_is_narrowed_and_leads_on(
    client: httpx2.AsyncClient, database: str, shelf: Shelf
) -> None:
    number = shelf.article("Report")
    many = (claims.mention(f"d{n:02}.evil.com") for n in range(55))
    await claims.name(
        database, shelf, number, *many, claims.mention("good.example", verdict=Verdict.BENIGN),
        claims.mention("a" * 64, "sha256", host=""),
    )  # fmt: skip
    tree = await page(client, "/indicators?under=evil[.]com&verdict=malicious&kind=network")
    assert len(tree.css("tbody tr")) == 50
    older = attribute(tree, "[data-next]", "href")
    rest = await page(client, older)
    assert len(rest.css("tbody tr")) == 5
    assert words(await page(client, "/indicators?q=good"), "tbody a") == ["good[.]example"]
    assert words(await page(client, "/indicators?kind=files"), "tbody a") == ["a" * 64]
    held = await page(client, "/indicators?verdict=held&q=g")
    assert "Nothing matches" in words(held, "main")[0]
    assert len((await page(client, "/indicators?verdict=held&q=d")).css("tbody tr")) == 50
    assert "Nothing matches" in (await client.get("/indicators?source=nobody")).text
    assert (await client.get("/indicators?cursor=rubbish")).status_code == 422


async def test_a_thing_shows_who_said_it_first_and_in_which_words(
    client: httpx2.AsyncClient, database: str, shelf: Shelf
) -> None:
    for count, source in enumerate(("acme", "bolt")):
        number = shelf.article(f"By {source}", source, text=TEXT)
        ids = await claims.name(
            database, shelf, number, claims.at(TEXT, "www.evil[.]com"),
            claims.mention("CVE-2026-1", "cve", host=""), seen=START + timedelta(days=-count),
        )  # fmt: skip
    tree = await page(client, f"/indicators/{ids['www.evil.com']}")
    assert words(tree, "tbody th") == ["Bolt reported it first", "Acme"]
    assert words(tree, ".quotes h3") == ["By acme", "By bolt"]
    assert words(tree, ".quotes blockquote b") == ["www.evil[.]com"] * 2
    quoted = words(tree, ".quotes blockquote")[0]
    assert quoted == "The loader asks www.evil[.]com for stage.exe."
    assert words(tree, ".tagged a") == ["CVE CVE-2026-1"]
    assert (await client.get("/indicators/99999")).status_code == 404


async def test_a_vulnerability_shows_what_the_packs_know_of_it(
    client: httpx2.AsyncClient, database: str, shelf: Shelf
) -> None:
    ids = await claims.name(
        database, shelf, shelf.article(), claims.mention("CVE-2026-1", "cve", host=""),
        claims.mention("CVE-2026-2", "cve", host=""),
    )  # fmt: skip
    shelf.run(
        """
        INSERT INTO cve (id, cvss, cvss_version, cvss_vector, epss, epss_percentile, kev_added,
            kev_due, kev_ransomware, kev_vendor, kev_product, kev_name)
        VALUES ('CVE-2026-1', 9.5, '3.1', 'CVSS:3.1/AV:N', 0.25, 0.97, '2026-11-02', '2026-11-23',
            true, 'Acme', 'Gate', 'A hole'), ('CVE-2026-2', NULL, NULL, NULL, 0.01, NULL, NULL,
            NULL, NULL, NULL, NULL, NULL)
        """
    )
    known = words(await page(client, f"/indicators/{ids['CVE-2026-1']}"), ".rows dd")
    assert "9.5 version 3.1CVSS:3.1/AV:N" in known
    assert "25.0 % likely to be exploited within 30 days (more than 97 % of all CVEs)" in known
    assert (
        "Known to be exploited: A hole, since 2 November 2026, to be fixed by 23 November 2026; "
        "used for ransomware"
    ) in known
    heads = words(await page(client, f"/indicators/{ids['CVE-2026-2']}"), ".rows dt")
    assert {"EPSS"} == {"CVSS", "EPSS", "Exploited"} & set(heads)


async def test_a_technique_leads_to_where_it_is_described(
    client: httpx2.AsyncClient, database: str, shelf: Shelf
) -> None:
    ids = await claims.name(
        database, shelf, shelf.article(),
        claims.mention("T1059.001", "technique", name="PowerShell", verdict=None, host=""),
    )  # fmt: skip
    tree = await page(client, f"/indicators/{ids['T1059.001']}")
    link = attribute(tree, ".rows .leaving", "href")
    assert link == "https://attack.mitre.org/techniques/T1059/001/"
    assert "noreferrer" in attribute(tree, ".rows .leaving", "rel")
    assert not tree.css(".decide")


async def test_pasted_words_are_answered(
    client: httpx2.AsyncClient, database: str, shelf: Shelf
) -> None:
    await claims.name(
        database, shelf, shelf.article(), claims.mention("evil.com"),
        claims.mention("good.com", verdict=Verdict.BENIGN),
    )  # fmt: skip
    text = "hxxp://never[.]com/?a and evil[.]com, good.com\r\nevil.com </textarea><script>"
    form = urlencode({"text": text})
    answer = await client.post("/indicators/lookup", content=form, headers=FORM)
    assert answer.status_code == 200
    assert "<script>" not in answer.text
    assert '<span class="state-known">1 known</span>' in answer.text
    assert answer.text.index("evil[.]com") < answer.text.index("hxxp://never[.]com/?a</span>")
    table = await client.post("/indicators/lookup.csv", content=form, headers=FORM)
    assert table.headers["content-type"].startswith("text/csv")
    lines = table.text.splitlines()
    assert lines[0].startswith("kind,value,state,verdict,articles")
    assert lines[1].startswith("domain,evil.com,known,malicious,1,1,")
    assert lines[2].startswith("domain,good.com,benign,benign,")
    assert lines[3].startswith("url,http://never.com/?a,unknown,,")


async def test_a_long_log_may_be_pasted_and_no_longer_one(client: httpx2.AsyncClient) -> None:
    for size, status in ((2_000_000, 200), (9_000_000, 413)):
        answer = await client.post(
            "/indicators/lookup.csv", content="text=" + "a" * size, headers=FORM
        )
        assert answer.status_code == status
