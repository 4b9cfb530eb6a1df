"""What came of looking through articles, as it was noted."""

from ctiscraper.db.enrichment_records import EnrichmentRecords
from ctiscraper.intelligence import Extractor
from db import claimed
from db.stage import Stage


def of(stage: Stage) -> EnrichmentRecords:
    return EnrichmentRecords(stage.database)


async def test_a_text_that_waits_was_not_looked_through(stage: Stage) -> None:
    number = await claimed.store(stage, "one")
    assert await of(stage).of_article(number) is None
    await claimed.tell(stage, claimed.mention("a.example"))
    found = await of(stage).of_article(number)
    assert found is not None
    assert (found.revision, found.failure, found.notes, found.added_count) == (1, "", (), 0)
    assert found.versions == {"observables": "1", "names": "1"}


async def test_a_second_look_tells_what_it_changed(stage: Stage) -> None:
    number = await claimed.article(
        stage, "one", claimed.mention("a.example"), claimed.mention("b.example")
    )
    await stage.enrichments.queue([Extractor.OBSERVABLES, Extractor.NAMES])
    await claimed.tell(
        stage, *(claimed.mention(f"{name}.example") for name in ("b", "c", "d", "e"))
    )
    found = await of(stage).of_article(number)
    assert found is not None
    assert {one.value for one in found.added} == {"c.example", "d.example", "e.example"}
    assert [one.value for one in found.removed] == ["a.example"]
    assert (found.added_count, found.removed_count) == (3, 1)
    part = await of(stage).of_article(number, most_named=2)
    assert part is not None
    assert (part.added, part.removed) == (found.added[:2], found.removed)
    assert (part.added_count, part.removed_count) == (3, 1)
