"""What one source refuses, or leaves, another that announces it has; and every account holds."""

import asyncio
from dataclasses import replace

import psycopg

import make
from ctiscraper.db.checks import CHUNK, SourceLease
from ctiscraper.errors import Reason
from ctiscraper.types import SourceSettings, Validators
from db.stage import Stage
from lock_waits import until_waiting

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
    """The item is fetched in its time, and its text is refused by the rules of its source."""
    await stage.run("UPDATE fetch_job SET run_after = now()")
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


async def _due(stage: Stage, settings: SourceSettings) -> SourceLease:
    """The next look at a source."""
    await stage.run("UPDATE source_state SET next_check_at = now()")
    lease = await stage.checks.claim(settings.url.split("/")[2], seconds=60)
    assert lease is not None
    return lease


async def _in_full(stage: Stage, *sources: SourceSettings) -> list[bool]:
    """Which sources are asked in full at their next look, whatever their hosts call unchanged."""
    looks = [await _due(stage, settings) for settings in sources]
    return [look.source.validators == Validators() for look in looks]


async def _awaited(stage: Stage) -> list[tuple[object, ...]]:
    """Who waits for an item of another, and which row says so."""
    return await stage.rows(
        "SELECT s.key, w.xmin::text FROM awaited_item w JOIN source s ON s.id = w.source_id"
        " ORDER BY 1"
    )


async def test_who_wants_what_another_refused_is_asked_in_full_at_its_next_look(
    stage: Stage,
) -> None:
    await _announce(stage, ACME)
    await _announce(stage, OTHER)
    await stage.announce([make.announced(URL, **REFUSED)], THIRD)
    assert await _in_full(stage, ACME, OTHER, THIRD) == [False, False, False]
    await _refuse(stage, ACME)
    assert await _in_full(stage, ACME, OTHER, THIRD) == [False, True, False]
    assert await _announce(stage, OTHER) == 1
    await _refuse(stage, OTHER)
    assert await _in_full(stage, ACME, OTHER, THIRD) == [False, False, False], "it refused that"


async def test_that_an_item_ended_is_enough_whoever_is_cut_off_then(stage: Stage) -> None:
    await _announce(stage, ACME)
    await _announce(stage, OTHER)
    await stage.run("UPDATE fetch_job SET state = 'filtered', reason = 'too_short'")
    assert await _in_full(stage, OTHER) == [True]


async def test_who_announces_an_item_while_another_refuses_it_is_asked_in_full(
    stage: Stage, database: str
) -> None:
    await _announce(stage, ACME)
    held = await stage.claim()
    await stage.sources.add(OTHER, actor="test")
    lease = await _due(stage, OTHER)
    with psycopg.connect(database) as gate:
        # The check is recorded last of all, after the items.
        gate.execute("LOCK TABLE source_check IN SHARE MODE")
        look = stage.checks.record(
            lease, make.summary("other"), make.standing(), [make.announced(URL)]
        )
        looking = asyncio.create_task(look)
        await asyncio.to_thread(until_waiting, database)
        assert await stage.queue.refuse(held, ACME, Reason.TOO_SHORT, "short", None)
    assert await looking is not None
    assert await _in_full(stage, OTHER) == [True]
    assert await _announce(stage, OTHER) == 1


async def test_a_look_that_finds_nothing_changed_or_fails_does_not_end_that(stage: Stage) -> None:
    await _announce(stage, ACME)
    await _announce(stage, OTHER)
    lease = await _due(stage, OTHER)
    await _refuse(stage, ACME)
    unchanged = replace(make.summary("other"), status=304, unchanged=True)
    assert await stage.checks.record(lease, unchanged, make.standing()) is not None
    assert await _in_full(stage, OTHER) == [True]
    failed = replace(make.summary("other"), status=503, reason=Reason.SERVER_ERROR)
    lease = await _due(stage, OTHER)
    assert await stage.checks.record(lease, failed, make.standing()) is not None
    assert await _in_full(stage, OTHER) == [True]
    assert await _announce(stage, OTHER) == 1
    assert await _in_full(stage, OTHER) == [False]


async def test_a_source_that_names_an_item_no_more_is_asked_in_full_once(stage: Stage) -> None:
    for settings in (ACME, OTHER, THIRD):
        await _announce(stage, settings)
    await _refuse(stage, ACME)
    assert await _in_full(stage, OTHER, THIRD) == [True, True]
    await stage.announce([make.announced(f"{URL}1")], OTHER)
    await stage.announce([], THIRD)
    assert await _in_full(stage, OTHER, THIRD) == [False, False]
    assert await _awaited(stage) == []


