"""Notes and marked words on the article's page and over the API, and its Markdown."""

from urllib.parse import urlencode

import httpx2
import yaml

from ctiscraper.db.session import Database
from ctiscraper.identity import Role
from people import person, token_of
from web import claims
from web.shelf import Shelf
from web.test_pages import FORM, attribute, page, words

TEXT = "First the loader ran. Then the loader fetched evil.example/x and stopped."


async def send(client: httpx2.AsyncClient, path: str, **fields: object) -> httpx2.Response:
    return await client.post(path, content=urlencode(fields, doseq=True), headers=FORM)


async def test_notes_are_written_changed_and_removed(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    shelf.article("one", text=TEXT)
    answer = await send(client, "/articles/1/notes", body="seen <b>here</b>\r\ntoo")
    assert answer.headers["location"] == "/articles/1#note-1"
    tree = await page(client, "/articles/1")
    assert words(tree, ".notes .words") == ["seen <b>here</b> too"]
    assert attribute(tree, ".mend [name=version]", "value") == "1"
    await send(client, "/articles/1/notes/1", body="seen there", version=1)
    late = await send(client, "/articles/1/notes/1", body="my own words", version=1)
    assert late.status_code == 409
    assert "has changed this note since you read it" in late.text
    assert "my own words" in late.text
    assert "seen there" in late.text
    await send(client, "/articles/1/notes/1/remove", body="", version=2)
    assert words(await page(client, "/articles/1"), ".notes .words") == []
    empty = await send(client, "/articles/1/notes", body=" ")
    assert (empty.status_code, "1 to 20,000" in empty.text) == (422, True)


async def test_words_are_marked_and_follow_a_revision(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    shelf.article("one", text=TEXT)
    answer = await send(
        client, "/articles/1/highlights", words="the loader", before="ran. Then ", revision=1
    )
    assert answer.headers["location"] == "/articles/1#h-1"
    tree = await page(client, "/articles/1")
    assert words(tree, "mark.n") == ["the loader"]
    assert words(tree, ".body")[0].count("the loader") == 2
    assert "Then <mark" in (tree.html or "")
    later = f"Corrected. {TEXT}"
    shelf.revision(1, 1, TEXT)
    shelf.run("UPDATE article SET text = %s, html = %s", (later, f"<p>{later}</p>"))
    found = (await client.get("/api/v1/articles/1/highlights")).json()
    second = later.index("the loader", 25)
    assert (found[0]["start"], found[0]["end"]) == (second, second + 10)
    shelf.run("UPDATE article SET text = 'All new.', html = '<p>All new.</p>'")
    tree = await page(client, "/articles/1")
    assert words(tree, "mark.n") == []
    assert "not in the text any more" in words(tree, "#highlights li")[0]
    missing = await send(client, "/articles/1/highlights", words="nothing such", revision=2)
    assert (missing.status_code, "do not stand in the text" in missing.text) == (422, True)
    await send(client, "/articles/1/highlights/1/remove")
    assert (await client.get("/api/v1/articles/1/highlights")).json() == []


async def test_two_editors_over_the_api_are_told_of_each_other(
    client: httpx2.AsyncClient, opened: Database, shelf: Shelf
) -> None:
    shelf.article("one", text=TEXT)
    made = await client.post("/api/v1/articles/1/notes", json={"body": "one"})
    assert (made.status_code, made.headers["etag"]) == (201, '"v1"')
    other = {
        "authorization": f"Bearer {await token_of(opened, await person(opened, Role.ANALYST))}"
    }
    path = "/api/v1/notes/1"
    tag = (await client.get(path)).headers["etag"]
    unsaid = await client.put(path, json={"body": "two"})
    assert unsaid.status_code == 428
    quick = await client.put(path, json={"body": "two"}, headers={"if-match": tag, **other})
    assert (quick.status_code, quick.headers["etag"]) == (200, '"v2"')
    slow = await client.put(path, json={"body": "three"}, headers={"if-match": tag})
    assert slow.status_code == 409
    assert "since you read it" in slow.json()["detail"]
    assert (await client.delete(f"{path}?version=1")).status_code == 409
    assert (await client.delete(f"{path}?version=2")).status_code == 200
    assert (await client.get(path)).status_code == 404


async def test_words_are_marked_over_the_api(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    shelf.article("one", text=TEXT)
    path = "/api/v1/articles/1/highlights"
    by_place = await client.post(path, json={"start": 10, "end": 16, "revision": 1})
    assert (by_place.status_code, by_place.json()["quote"]) == (201, "loader")
    by_quote = await client.post(path, json={"quote": "loader fetched", "revision": 1})
    assert by_quote.json()["start"] == TEXT.index("loader fetched")
    for wrong in ({"revision": 1}, {"start": 1, "revision": 1}, {"start": 1, "end": 2},
                  {"quote": "x", "start": 1, "end": 2, "revision": 1},
                  {"quote": "nothing such", "revision": 1}):  # fmt: skip
        assert (await client.post(path, json=wrong)).status_code == 422
    assert (await client.delete("/api/v1/highlights/1")).json()["quote"] == "loader"


async def test_an_article_is_handed_over_as_markdown(
    client: httpx2.AsyncClient, database: str, shelf: Shelf
) -> None:
    html = (
        "<h2>What it does</h2><p>It <b>runs</b>.</p><pre><code>rm -rf *</code></pre>"
        "<table><tr><th>Host</th></tr><tr><td>evil.example</td></tr></table>"
    )
    number = shelf.article('Of "colons": and quotes', text=TEXT, html=html, authors=["Ada"])
    await claims.name(database, shelf, number, claims.at(TEXT, "evil.example"))
    for path in (f"/articles/{number}.md", f"/api/v1/articles/{number}.md"):
        answer = await client.get(path)
        assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
        _, front, body = answer.text.split("---\n", 2)
        kept = yaml.safe_load(front)
        assert kept["title"] == 'Of "colons": and quotes'
        assert (kept["source"], kept["url"]) == ("Acme", "https://acme.example/posts/1")
        assert kept["indicators"] == [
            {"kind": "domain", "value": "evil[.]example", "verdict": "malicious"}
        ]
        assert body.startswith('\n# Of "colons": and quotes\n\n## What it does\n\nIt **runs**.\n')
        assert "```\nrm -rf *\n```" in body
        assert "| Host |\n| --- |\n| evil.example |" in body
    assert (await client.get("/articles/99.md")).status_code == 404
