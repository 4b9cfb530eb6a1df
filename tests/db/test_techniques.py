"""How many of some articles name each technique."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

import make
from ctiscraper.asking import understand
from ctiscraper.db.articles import Articles
from ctiscraper.db.techniques import NamedTechniques, Techniques
from ctiscraper.intelligence import Mention
from ctiscraper.views import ArticleQuery
from db import claimed
from db.stage import Stage

OTHER = make.settings("other", "other.example")
# A Thursday: a week ends three days later.
FIRST = date(2026, 11, 5)


def technique(name: str) -> Mention:
    return claimed.mention(name, "technique", verdict=None, host="")


async def twelve_days(stage: Stage) -> None:
    """Store an article a day, with T1; every third is of another source and has T2 too."""
    for number in range(12):
        names = ("T1", "T2") if number % 3 == 0 else ("T1",)
        at = datetime.combine(FIRST + timedelta(days=number), time(12), UTC)
        await claimed.article(
            stage, f"n{number}", *(technique(one) for one in names), text=f"Loader {number} of it.",
            settings=OTHER if number % 3 == 0 else None, published=at,
        )  # fmt: skip


def midnight(days: int) -> datetime:
    return datetime.combine(FIRST + timedelta(days=days), time.min, UTC)


def told(named: NamedTechniques) -> dict[str, int]:
    return {one.technique.value: one.articles for one in named.counts}


async def test_lists_that_are_counted_already_say_what_counting_says(stage: Stage) -> None:
    await twelve_days(stage)
    techniques = Techniques(stage.database)
    whole = await techniques.named(ArticleQuery(reader=7))
    assert (told(whole), whole.articles, whole.copies) == ({"T1": 12, "T2": 4}, 12, True)
    source = await techniques.named(ArticleQuery(source="other"))
    assert (told(source), source.articles) == ({"T1": 4, "T2": 4}, 4)
    assert told(await techniques.named(ArticleQuery(source="none"))) == {}
    for first in range(-1, 13):
        for days in (1, 3, 8, 20):
            since, until = midnight(first), midnight(first + days)
            kept = await techniques.named(ArticleQuery(since=since, until=until))
            # A second later nothing is counted in advance, and no article stands there.
            late = timedelta(seconds=1)
            counted = await techniques.named(ArticleQuery(since=since + late, until=until + late))
            assert (told(kept), kept.articles) == (told(counted), counted.articles)
            assert kept.copies
            assert not counted.copies
    assert told(await techniques.named(ArticleQuery(since=midnight(10)))) == {"T1": 2}
    assert told(await techniques.named(ArticleQuery(until=midnight(1)))) == {"T1": 1, "T2": 1}


async def test_before_all_is_counted_and_for_other_lists_counting_is_done_now(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await twelve_days(stage)
    techniques = Techniques(stage.database)
    words = await techniques.named(ArticleQuery(q=understand("loader"), source="other"))
    assert (told(words), words.articles, words.capped) == ({"T1": 4, "T2": 4}, 4, False)
    tier = await techniques.named(ArticleQuery(tier="premium"))
    assert (told(tier), tier.articles) == ({}, 0)
    await stage.rows("UPDATE rollup_fill SET last = filled + 1 RETURNING 1")
    monkeypatch.setattr("ctiscraper.db.techniques.FOUND_MOST", 12)
    whole = await techniques.named(ArticleQuery())
    assert told(whole) == {"T1": 12, "T2": 4}
    assert whole.capped
    assert not whole.copies


async def test_techniques_of_the_given_articles_are_counted(stage: Stage) -> None:
    numbers = [
        await claimed.article(
            stage, f"n{n}", claimed.mention("a.example"),
            *(claimed.mention(one, "technique", verdict=None, host="") for one in names),
            text=f"Text {n} of a {'loader' if n else 'worm'}.",
        )
        for n, names in enumerate((("T1",), ("T1", "T2"), ("T2",), ("T2", "T3")))
    ]  # fmt: skip

    async def counts(ids: list[int]) -> list[tuple[str, int]]:
        found = await Techniques(stage.database).counts(ids)
        return [(one.technique.value, one.articles) for one in found]

    assert await counts(numbers) == [("T2", 3), ("T1", 2), ("T3", 1)]
    assert await counts(numbers[:1]) == [("T1", 1)]
    assert await counts([]) == []
    matching = await Articles(stage.database).matching(ArticleQuery(q=understand("loader")))
    assert sorted(matching) == numbers[1:]
    assert sorted(await Articles(stage.database).matching(ArticleQuery())) == numbers
