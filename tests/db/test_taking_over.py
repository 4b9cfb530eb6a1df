"""What one source refuses, or leaves, another that announces it has; and every account holds."""

from dataclasses import replace

import make
from ctiscraper.errors import Reason
from ctiscraper.types import SourceSettings, Validators
from db.stage import Stage

URL = "https://acme.example/a/"
ACME = make.settings(min_length=500)
OTHER = make.settings("other", "other.example")
THIRD = make.settings("third", "third.example")
REFUSED = {"state": "filtered", "reason": Reason.URL_NOT_ALLOWED, "detail": "no pattern"}


async def _standing(stage: Stage) -> list[tuple[object, ...]]:
    """Each item with its source; and every account holds."""
    assert (await stage.accounting()).balanced
    per_source = "SELECT discovered, stored + duplicate + filtered + failed + dead + pending"
    assert all(row[0] == row[1] for row in await stage.rows(f"{per_source} FROM accounting"))
    return await stage.rows(
        "SELECT s.key, j.state, j.reason FROM fetch_job j JOIN source s ON s.id = j.source_id"
        " ORDER BY j.id"
    )


async def _announce(stage: Stage, settings: SourceSettings) -> int:
    """How many items are new for a source that announces the one item."""
    return (await stage.announce([make.announced(URL)], settings))[0]


async def _refuse(stage: Stage, settings: SourceSettings) -> None:
    """The item is fetched, and its text is refused by the rules of its source."""
    assert await stage.queue.refuse(await stage.claim(), settings, Reason.TOO_SHORT, "short", None)
    assert await _standing(stage) == [(settings.key, "filtered", "too_short")]


async def test_what_the_rules_of_one_source_refuse_another_may_have(stage: Stage) -> None:
    await stage.announce([make.announced(URL, **REFUSED)])
    assert await _standing(stage) == [("acme", "filtered", "url_not_allowed")]
    assert await stage.announce([make.announced(URL, **REFUSED)], OTHER) == (0, 0)
    items = [make.announced(URL), make.announced(f"{URL}1")]
    assert await stage.announce(items, THIRD) == (2, 0)
    assert await _standing(stage) == [("third", "pending", None), ("third", "pending", None)]
    assert (
        await stage.value("SELECT work_at <= now() FROM host WHERE host = 'acme.example'") is True
    )


async def test_a_source_that_announced_an_item_before_it_was_refused_has_it(stage: Stage) -> None:
    await _announce(stage, ACME)
    assert await _announce(stage, OTHER) == 0
    await _refuse(stage, ACME)
    assert await _announce(stage, OTHER) == 1
    assert await _standing(stage) == [("other", "pending", None)]
    assert (await _announce(stage, OTHER), await _announce(stage, ACME)) == (0, 0)
    await stage.keep(await stage.claim(), make.content(URL), settings=OTHER)
    assert await _standing(stage) == [("other", "stored", None)]


async def _held(stage: Stage, *sources: SourceSettings) -> list[bool]:
    """Which sources hold validators, so that their next answer may be that nothing changed."""
    found = [await stage.sources.get(settings.key) for settings in sources]
    return [source.validators != Validators() for source in found]


async def test_who_wants_what_another_refused_is_asked_in_full_at_its_next_look(
    stage: Stage,
) -> None:
    await _announce(stage, ACME)
    await _announce(stage, OTHER)
    await stage.announce([make.announced(URL, **REFUSED)], THIRD)
    assert await _held(stage, ACME, OTHER, THIRD) == [True, True, True]
    await _refuse(stage, ACME)
    assert await _held(stage, ACME, OTHER, THIRD) == [True, False, True]
    assert await _announce(stage, OTHER) == 1
    await _refuse(stage, OTHER)
    assert await _held(stage, ACME, OTHER, THIRD) == [True, True, True], "it refused that itself"


async def test_a_look_that_finds_nothing_changed_meanwhile_does_not_end_that(stage: Stage) -> None:
    await _announce(stage, ACME)
    await _announce(stage, OTHER)
    await stage.run("UPDATE source_state SET next_check_at = now()")
    lease = await stage.checks.claim("other.example", seconds=60)
    assert lease is not None
    await _refuse(stage, ACME)
    unchanged = replace(make.summary("other"), status=304, unchanged=True)
    assert await stage.checks.record(lease, unchanged, make.standing()) is not None
    assert await _held(stage, OTHER) == [False]
    assert await _announce(stage, OTHER) == 1
    assert await _held(stage, OTHER) == [True]


async def test_sources_that_all_refuse_an_item_ask_for_it_once_each(stage: Stage) -> None:
    sources = (ACME, OTHER, THIRD)
    for settings in sources:
        assert await _announce(stage, settings) == (settings is ACME)
    for settings in sources:
        await _announce(stage, settings)
        await _refuse(stage, settings)
    twin = make.announced(URL, guid_hash=make.sha("another guid"))
    for settings in sources * 2:
        assert await stage.announce([make.announced(URL), twin], settings) == (0, 0)
    assert await _standing(stage) == [("third", "filtered", "too_short")]


async def test_a_source_whose_rules_are_others_by_now_has_what_it_refused(stage: Stage) -> None:
    for settings in (ACME, OTHER):
        await _announce(stage, settings)
        await _refuse(stage, settings)
    assert await _announce(stage, ACME) == 0
    wider = make.settings(min_length=100)
    await stage.sources.update("acme", wider, actor="test")
    assert await _announce(stage, wider) == 1
    await _refuse(stage, wider)
    assert (await _announce(stage, wider), await _announce(stage, OTHER)) == (0, 0)


async def test_a_source_that_allows_an_address_by_now_has_what_another_refused(
    stage: Stage,
) -> None:
    for settings in (ACME, OTHER):
        await stage.announce([make.announced(URL, **REFUSED)], settings)
    assert await _announce(stage, OTHER) == 1
    assert await _standing(stage) == [("other", "pending", None)]


async def test_what_was_released_for_one_source_does_not_pass_the_gates_of_another(
    stage: Stage,
) -> None:
    await _announce(stage, ACME)
    await _refuse(stage, ACME)
    [number] = [row[0] for row in await stage.rows("SELECT id FROM fetch_job")]
    assert await stage.queue.release([int(str(number))]) == 1
    await stage.sources.remove("acme", actor="test")
    assert await _announce(stage, OTHER) == 1
    assert not (await stage.claim()).released


async def test_what_a_removed_source_left_another_that_announces_it_has(stage: Stage) -> None:
    other = make.settings("other", "other.example")
    await stage.announce([make.announced(URL)])
    await stage.announce([make.announced(URL)], other)
    await stage.sources.remove("acme", actor="test")
    assert await _standing(stage) == [("acme", "filtered", "source_removed")]
    assert await stage.announce([make.announced(URL)], other) == (1, 0)
    assert await _standing(stage) == [("other", "pending", None)]
    assert await stage.announce([make.announced(URL)], other) == (0, 0)
    await stage.keep(await stage.claim(), make.content(URL), settings=other)
    assert await _standing(stage) == [("other", "stored", None)]


async def test_what_somebody_discarded_no_other_source_brings_back(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    await stage.run("UPDATE fetch_job SET state = 'filtered', reason = 'discarded'")
    other = make.settings("other", "other.example")
    assert await stage.announce([make.announced(URL)], other) == (0, 0)
    assert await _standing(stage) == [("acme", "filtered", "discarded")]
