"""What people decide of stories holds against every later run, and can be taken back."""

import pytest

from ctiscraper.errors import ConflictError, NotFoundError
from newsroom import Newsroom

HASH = "sha256 " + "ab" * 32
SECOND = "sha256 " + "cd" * 32
WHO = "test"


async def _four(newsroom: Newsroom) -> list[int]:
    articles = [newsroom.tell(HASH, source=f"s{n}", hours=n) for n in range(4)]
    await newsroom.assign()
    return articles


async def test_what_was_split_off_is_never_joined_again(newsroom: Newsroom) -> None:
    articles = await _four(newsroom)
    old = await newsroom.story_of(articles[0])
    made = await newsroom.stories.split(articles[2:], actor=WHO, reason="another wave")
    newsroom.again(*articles)
    await newsroom.assign()
    assert await newsroom.groups() == {frozenset(articles[:2]), frozenset(articles[2:])}
    assert await newsroom.story_of(articles[0]) == old
    assert await newsroom.story_of(articles[2]) == made
    # Nor does an article that is like both bring them together.
    late = newsroom.tell(HASH, source="late", hours=5)
    await newsroom.assign()
    groups = await newsroom.groups()
    assert {group - {late} for group in groups} == {
        frozenset(articles[:2]),
        frozenset(articles[2:]),
    }
    assert len(groups) == 2
    rows = await newsroom.rows("SELECT action, actor, reason FROM story_decision")
    assert rows == [("split", WHO, "another wave")]


async def test_what_was_merged_stays_one(newsroom: Newsroom) -> None:
    one = [newsroom.tell(HASH, source=f"a{n}", hours=n) for n in range(2)]
    two = [newsroom.tell(SECOND, source=f"b{n}", hours=n) for n in range(2)]
    await newsroom.assign()
    first, second = [await newsroom.story_of(group[0]) for group in (one, two)]
    assert first is not None
    assert second is not None
    # The number of the one that is named first is kept.
    assert await newsroom.stories.merge(second, first, actor=WHO) == second
    newsroom.again(*one, *two)
    await newsroom.assign()
    assert await newsroom.groups() == {frozenset({*one, *two})}
    assert await newsroom.rows(f"SELECT merged_into FROM story WHERE id = {first}") == [(second,)]
    with pytest.raises(ConflictError, match="one story already"):
        await newsroom.stories.merge(first, second, actor=WHO)


async def test_what_was_moved_stays_there(newsroom: Newsroom) -> None:
    one = [newsroom.tell(HASH, source=f"a{n}", hours=n) for n in range(3)]
    two = [newsroom.tell(SECOND, source=f"b{n}", hours=n) for n in range(2)]
    await newsroom.assign()
    target = await newsroom.story_of(two[0])
    assert target is not None
    await newsroom.stories.move(one[0], target, actor=WHO)
    newsroom.again(*one, *two)
    await newsroom.assign()
    assert await newsroom.groups() == {frozenset(one[1:]), frozenset({*two, one[0]})}
    with pytest.raises(ConflictError, match="already"):
        await newsroom.stories.move(one[0], target, actor=WHO)


async def test_an_article_that_stood_alone_can_be_moved(newsroom: Newsroom) -> None:
    articles = await _four(newsroom)
    alone = newsroom.tell(SECOND)
    await newsroom.assign()
    story = await newsroom.story_of(articles[0])
    assert story is not None
    await newsroom.stories.move(alone, story, actor=WHO)
    assert await newsroom.groups() == {frozenset({*articles, alone})}
    await newsroom.stories.undo(1, actor=WHO)
    assert await newsroom.groups() == {frozenset(articles)}
    assert await newsroom.story_of(alone) is None


@pytest.mark.parametrize("action", ["split", "merge", "move"])
async def test_a_decision_can_be_undone(newsroom: Newsroom, action: str) -> None:
    one = [newsroom.tell(HASH, source=f"a{n}", hours=n) for n in range(3)]
    two = [newsroom.tell(SECOND, source=f"b{n}", hours=n) for n in range(2)]
    await newsroom.assign()
    state = """
        SELECT article_id, story_id, by_hand FROM story_article ORDER BY 1
    """
    before = await newsroom.rows(state)
    stories = await newsroom.rows("SELECT id, articles, first_at, last_at FROM story ORDER BY id")
    first, second = [await newsroom.story_of(group[0]) for group in (one, two)]
    assert first is not None
    assert second is not None
    if action == "split":
        await newsroom.stories.split(one[:1], actor=WHO)
    elif action == "merge":
        await newsroom.stories.merge(first, second, actor=WHO)
    else:
        await newsroom.stories.move(one[0], second, actor=WHO)
    assert await newsroom.rows(state) != before
    await newsroom.stories.undo(1, actor="another")
    assert await newsroom.rows(state) == before
    kept = await newsroom.rows(
        "SELECT id, articles, first_at, last_at FROM story WHERE merged_into IS NULL ORDER BY id"
    )
    assert kept == stories
    newsroom.again(*one, *two)
    await newsroom.assign()
    assert await newsroom.groups() == {frozenset(one), frozenset(two)}
    with pytest.raises(ConflictError, match="undone already"):
        await newsroom.stories.undo(1, actor=WHO)


async def test_decisions_are_undone_in_their_order(newsroom: Newsroom) -> None:
    articles = await _four(newsroom)
    await newsroom.stories.split(articles[2:], actor=WHO)
    await newsroom.stories.split(articles[3:], actor=WHO)
    with pytest.raises(ConflictError, match="decision 2 concerns"):
        await newsroom.stories.undo(1, actor=WHO)
    await newsroom.stories.undo(2, actor=WHO)
    await newsroom.stories.undo(1, actor=WHO)
    assert await newsroom.groups() == {frozenset(articles)}


async def test_what_cannot_be_decided_is_refused(newsroom: Newsroom) -> None:
    articles = await _four(newsroom)
    alone = newsroom.tell(SECOND)
    await newsroom.assign()
    stories = newsroom.stories
    with pytest.raises(ConflictError, match="nothing to split"):
        await stories.split(articles, actor=WHO)
    with pytest.raises(ConflictError, match="one and the same story"):
        await stories.split([articles[0], alone], actor=WHO)
    with pytest.raises(ConflictError, match="name the articles"):
        await stories.split([], actor=WHO)
    with pytest.raises(NotFoundError, match="no article number 999"):
        await stories.split([articles[0], 999], actor=WHO)
    with pytest.raises(NotFoundError, match="no story number 77"):
        await stories.merge(1, 77, actor=WHO)
    with pytest.raises(NotFoundError, match="no story number 77"):
        await stories.move(articles[0], 77, actor=WHO)
    with pytest.raises(NotFoundError, match="no decision number 5"):
        await stories.undo(5, actor=WHO)
    assert await newsroom.rows("SELECT count(*) FROM story_decision") == [(0,)]
