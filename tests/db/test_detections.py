"""Drafts as they are kept: each once, each text of theirs, and what people decided of them."""

import asyncio
from dataclasses import replace
from uuid import UUID, uuid5

import psycopg
import pytest

from ctiscraper.db.detections import DetectionDrafts, DetectionQuery
from ctiscraper.detect.drafted import (
    Checked,
    Draft,
    DraftState,
    Event,
    Grade,
    Hit,
    Issue,
    Novelty,
    Origin,
    Quotation,
    Replay,
    Rule,
)
from ctiscraper.errors import ConflictError, CursorError, NotFoundError, StaleError
from db import modelled
from db.stage import Stage

SPACE = UUID(int=7)
UGLY = "a \0 <b> \u202e \u4efb \\ "


def draft(name: str, origin: Origin = Origin.TEMPLATE, **changes: object) -> Draft:
    values: dict[str, object] = {
        "rule_id": str(uuid5(SPACE, name)),
        "title": name,
        "yaml": f"title: {name}\n",
        "evidence": (Quotation(item="CommandLine", quote="The text", start=0, end=8),),
        "events": (Event(fields={"CommandLine": UGLY}, category="process_creation"),),
        "origin": origin,
    }
    return Draft(**{**values, **changes})  # type: ignore[arg-type]  # a builder


def checked(title: str = "a rule", **changes: object) -> Checked:
    values: dict[str, object] = {
        "rule": Rule(
            title=title,
            level="high",
            category="process_creation",
            product="windows",
            techniques=("T1053.005",),
        ),
        "replay": Replay(positives=(Hit(words="x", matched=True),), matched=1, benign=9),
        "novelty": Novelty(grade=Grade.NEW, basis="titles"),
    }
    return Checked(**{**values, **changes})  # type: ignore[arg-type]  # a builder


async def keep(drafts: DetectionDrafts, article: int, *names: str, by: str = "ann") -> int:
    return await drafts.keep(article, 1, [(draft(one), checked(one)) for one in names], by=by)


async def titles(drafts: DetectionDrafts, article: int) -> list[str]:
    return [one.title for one in await drafts.of_article(article)]


@pytest.fixture
def drafts(stage: Stage) -> DetectionDrafts:
    return DetectionDrafts(stage.database)


@pytest.fixture
async def article(stage: Stage) -> int:
    return await modelled.article(stage, "one")


async def test_a_draft_is_kept_whole(drafts: DetectionDrafts, article: int) -> None:
    given = draft(UGLY.replace("\0", ""), Origin.MODEL, model="tiny", prompt="rules-1")
    assert await drafts.add(article, 3, given, checked(UGLY), by="ann")
    [summary] = await drafts.of_article(article)
    found = await drafts.get(summary.id)
    # PostgreSQL has no place for that one character.
    assert summary.title == UGLY.replace("\0", "")
    assert found.events[0].fields["CommandLine"] == UGLY.replace("\0", "\ufffd")
    assert (found.evidence, found.yaml, found.revision) == (given.evidence, given.yaml, 3)
    assert (summary.origin, summary.model, found.prompt) == (Origin.MODEL, "tiny", "rules-1")
    assert (summary.level, summary.grade, summary.techniques) == ("high", Grade.NEW, ("T1053.005",))
    assert (summary.positives, summary.matched, summary.benign_matched) == (1, 1, 0)
    assert [(one.number, one.made_by) for one in found.versions] == [(1, "ann")]
    with pytest.raises(NotFoundError, match="no detection number 99"):
        await drafts.get(99)


async def test_one_rule_of_an_article_is_one_draft(drafts: DetectionDrafts, article: int) -> None:
    assert await keep(drafts, article, "a", "b") == 2
    assert await keep(drafts, article, "a", "b", by="bob") == 0
    assert not await drafts.add(article, 1, draft("a", Origin.MODEL), checked(), by="bob")
    [first, _] = await drafts.of_article(article)
    assert first.origin is Origin.TEMPLATE
    assert [one.made_by for one in (await drafts.get(first.id)).versions] == ["ann"]


async def test_two_who_draft_at_a_time_make_each_once(
    drafts: DetectionDrafts, article: int
) -> None:
    made = await asyncio.gather(*(keep(drafts, article, "a", "b", "c") for _ in range(4)))
    assert sorted(made) == [0, 0, 0, 3]
    assert await titles(drafts, article) == ["a", "b", "c"]


async def test_the_same_rule_of_two_articles_is_two_drafts(
    stage: Stage, drafts: DetectionDrafts, article: int
) -> None:
    other = await modelled.article(stage, "two", "Other words.")
    assert await keep(drafts, article, "a") == await keep(drafts, other, "a") == 1


async def test_what_is_drafted_no_more_goes_if_nobody_touched_it(
    drafts: DetectionDrafts, article: int
) -> None:
    await keep(drafts, article, "gone", "edited", "decided", "stays")
    await drafts.add(article, 1, draft("by a model", Origin.MODEL), checked(), by="ann")
    known = {one.title: one.id for one in await drafts.of_article(article)}
    await drafts.edit(known["edited"], "x", checked("edited"), version=1, by="ann")
    await drafts.decide(known["decided"], DraftState.REJECTED, version=1, by="ann")
    assert await keep(drafts, article, "stays", "new") == 1
    assert set(await titles(drafts, article)) == {
        "edited", "decided", "stays", "a rule", "new",
    }  # fmt: skip


