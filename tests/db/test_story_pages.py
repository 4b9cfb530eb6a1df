"""Stories as they are read: timeline, first reporter, what each source added."""

import pytest

from ctiscraper.db.story_pages import MOST_SOURCES, StoryPages
from ctiscraper.errors import CursorError, NotFoundError
from newsroom import Newsroom

HASH = "sha256 " + "ab" * 32


async def test_a_timeline_says_who_was_first_and_what_each_added(newsroom: Newsroom) -> None:
    late = newsroom.tell(HASH, "cve CVE-2026-1", "domain a.example", source="late", hours=30)
    first = newsroom.tell(HASH, "cve CVE-2026-1", source="early", title="It begins")
    again = newsroom.tell(HASH, "ipv4 192.0.2.7", source="early", hours=40)
    await newsroom.assign()
    [summary] = (await StoryPages(newsroom.database).page()).stories
    story = await StoryPages(newsroom.database).story(summary.id)
    assert (story.title, story.articles, story.next_hours) == ("It begins", 3, 30.0)
    assert [one.key for one in story.sources] == ["early", "late"]
    assert summary.sources == story.sources
    assert [(one.id, one.hours) for one in story.timeline] == [
        (first, 0.0),
        (late, 30.0),
        (again, 40.0),
    ]
    added = [{one.value for one in told.added} for told in story.timeline]
    assert added == [{"ab" * 32, "CVE-2026-1"}, {"a.example"}, {"192.0.2.7"}]
    assert [told.added_count for told in story.timeline] == [2, 1, 1]
    assert story.entities[0].value == "ab" * 32
    assert {one.value for one in story.entities} == {"ab" * 32, "CVE-2026-1"}
    assert story.timeline[1].reasons or story.timeline[0].reasons


async def test_who_was_first_is_so_among_however_many_sources(newsroom: Newsroom) -> None:
    for number in range(MOST_SOURCES + 3):
        newsroom.tell(HASH, source=f"s{number:02}", hours=40 - number)
    await newsroom.assign()
    [summary] = (await StoryPages(newsroom.database).page()).stories
    assert summary.articles == MOST_SOURCES + 3
    keys = [one.key for one in summary.sources]
    assert keys == [f"s{number:02}" for number in range(MOST_SOURCES + 2, 2, -1)]
    assert summary.next_hours == 1.0


async def test_stories_are_listed_to_their_end(newsroom: Newsroom) -> None:
    for number in range(5):
        for source in ("acme", "bolt"):
            newsroom.tell(f"sha256 {number:064x}", source=source, hours=number)
    newsroom.tell(HASH)
    await newsroom.assign()
    pages, cursor, seen = StoryPages(newsroom.database), None, []
    while True:
        page = await pages.page(cursor=cursor, limit=2)
        seen += [one.last_at for one in page.stories]
        if (cursor := page.next) is None:
            break
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)
    with pytest.raises(CursorError):
        await pages.page(cursor="no cursor")


async def test_old_numbers_lead_to_the_story_that_took_them_in(newsroom: Newsroom) -> None:
    for value in ("aa", "bb", "cc"):
        for source in ("acme", "bolt"):
            newsroom.tell(f"sha256 {value * 32}", source=f"{source}{value}")
    await newsroom.assign()
    pages = StoryPages(newsroom.database)
    numbers = sorted(one.id for one in (await pages.page()).stories)
    await newsroom.stories.merge(numbers[1], numbers[0], actor="test", reason="one campaign")
    await newsroom.stories.merge(numbers[2], numbers[1], actor="test")
    for number in numbers:
        story = await pages.story(number)
        assert (story.id, story.articles) == (numbers[2], 6)
    assert [one.action for one in story.decisions] == ["merge"]
    assert [one.id for one in (await pages.page()).stories] == [numbers[2]]
    with pytest.raises(NotFoundError, match="no story number 99"):
        await pages.story(99)


async def test_an_article_knows_its_story_and_what_it_touches(newsroom: Newsroom) -> None:
    hashes = [f"sha256 {n:064x}" for n in range(3)]
    for value in hashes:
        for source in ("acme", "bolt"):
            newsroom.tell(value, source=source + value[-1])
    digest = newsroom.tell(*hashes, source="weekly", hours=50)
    alone = newsroom.tell(HASH)
    await newsroom.assign()
    pages = StoryPages(newsroom.database)
    found = await pages.stories_of(digest)
    assert found.story is None
    assert len(found.also) == 3
    assert [one.id for one in (await pages.story(found.also[0].id)).also] == [digest]
    story = (await pages.stories_of(1)).story
    assert story is not None
    assert story.articles == 2
    assert (await pages.stories_of(alone)).story is None


async def test_a_value_held_benign_is_not_told_of(newsroom: Newsroom) -> None:
    for source in ("acme", "bolt"):
        newsroom.tell(HASH, "domain update.vendor.example", source=source)
    async with newsroom.database.connection() as conn:
        await conn.execute("UPDATE entity SET team = 'benign' WHERE kind = 'domain'")
    await newsroom.assign()
    [story] = (await StoryPages(newsroom.database).page()).stories
    detail = await StoryPages(newsroom.database).story(story.id)
    assert [one.kind for one in detail.entities] == ["sha256"]