async def test_what_is_read_again_as_it_was_writes_no_rows(stage: Stage) -> None:
    await _announce(stage, ACME)
    await _announce(stage, OTHER)
    before = await _awaited(stage)
    assert [row[0] for row in before] == ["other"]
    assert await _announce(stage, OTHER) == 0
    assert await _awaited(stage) == before
    await stage.keep(await stage.claim(), make.content(URL))
    assert await _announce(stage, OTHER) == 0
    assert await _awaited(stage) == [], "somebody has it"


async def test_what_a_long_feed_waits_for_is_known_of_all_its_parts(stage: Stage) -> None:
    many = [make.announced(f"{URL}{number}") for number in range(CHUNK + 1)]
    await stage.announce(many)
    assert await stage.announce(many, OTHER) == (0, 0)
    assert len(await _awaited(stage)) == len(many)


async def test_who_allows_an_address_by_now_is_asked_in_full_for_it(stage: Stage) -> None:
    await _announce(stage, ACME)
    await stage.announce([make.announced(URL, **REFUSED)], OTHER)
    assert await _announce(stage, OTHER) == 0, "another has it"
    await _refuse(stage, ACME)
    assert await _in_full(stage, OTHER) == [True]
    assert await _announce(stage, OTHER) == 1


async def test_who_has_other_rules_by_now_is_asked_in_full_for_what_it_refused(
    stage: Stage,
) -> None:
    strict = replace(OTHER, min_length=900)
    await _announce(stage, strict)
    await _refuse(stage, strict)
    assert await _announce(stage, ACME) == 1
    await stage.sources.update("other", OTHER, actor="test")
    assert await _announce(stage, OTHER) == 0, "another has it"
    await _refuse(stage, ACME)
    assert await _in_full(stage, OTHER) == [True]
    assert await _announce(stage, OTHER) == 1


async def test_an_edited_text_that_all_refused_each_that_says_so_judges_anew(stage: Stage) -> None:
    edited = make.announced(URL, entry_hash=make.sha("edited"))
    twin = make.announced(URL, guid_hash=make.sha("another guid"))
    for settings in (ACME, OTHER):
        await stage.announce([twin, make.announced(URL)], settings)
        await _refuse(stage, settings)
    for settings in (ACME, OTHER):
        assert await stage.announce([twin, edited], settings) == (1, 0)
        await _refuse(stage, settings)
        assert await stage.announce([twin, edited], settings) == (0, 0)
    assert await _in_full(stage, ACME, OTHER) == [False, False]


async def test_who_says_that_a_text_is_edited_waits_for_it_while_another_has_it(
    stage: Stage,
) -> None:
    for settings in (OTHER, ACME):
        await _announce(stage, settings)
        await _refuse(stage, settings)
    edited = make.announced(URL, entry_hash=make.sha("edited"))
    assert await stage.announce([edited], ACME) == (0, 1)
    assert await stage.announce([edited], OTHER) == (0, 1)
    await _refuse(stage, ACME)
    assert await _in_full(stage, OTHER) == [True]
    assert await stage.announce([edited], OTHER) == (1, 0)


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


async def test_sources_whose_entries_change_at_each_look_do_not_ask_in_turn(stage: Stage) -> None:
    waits = []
    for turn in range(6):
        settings = (ACME, OTHER)[turn % 2]
        item = make.announced(URL, entry_hash=make.sha(f"{turn} readers"))
        assert await stage.announce([item], settings) == (1, 0)
        late = "round(greatest(0, extract(epoch FROM run_after - now())) / 60)::int"
        waits.append(await stage.value(f"SELECT {late} FROM fetch_job"))
        await _refuse(stage, settings)
    assert waits == [0, 0, 0, 10, 30, 70]


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
    assert await _in_full(stage, other) == [True]
    assert await stage.announce([make.announced(URL)], other) == (1, 0)
    assert await _standing(stage) == [("other", "pending", None)]
    assert await stage.announce([make.announced(URL)], other) == (0, 0)
    await stage.keep(await stage.claim(), make.content(URL), settings=other)
    assert await _standing(stage) == [("other", "stored", None)]


async def test_what_a_removed_source_left_is_not_for_who_refused_it(stage: Stage) -> None:
    await _announce(stage, OTHER)
    await _refuse(stage, OTHER)
    assert await _announce(stage, ACME) == 1
    assert await _announce(stage, OTHER) == 0
    await stage.sources.remove("acme", actor="test")
    assert await _in_full(stage, OTHER) == [False]
    assert await _announce(stage, OTHER) == 0


async def test_what_somebody_discarded_no_other_source_brings_back(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    await stage.run("UPDATE fetch_job SET state = 'filtered', reason = 'discarded'")
    other = make.settings("other", "other.example")
    assert await stage.announce([make.announced(URL)], other) == (0, 0)
    assert await _standing(stage) == [("acme", "filtered", "discarded")]
