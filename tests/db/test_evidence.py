"""What stands beside mentions: what holds of what a text names."""

import pytest

import make
from ctiscraper.db.entities import Entities
from ctiscraper.db.evidence import Evidence, Judged
from ctiscraper.db.verdicts import Decision, Scope, Verdicts
from ctiscraper.errors import NotFoundError
from ctiscraper.intelligence import Verdict
from db import claimed
from db.stage import Stage


def of(stage: Stage) -> Evidence:
    return Evidence(stage.database)


async def test_the_decisions_that_hold_are_told_by_thing(stage: Stage) -> None:
    number = await claimed.article(
        stage, "one", claimed.mention("www.evil.example"), claimed.mention("other.example")
    )
    verdicts = Verdicts(stage.database)

    async def decide(scope: Scope, value: str, verdict: Verdict, source: str | None = None) -> int:
        decision = Decision(
            scope=scope, kind="domain", value=value, verdict=verdict, source_key=source
        )
        return (await verdicts.make(decision, actor="test")).id

    wide = await decide(Scope.DOMAIN, "evil.example", Verdict.BENIGN)
    here = await decide(Scope.SOURCE, "www.evil.example", Verdict.MALICIOUS, "acme")
    gone = await decide(Scope.VALUE, "other.example", Verdict.BENIGN)
    await verdicts.undo(gone, actor="test")
    thing = await Entities(stage.database).find("domain", "www.evil.example")
    found = await of(stage).decisions(number)
    assert {key: [one.id for one in held] for key, held in found.items()} == {
        thing.id: [here, wide]
    }
    assert found[thing.id][1].value == "evil.example"
    source = found[thing.id][0].source
    assert source is not None
    assert source.key == "acme"


async def test_a_decision_of_another_source_is_not_told(stage: Stage) -> None:
    number = await claimed.article(stage, "one", claimed.mention("a.example"))
    other = make.settings("other", "other.example")
    await claimed.article(stage, "two", claimed.mention("a.example"), settings=other)
    decision = Decision(
        scope=Scope.SOURCE, kind="domain", value="a.example", verdict=Verdict.BENIGN,
        source_key="other",
    )  # fmt: skip
    await Verdicts(stage.database).make(decision, actor="test")
    assert await of(stage).decisions(number) == {}


async def test_a_thing_is_judged_by_its_whole_value(stage: Stage) -> None:
    rule = "rule x { " + "a" * 5000 + " }"
    await claimed.article(
        stage, "one", claimed.mention(rule, "yara"), claimed.mention("www.evil.example")
    )
    entities = Entities(stage.database)
    yara = await entities.find("yara", rule)
    assert (await of(stage).judged(yara.id)).value == rule
    domain = await entities.find("domain", "www.evil.example")
    assert await of(stage).judged(domain.id) == Judged(
        kind="domain", value="www.evil.example", host="www.evil.example"
    )
    with pytest.raises(NotFoundError, match="number 99999"):
        await of(stage).judged(99_999)
