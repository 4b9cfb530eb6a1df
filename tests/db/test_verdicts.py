"""The team's verdicts hold for all that they cover, before and after, until they are undone."""

import asyncio

import pytest

import make
from ctiscraper.db.entities import Entities, EntityQuery
from ctiscraper.db.mentions import hold_decisions, key_of
from ctiscraper.db.verdicts import Decision, Scope, Verdicts
from ctiscraper.errors import NotFoundError
from ctiscraper.intelligence import Verdict
from db import claimed
from db.stage import Stage

OTHER = make.settings("other", "other.example")


def decision(value: str, verdict: Verdict = Verdict.BENIGN, **changes: object) -> Decision:
    values: dict[str, object] = {
        "scope": Scope.VALUE,
        "kind": "domain",
        "value": value,
        "verdict": verdict,
        "reason": "ours",
    }
    return Decision(**{**values, **changes})  # type: ignore[arg-type]  # a builder


async def held(stage: Stage) -> dict[str, str | None]:
    page = await Entities(stage.database).page(EntityQuery())
    return {one.value: one.verdict for one in page.entities}


async def test_a_verdict_holds_for_articles_before_and_after_it(stage: Stage) -> None:
    first = await claimed.article(stage, "one", claimed.mention("a.example"))
    await Verdicts(stage.database).make(decision("a.example"), actor="ann")
    await Verdicts(stage.database).make(decision("b.example", Verdict.MALICIOUS), actor="ann")
    second = await claimed.article(
        stage, "two", claimed.mention("a.example"), claimed.mention("b.example")
    )
    assert await held(stage) == {"a.example": "benign", "b.example": "malicious"}
    for number in (first, second):
        found = await Entities(stage.database).of_article(number)
        assert [
            (one.verdict, one.found_verdict) for one in found if one.entity.value[0] == "a"
        ] == [("benign", "mentioned")]


async def test_a_domain_covers_itself_and_all_below_it_and_nothing_beside(stage: Stage) -> None:
    below = ["evil.example", "www.evil.example", "a.b.evil.example"]
    beside = ["notevil.example", "evil.example.org", "evil-a.example"]
    await claimed.article(stage, "one", *(claimed.mention(one) for one in below[:2] + beside))
    kept = await Verdicts(stage.database).make(
        decision("Evil.Example.", Verdict.MALICIOUS, scope=Scope.DOMAIN), actor="ann"
    )
    assert kept.value == "evil.example"
    await claimed.article(
        stage, "two", claimed.mention(below[2]),
        claimed.mention("http://www.evil.example/x", "url", host="www.evil.example"),
    )  # fmt: skip
    found = await held(stage)
    assert {value for value, verdict in found.items() if verdict == "malicious"} == {
        *below, "http://www.evil.example/x",
    }  # fmt: skip
    assert all(found[one] == "mentioned" for one in beside)


async def test_the_nearer_decision_wins(stage: Stage) -> None:
    await claimed.article(stage, "one", claimed.mention("cdn.evil.example"))
    verdicts = Verdicts(stage.database)
    await verdicts.make(decision("evil.example", Verdict.MALICIOUS, scope=Scope.DOMAIN), actor="a")
    await verdicts.make(decision("cdn.evil.example", scope=Scope.DOMAIN), actor="a")
    assert await held(stage) == {"cdn.evil.example": "benign"}
    own = await verdicts.make(decision("cdn.evil.example", Verdict.SUSPICIOUS), actor="a")
    assert await held(stage) == {"cdn.evil.example": "suspicious"}
    await verdicts.undo(own.id, actor="b")
    assert await held(stage) == {"cdn.evil.example": "benign"}


async def test_undone_a_verdict_holds_no_more_and_stays_on_record(stage: Stage) -> None:
    await claimed.article(stage, "one", claimed.mention("a.example"))
    verdicts = Verdicts(stage.database)
    made = await verdicts.make(decision("a.example"), actor="ann")
    undone, held_until_now = await verdicts.undo(made.id, actor="bob")
    assert held_until_now
    assert (undone.undone_by, undone.actor, undone.reason) == ("bob", "ann", "ours")
    assert await held(stage) == {"a.example": "mentioned"}
    again, held_until_now = await verdicts.undo(made.id, actor="eve")
    assert not held_until_now
    assert (again.undone_by, again.undone_at) == ("bob", undone.undone_at)
    await claimed.article(stage, "two", claimed.mention("a.example"))
    assert await held(stage) == {"a.example": "mentioned"}
    assert [one.id for one in await verdicts.newest()] == [made.id]


async def test_a_new_decision_takes_the_place_of_the_old_one(stage: Stage) -> None:
    await claimed.article(stage, "one", claimed.mention("a.example"))
    verdicts = Verdicts(stage.database)
    old = await verdicts.make(decision("a.example", Verdict.MALICIOUS), actor="ann")
    new = await verdicts.make(decision("a.example"), actor="bob")
    assert await held(stage) == {"a.example": "benign"}
    thing = await Entities(stage.database).find("domain", "a.example")
    history = await verdicts.of_entity(thing.id)
    assert [(one.id, one.undone_by) for one in history] == [(new.id, None), (old.id, "bob")]


async def test_for_one_source_it_holds_where_that_source_names_the_value(stage: Stage) -> None:
    ours = await claimed.article(stage, "one", claimed.mention("a.example"))
    theirs = await claimed.article(stage, "two", claimed.mention("a.example"), settings=OTHER)
    await Verdicts(stage.database).make(
        decision("a.example", scope=Scope.SOURCE, source_key="other"), actor="ann"
    )
    entities = Entities(stage.database)
    assert [one.verdict for one in await entities.of_article(ours)] == ["mentioned"]
    assert [one.verdict for one in await entities.of_article(theirs)] == ["benign"]


async def test_a_source_or_number_that_is_not_there_is_named(stage: Stage) -> None:
    verdicts = Verdicts(stage.database)
    with pytest.raises(NotFoundError, match="no source 'nobody'"):
        await verdicts.make(
            decision("a.example", scope=Scope.SOURCE, source_key="nobody"), actor="ann"
        )
    with pytest.raises(NotFoundError, match="no verdict number 7"):
        await verdicts.undo(7, actor="ann")


async def test_a_decision_waits_for_what_is_being_written(stage: Stage) -> None:
    """A thing that is not seen yet when a decision is made would never be told of it."""
    writing = stage.database.transaction()
    conn = await writing.__aenter__()
    await hold_decisions(conn)
    await conn.execute(
        "INSERT INTO entity (key, kind, value, host, articles) VALUES (%s, 'domain', %s, %s, 1)",
        (key_of("domain", "a.example"), "a.example", "example.a"),
    )
    deciding = asyncio.create_task(
        Verdicts(stage.database).make(decision("a.example"), actor="ann")
    )
    while await stage.value("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0:
        pass
    await writing.__aexit__(None, None, None)
    await deciding
    assert await held(stage) == {"a.example": "benign"}
