"""`articles`: lists, searches and single articles."""

from cli.conftest import Collected


def test_the_list_goes_on_where_it_ended(collected: Collected) -> None:
    first = collected.terminal.run("articles", "list", "--limit", "6", "--json").json
    rest = ["--limit", "20", "--cursor", first["next"], "--json"]
    second = collected.terminal.run("articles", "list", *rest).json
    numbers = [article["id"] for article in first["articles"] + second["articles"]]
    assert len(numbers) == len(set(numbers)) == 11
    assert second["next"] is None
    assert (
        f"--cursor {first['next']}"
        in collected.terminal.run("articles", "list", "--limit", "6").out
    )


def test_a_source_alone(collected: Collected) -> None:
    found = collected.terminal.run("articles", "list", "--source", "site-0", "--json").json
    assert {article["source"]["key"] for article in found["articles"]} == {"site-0"}
    assert len(found["articles"]) == 4
    assert "No article" in collected.terminal.run("articles", "list", "--language", "xx").out


def test_an_article_is_found_and_read(collected: Collected) -> None:
    [first, *_] = collected.terminal.run("articles", "list", "--json").json["articles"]
    found = collected.terminal.run("articles", "search", f'"{first["title"]}"', "--json").json
    assert first["id"] in [article["id"] for article in found["articles"]]
    detail = collected.terminal.run("articles", "show", str(first["id"]), "--json").json
    assert detail["text"]
    shown = collected.terminal.run("articles", "show", str(first["id"])).out
    assert shown.startswith("Title ")
    assert first["url"] in shown
    old = ["--revision", "1", "--json"]
    assert collected.terminal.run("articles", "show", str(first["id"]), *old).json["text"]


def test_text_of_a_feed_says_so(collected: Collected) -> None:
    found = collected.terminal.run("articles", "list", "--source", "site-0", "--json").json
    [kept] = [article for article in found["articles"] if article["method"] == "feed"]
    shown = collected.terminal.run("articles", "show", str(kept["id"])).out
    assert "feed text: the page was refused" in shown


def test_what_is_not_there_is_named(collected: Collected) -> None:
    assert "no article number 0" in collected.terminal.run("articles", "show", "0", code=5).err
    bad = collected.terminal.run("articles", "list", "--cursor", "x", code=1)
    assert "start at the top" in bad.err


def test_similar_articles_are_listed_with_what_they_share(collected: Collected) -> None:
    [first, *_] = collected.terminal.run("articles", "list", "--json").json["articles"]
    found = collected.terminal.run("articles", "similar", str(first["id"]), "--json").json
    assert all(one["things"] or one["words"] for one in found)
    shown = collected.terminal.run("articles", "similar", str(first["id"])).out
    assert ("No other article shares" in shown) == (found == [])
    assert "no article number 0" in collected.terminal.run("articles", "similar", "0", code=5).err
