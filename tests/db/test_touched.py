"""Which articles a change of a pack touches: those that have a name, and those that now would."""

import pytest

import make
from ctiscraper.db.touched import Touched
from ctiscraper.intelligence import Extractor
from ctiscraper.packs.changes import PackChange
from db.stage import Stage

TEXTS = (
    "Fancy Bear was seen again, in a network of nobody.",
    "A bear that is fancy is no actor.",
    "Charming Kitten sends letters.",
    "Nothing is named here at all.",
)


async def filled(stage: Stage) -> list[int]:
    """Store the texts; return the numbers of the articles."""
    numbers = []
    for at, text in enumerate(TEXTS):
        url = f"https://acme.example/a/{at}"
        await stage.announce([make.announced(url)])
        stored = await stage.keep(await stage.claim(), make.content(url, text=text))
        assert stored is not None
        numbers.append(stored.article_id)
    return numbers


def change(*names: str, extractors: tuple[Extractor, ...] = (Extractor.NAMES,)) -> PackChange:
    return PackChange(pack="names", old="1", new="2", extractors=extractors, names=frozenset(names))


async def named(stage: Stage, article: int, value: str, alias: str = "") -> None:
    """Claim that an article names an actor."""
    await stage.run(
        f"""
        WITH e AS (
            INSERT INTO entity (key, kind, value) VALUES (sha256('{value}'), 'actor', '{value}')
            RETURNING id
        )
        INSERT INTO mention (article_id, entity_id, source_id, seen_at, count, starts, ends, alias,
            extractor, version)
        SELECT {article}, e.id, 1, now(), 1, '{{0}}', '{{1}}', '{alias}', 'names', '1' FROM e
        """
    )


async def test_articles_with_the_words_are_touched(stage: Stage) -> None:
    numbers = await filled(stage)
    touched = Touched(stage.database)
    assert await touched.page(change("Fancy Bear")) == [numbers[0]]
    assert await touched.page(change("fancy bear", "Charming Kitten")) == [numbers[0], numbers[2]]
    assert await touched.count(change("Fancy Bear", "Charming Kitten")) == 2
    assert await touched.count(change("Sofacy")) == 0


async def test_articles_with_a_claim_are_touched_whatever_their_words(stage: Stage) -> None:
    numbers = await filled(stage)
    await named(stage, numbers[3], "G0007", alias="Sofacy")
    touched = Touched(stage.database)
    assert await touched.page(change("G0007")) == [numbers[3]]
    assert await touched.page(change("SOFACY")) == [numbers[3]]
    assert await touched.page(change("G0007", extractors=(Extractor.ATTACK,))) == []


async def test_a_change_of_everything_touches_all_page_by_page(stage: Stage) -> None:
    numbers = await filled(stage)
    everything = PackChange(
        pack="names", old="", new="2", extractors=(Extractor.NAMES,), names=None
    )
    touched = Touched(stage.database)
    assert await touched.count(everything) == 4
    first = await touched.page(everything, limit=3)
    assert [*first, *await touched.page(everything, after=first[-1], limit=3)] == numbers


@pytest.mark.parametrize("names", [(), ("the",), ("'; DROP", "& | !", "\\")])
async def test_names_without_words_touch_nothing(stage: Stage, names: tuple[str, ...]) -> None:
    await filled(stage)
    assert await Touched(stage.database).count(change(*names)) == 0


async def test_a_change_that_needs_no_extractor_touches_nothing(stage: Stage) -> None:
    await filled(stage)
    touched = Touched(stage.database)
    assert await touched.count(change("Fancy Bear", extractors=())) == 0
    assert await touched.page(change("Fancy Bear", extractors=())) == []