async def test_a_change_is_a_version_and_opens_what_was_decided(
    drafts: DetectionDrafts, article: int
) -> None:
    await keep(drafts, article, "a")
    [one] = await drafts.of_article(article)
    accepted = await drafts.decide(one.id, DraftState.ACCEPTED, version=1, by="cur")
    assert (accepted.summary.state, accepted.summary.decided_by) == (DraftState.ACCEPTED, "cur")
    assert [text for _, text in await drafts.accepted(DetectionQuery())] == ["title: a\n"]
    changed = await drafts.edit(one.id, "title: b\n", checked("b"), version=1, by="bob")
    assert changed.yaml == "title: b\n"
    assert (changed.summary.version, changed.summary.edited_by) == (2, "bob")
    assert (changed.summary.state, changed.summary.decided_by) == (DraftState.DRAFT, "")
    assert changed.summary.decided_at is None
    assert [text.yaml for text in changed.versions] == ["title: a\n", "title: b\n"]
    assert await drafts.accepted(DetectionQuery()) == []


async def test_nobody_writes_over_another(drafts: DetectionDrafts, article: int) -> None:
    await keep(drafts, article, "a")
    [one] = await drafts.of_article(article)

    told = await asyncio.gather(
        *(
            drafts.edit(one.id, f"title: {by}\n", checked(by), version=1, by=by)
            for by in ("ann", "bob")
        ),
        return_exceptions=True,
    )
    [late] = [error for error in told if isinstance(error, StaleError)]
    kept = await drafts.get(one.id)
    assert f"{kept.summary.edited_by} has changed this rule" in str(late)
    assert late.seen == 1
    assert (kept.summary.version, len(kept.versions)) == (2, 2)
    with pytest.raises(StaleError):
        await drafts.decide(one.id, DraftState.REJECTED, version=1, by="cur")
    for number, version in ((99, 1), (99, 2)):
        with pytest.raises(NotFoundError):
            await drafts.decide(number, DraftState.REJECTED, version=version, by="cur")


@pytest.mark.parametrize(
    "found",
    [
        checked(issues=(Issue(what="no such field"),)),
        checked(replay=Replay(positives=(Hit(words="x", matched=False),))),
        checked(replay=replace(checked().replay, benign_matched=1)),
    ],
    ids=["not valid", "matches nothing", "matches what is ordinary"],
)
async def test_only_a_sound_rule_is_accepted(
    drafts: DetectionDrafts, article: int, found: Checked
) -> None:
    await drafts.add(article, 1, draft("a"), found, by="ann")
    [one] = await drafts.of_article(article)
    with pytest.raises(ConflictError, match="mend it first"):
        await drafts.decide(one.id, DraftState.ACCEPTED, version=1, by="cur")
    assert (await drafts.get(one.id)).summary.state is DraftState.DRAFT
    rejected = await drafts.decide(one.id, DraftState.REJECTED, version=1, by="cur")
    assert rejected.summary.state is DraftState.REJECTED


async def test_pages_have_every_draft_once_while_more_are_made(
    drafts: DetectionDrafts, article: int
) -> None:
    await keep(drafts, article, *"abcde")
    seen: list[str] = []
    cursor = None
    for turn in range(3):
        page = await drafts.page(DetectionQuery(), cursor=cursor, limit=2)
        seen += [one.title for one in page.detections]
        cursor = page.next
        await drafts.add(article, 1, draft(f"late {turn}", Origin.MODEL), checked(), by="ann")
    assert (seen, cursor) == (["e", "d", "c", "b", "a"], None)
    with pytest.raises(CursorError):
        await drafts.page(DetectionQuery(), cursor="x")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (DetectionQuery(), 2),
        (DetectionQuery(article=1), 2),
        (DetectionQuery(article=2), 0),
        (DetectionQuery(state=DraftState.REJECTED), 1),
        (DetectionQuery(origin=Origin.MODEL), 1),
        (DetectionQuery(level="high"), 2),
        (DetectionQuery(level="low"), 0),
        (DetectionQuery(grade=Grade.COVERED), 1),
        (DetectionQuery(category="process_creation"), 2),
        (DetectionQuery(technique="T1053.005"), 2),
        (DetectionQuery(technique="T1053"), 0),
        (DetectionQuery(origin=Origin.MODEL, grade=Grade.NEW), 0),
    ],
)
async def test_lists_are_narrowed(
    drafts: DetectionDrafts, article: int, query: DetectionQuery, count: int
) -> None:
    await keep(drafts, article, "a")
    covered = checked(novelty=Novelty(grade=Grade.COVERED, basis="values"))
    await drafts.add(article, 1, draft("b", Origin.MODEL), covered, by="ann")
    [first, _] = await drafts.of_article(article)
    await drafts.decide(first.id, DraftState.REJECTED, version=1, by="cur")
    assert len((await drafts.page(query)).detections) == count


async def test_drafts_go_with_their_article(
    stage: Stage, drafts: DetectionDrafts, article: int
) -> None:
    await keep(drafts, article, "a")
    async with stage.database.transaction() as conn:
        await conn.execute("DELETE FROM article WHERE id = %s", (article,))
        left = await (await conn.execute("SELECT count(*) FROM detection_version")).fetchone()
        assert left == (0,)
        # Whether the accounts hold without it is no question of this test.
        raise psycopg.Rollback
