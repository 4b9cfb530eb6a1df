"""What is scored anew when a decision or a copy changes what scores rest on."""

from datetime import timedelta

import make
from ctiscraper.db.rescoring import touch_next
from ctiscraper.db.verdicts import Decision, Scope, Verdicts
from ctiscraper.intelligence import Verdict
from db import claimed
from db.stage import Stage

STALE = "SELECT article_id FROM article_score WHERE stale_at <= now() ORDER BY article_id"


async def _scored(stage: Stage) -> None:
    await stage.run(
        """
        INSERT INTO article_score (article_id, score, parts, version)
        SELECT id, 0.5, '[]', '1' FROM article ON CONFLICT DO NOTHING
        """
    )
    await stage.run("UPDATE article_score SET stale_at = NULL")


async def _follow(stage: Stage, limit: int = 2) -> list[int]:
    """The articles that a decision touched, and how often it took to find them."""
    rounds = 0
    while True:
        async with stage.database.transaction() as conn:
            if not await touch_next(conn, limit):
                return [int(str(row[0])) for row in await stage.rows(STALE)]
        rounds += 1
        assert rounds < 20


def _decision(value: str, verdict: Verdict, scope: Scope = Scope.VALUE) -> Decision:
    return Decision(scope=scope, kind="domain", value=value, verdict=verdict)


async def test_a_decision_touches_all_articles_that_name_it_and_no_other(stage: Stage) -> None:
    numbers = [
        await claimed.article(
            stage, f"n{number}", claimed.mention("a.example"), published=make.NOW
            - timedelta(hours=number % 3),
        )
        for number in range(7)
    ]  # fmt: skip
    await claimed.article(stage, "other", claimed.mention("b.example"))
    await _scored(stage)
    verdicts = Verdicts(stage.database)
    made = await verdicts.make(_decision("a.example", Verdict.BENIGN), actor="ann")
    assert await _follow(stage) == numbers
    await _scored(stage)
    await verdicts.undo(made.id, actor="ann")
    assert await _follow(stage) == numbers
    assert await stage.rows("SELECT * FROM entity_rescore") == []


async def test_a_domain_touches_what_is_below_it(stage: Stage) -> None:
    numbers = [
        await claimed.article(stage, f"n{number}", claimed.mention(f"h{number}.evil.example"))
        for number in range(5)
    ]
    await _scored(stage)
    decision = _decision("evil.example", Verdict.BENIGN, Scope.DOMAIN)
    await Verdicts(stage.database).make(decision, actor="ann")
    assert await _follow(stage) == numbers


async def test_what_changes_no_score_touches_none(stage: Stage) -> None:
    await claimed.article(stage, "one", claimed.mention("a.example"))
    verdicts = Verdicts(stage.database)
    await verdicts.make(_decision("a.example", Verdict.MALICIOUS), actor="ann")
    await _follow(stage)
    await _scored(stage)
    await verdicts.make(_decision("a.example", Verdict.SUSPICIOUS), actor="ann")
    assert await _follow(stage) == []


async def test_a_decision_made_meanwhile_begins_again(stage: Stage) -> None:
    numbers = [
        await claimed.article(stage, f"n{number}", claimed.mention("a.example"))
        for number in range(3)
    ]
    await _scored(stage)
    verdicts = Verdicts(stage.database)
    await verdicts.make(_decision("a.example", Verdict.BENIGN), actor="ann")
    async with stage.database.transaction() as conn:
        assert await touch_next(conn, 1) == 1
    await _scored(stage)
    await verdicts.make(_decision("a.example", Verdict.MALICIOUS), actor="ann")
    assert await _follow(stage) == numbers
