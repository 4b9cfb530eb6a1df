"""What has to do with an article: shared rare things and words, and not what is shown already."""

import pytest

from ctiscraper.db.known_words import KnownWords
from ctiscraper.db.session import Database
from ctiscraper.db.similar import Similar
from ctiscraper.entity_views import SimilarArticle
from ctiscraper.errors import NotFoundError
from ctiscraper.intelligence import Verdict
from web.claims import mention, name
from web.shelf import Shelf


async def similar(database: str, article: int, **how: int) -> tuple[SimilarArticle, ...]:
    async with Database(database, size=1) as opened:
        words = KnownWords(opened)
        await words.count_next()
        return await Similar(opened).to_article(article, **how)


def shared(found: tuple[SimilarArticle, ...]) -> list[tuple[str, list[str], list[str]]]:
    return [
        (one.article.title, [thing.value for thing in one.things], list(one.words)) for one in found
    ]


async def test_those_come_first_that_share_what_fewest_have(database: str) -> None:
    shelf = Shelf(database)
    one, two, three, far = (
        shelf.article(title, text=f"About {title}.") for title in ("one", "two", "three", "far")
    )
    rare, common = mention("rare.example"), mention("common.example")
    await name(database, shelf, one, rare, common)
    await name(database, shelf, two, common)
    await name(database, shelf, three, rare)
    await name(database, shelf, far, common, mention("other.example"))
    found = shared(await similar(database, one))
    assert found[0] == ("three", ["rare.example"], [])
    assert {title for title, _, _ in found[1:]} == {"two", "far"}
    assert len(await similar(database, one, limit=1)) == 1


async def test_rare_words_are_shared_too(database: str) -> None:
    shelf = Shelf(database)
    one = shelf.article("one", text="The zorbnak grabber fetched plinkers.")
    shelf.article("two", text="Another zorbnak with plinkers.")
    shelf.article("alone", text="Only a zorbling and other words.")
    for number in range(6):
        shelf.article(f"n{number}", text="Another grabber fetched nothing.")
    found = shared(await similar(database, one))
    assert found == [("two", [], ["plinkers", "zorbnak"])]


async def test_what_is_shown_already_is_none_of_them(database: str) -> None:
    shelf = Shelf(database)
    first = shelf.article("first")
    copy = shelf.article("copy", "bolt", duplicate_of=first)
    told = shelf.article("told")
    other = shelf.article("other")
    for number in (first, copy, told, other):
        await name(database, shelf, number, mention("rare.example"))
    story = shelf.run(
        "INSERT INTO story (first_article, articles, first_at, last_at)"
        " VALUES (%s, 2, now(), now()) RETURNING id",
        (first,),
    )[0]
    for number in (first, told):
        shelf.run(
            "INSERT INTO story_article (article_id, story_id) VALUES (%s, %s)", (number, story)
        )
    assert [title for title, _, _ in shared(await similar(database, first))] == ["other"]
    near_copy = shared(await similar(database, copy))
    assert {title for title, _, _ in near_copy} == {"told", "other"}


async def test_what_is_held_benign_says_nothing(database: str) -> None:
    shelf = Shelf(database)
    one, two = shelf.article("one"), shelf.article("two")
    for number in (one, two):
        await name(database, shelf, number, mention("fine.example", verdict=Verdict.BENIGN))
    assert await similar(database, one) == ()


async def test_an_article_that_is_not_there_is_told(database: str) -> None:
    with pytest.raises(NotFoundError):
        await similar(database, 99)
