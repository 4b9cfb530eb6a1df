"""How many of some articles name each technique."""

from ctiscraper.asking import understand
from ctiscraper.db.articles import Articles
from ctiscraper.db.techniques import Techniques
from ctiscraper.views import ArticleQuery
from db import claimed
from db.stage import Stage


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
