"""Detections of stored articles: drafted in the sandbox, kept, changed and decided."""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from ctiscraper.analysis.analysed import RULES, Analysis
from ctiscraper.db.detections import DetectionQuery
from ctiscraper.db.packs import Packs
from ctiscraper.db.session import Database
from ctiscraper.detect.drafted import DraftState, Grade, Origin, Target
from ctiscraper.detect.flaws import Flaw
from ctiscraper.detecting import Detections, open_sandbox
from ctiscraper.errors import ConflictError, InputError, NotFoundError, StaleError
from ctiscraper.fault_words import dropped_words
from ctiscraper.model_views import AnalysisState, AnalysisView, ClaimView
from ctiscraper.reference import Reference
from ctiscraper.sandbox import Sandbox
from detect.material import COMMAND, TEXT
from detect.test_modelled import GOOD
from scripted import saying
from web import claims
from web.shelf import Shelf

MENTIONS = (
    claims.at(TEXT, COMMAND, "command_line", verdict=None),
    claims.at(TEXT, "T1053.005", "technique", verdict=None, extractor="attack"),
    claims.at(TEXT, "HKLM\\SOFTWARE\\AclHost\\Config\\Beacon", "registry_key", verdict=None),
    claims.at(TEXT, "evil.example"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox() as opened:
        yield opened


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def detections(database: str, sandbox: Sandbox) -> AsyncIterator[Detections]:
    shelf = Shelf(database)
    shelf.article("one", text=TEXT)
    await claims.name(database, shelf, 1, *MENTIONS)
    async with Database(database, size=4) as opened:
        yield Detections(opened, sandbox)


async def test_an_article_is_drafted_from_and_again_without_doubling(
    detections: Detections,
) -> None:
    made = await detections.draft(1, by="ann")
    assert made.added == len(made.detections) == 4
    assert {one.origin for one in made.detections} == {Origin.TEMPLATE}
    assert all(one.valid and one.matched == one.positives for one in made.detections)
    assert made.detections[0].techniques == ("T1053.005",)
    again = await detections.draft(1, by="bob")
    assert (again.added, again.detections) == (0, made.detections)
    whole = await detections.drafts.get(made.detections[0].id)
    assert [one.made_by for one in whole.versions] == ["ann"]
    assert all(TEXT[one.start : one.end] == one.quote for one in whole.evidence)
    with pytest.raises(NotFoundError):
        await detections.draft(99, by="ann")


async def test_the_packs_in_use_grade_drafts_and_hold_their_tags(detections: Detections) -> None:
    packs = Packs(detections.database)
    for name in ("attack", "sigma"):
        await Reference(packs).install_default(name)
    made = await detections.draft(1, by="ann")
    assert {one.grade for one in made.detections} <= {Grade.NEW, Grade.EXTENDS}
    assert all(one.valid for one in made.detections)
    found = await detections.check(GOOD + "tags:\n  - attack.t0000\n", article_id=1)
    assert "ATT&CK has no t0000" in [one.what for one in found.issues]
    assert found.novelty is not None
    assert found.novelty.pack.startswith("galaxy")
    nearest = found.novelty.nearest
    assert not nearest or "author" in found.novelty.notice


async def test_edits_are_versions_and_nobody_writes_over_another(detections: Detections) -> None:
    [first, *_] = (await detections.draft(1, by="ann")).detections
    text = (await detections.drafts.get(first.id)).yaml
    changed = await detections.edit(
        first.id, text.replace("experimental", "test"), version=1, by="bob"
    )
    assert (changed.summary.version, changed.summary.edited_by) == (2, "bob")
    with pytest.raises(StaleError, match="bob has changed this rule"):
        await detections.edit(first.id, text, version=1, by="eve")
    with pytest.raises(InputError, match="no YAML"):
        await detections.edit(first.id, "title: [", version=2, by="eve")
    kept = await detections.drafts.get(first.id)
    assert "status: test" in kept.yaml
    assert [one.made_by for one in kept.versions] == ["ann", "bob"]
    again = await detections.draft(1, by="ann")
    assert first.id in {one.id for one in again.detections}


async def test_only_what_is_sound_is_accepted_and_an_edit_opens_it_again(
    detections: Detections,
) -> None:
    [first, *_] = (await detections.draft(1, by="ann")).detections
    made = await detections.drafts.decide(first.id, DraftState.ACCEPTED, version=1, by="cur")
    assert (made.summary.state, made.summary.decided_by) == (DraftState.ACCEPTED, "cur")
    [(_, text)] = await detections.drafts.accepted(DetectionQuery(article=1))
    assert text == made.yaml
    general = text.replace("contains|all", "contains").replace("schtasks", "cmd")
    edited = await detections.edit(first.id, general + "\n", version=1, by="bob")
    assert edited.summary.state is DraftState.DRAFT
    assert not edited.checked.replay.is_sound
    with pytest.raises(ConflictError, match="mend it first"):
        await detections.drafts.decide(first.id, DraftState.ACCEPTED, version=2, by="cur")
    with pytest.raises(StaleError):
        await detections.drafts.decide(first.id, DraftState.REJECTED, version=1, by="cur")
    assert await detections.drafts.accepted(DetectionQuery()) == []


async def test_drafts_that_a_new_text_does_not_give_go_unless_somebody_touched_them(
    detections: Detections, database: str
) -> None:
    [first, second, *rest] = (await detections.draft(1, by="ann")).detections
    await detections.drafts.decide(first.id, DraftState.REJECTED, version=1, by="cur")
    shelf = Shelf(database)
    shelf.run("DELETE FROM mention WHERE article_id = 1")
    left = (await detections.draft(1, by="ann")).detections
    assert [one.id for one in left] == [first.id]
    assert second.id not in {one.id for one in left}
    assert len(rest) == 2


async def test_lists_are_narrowed_and_paged(detections: Detections) -> None:
    made = (await detections.draft(1, by="ann")).detections
    seen: list[int] = []
    cursor: str | None = None
    for _ in range(len(made)):
        page = await detections.drafts.page(DetectionQuery(), cursor=cursor, limit=1)
        seen.extend(one.id for one in page.detections)
        cursor = page.next
    assert seen == [one.id for one in reversed(made)]
    assert cursor is None
    for query, count in (
        (DetectionQuery(category="registry_set"), 1),
        (DetectionQuery(technique="T1053.005"), sum("T1053.005" in d.techniques for d in made)),
        (DetectionQuery(origin=Origin.MODEL), 0),
        (DetectionQuery(article=2), 0),
        (
            DetectionQuery(state=DraftState.DRAFT, level="high"),
            sum(d.level == "high" for d in made),
        ),
    ):
        assert len((await detections.drafts.page(query)).detections) == count


def view(found: Analysis, **changes: object) -> AnalysisView:
    """What a model answered as it is read from its row."""
    values: dict[str, object] = {
        "id": 5,
        "article_id": 1,
        "revision": 1,
        "current": True,
        "task": found.task,
        "model": found.model,
        "prompt_version": found.prompt_version,
        "state": AnalysisState.DONE,
        "asked_by": "ann",
        "asked_at": datetime.now(UTC),
        "why": {},
        "failed_parts": {},
        "claims": tuple(
            ClaimView(number=n, text=one.text, quotes=(), fields=one.fields)
            for n, one in enumerate(found.claims, 1)
        ),
    }
    return AnalysisView(**{**values, **changes})  # type: ignore[arg-type]  # a builder


async def by_model(detections: Detections, *answers: str) -> Analysis:
    return await detections.rules_by_model(
        saying(*answers), 1, text=("one", TEXT), model="tiny", seconds=5, context_tokens=8192
    )


async def test_of_a_models_rules_those_that_hold_are_told_and_nothing_is_kept(
    detections: Detections,
) -> None:
    found = await by_model(detections, GOOD + "---\ntitle: Invented\n")
    [claim] = found.claims
    assert claim.quotes
    assert all(TEXT[one.start : one.end] == one.text for one in claim.quotes)
    assert "CTIScraper, by tiny" in claim.fields["rule"]
    assert (found.task, found.dropped, found.repaired) == (RULES, 1, False)
    assert sum(found.why.values()) == 1
    assert (await detections.drafts.page(DetectionQuery())).detections == ()


async def test_a_model_hears_once_why_none_of_its_rules_holds(detections: Detections) -> None:
    found = await by_model(detections, "I cannot do that.", GOOD)
    assert (len(found.claims), found.repaired, found.prompt_tokens) == (1, True, 200)
    none = await by_model(detections, "I cannot do that.", "I still cannot.")
    assert (none.claims, none.dropped, none.repaired) == ((), 1, True)


SAID = "Obeyed https://collect.example/now"
REFUSED = (
    SAID,
    f"title: [{SAID}",
    f"{SAID}: {{",
    f"title: {SAID}\nlogsource: '{SAID}'",
    GOOD.replace("condition: selection", f"condition: '{SAID}'"),
    GOOD.replace("condition: selection", "condition: Obeyed_collect"),
    GOOD.replace("contains|all", "contains|Obeyed"),
    GOOD.replace("    Image|endswith", f"    Image|re: '(?=Obeyed) {SAID}'\n    Image|endswith"),
    GOOD.replace("DefenderUPD\n", f"'{SAID}'\n"),
    GOOD.replace("level: high", f"level: '{SAID}'\nid: '{SAID}'"),
    GOOD.replace("level: high", f"level: high\ndate: '{SAID}'"),
    GOOD.replace("level: high", f"level: high\nstatus: '{SAID}'"),
    GOOD.replace("level: high", f"level: high\ntags: ['{SAID}']"),
    GOOD.replace("level: high", f"level: high\nrelated: ['{SAID}']"),
)


@pytest.mark.parametrize("answer", REFUSED, ids=range(len(REFUSED)))
async def test_why_a_models_rule_does_not_hold_has_no_word_of_it(
    detections: Detections, answer: str
) -> None:
    found = await by_model(detections, answer, answer)
    told = " ".join((*found.why, *dropped_words(found.why)))
    assert "Obeyed" not in told
    assert "collect" not in told
    assert set(found.why) <= {*Flaw}
    assert len(found.claims) + found.dropped > 0


async def test_whoever_checks_a_rule_of_his_own_reads_the_very_message(
    detections: Detections,
) -> None:
    found = await detections.check(GOOD.replace("condition: selection", "condition: mine"))
    assert "mine" in found.issues[0].what


async def test_rules_of_a_model_are_added_beside_templates_when_somebody_says_so(
    detections: Detections,
) -> None:
    asked = view(await by_model(detections, GOOD))
    made = await detections.keep_by_model(asked, by="ann")
    [one] = made.detections
    assert (made.added, one.origin, one.model, one.valid) == (1, Origin.MODEL, "tiny", True)
    whole = await detections.drafts.get(one.id)
    assert whole.prompt == asked.prompt_version
    assert whole.yaml == asked.claims[0].fields["rule"]
    assert [text.made_by for text in whole.versions] == ["ann"]
    assert (await detections.keep_by_model(asked, by="ann")).added == 0
    assert len((await detections.draft(1, by="ann")).detections) == 5


async def test_rules_are_proved_anew_on_the_text_of_now(
    detections: Detections, database: str
) -> None:
    asked = view(await by_model(detections, GOOD))
    Shelf(database).run("UPDATE article SET text = 'Something else.' WHERE id = 1")
    made = await detections.keep_by_model(asked, by="ann")
    assert (made.added, made.detections) == (0, ())
    [refused] = made.refused
    assert (refused.quote, refused.reason) == (
        "",
        "a rule of the model looked for what the article does not have",
    )


async def test_what_has_no_rules_is_no_detection(detections: Detections) -> None:
    found = await by_model(detections, GOOD)
    for asked in (view(found, claims=()), view(found, task="summary")):
        with pytest.raises(ConflictError, match="analysis 5 has no rules"):
            await detections.keep_by_model(asked, by="ann")
    with pytest.raises(NotFoundError):
        await detections.keep_by_model(view(found, article_id=99), by="ann")


HOSTILE = (
    "title: x\nlogsource:\n  category: process_creation\ndetection:\n  s:\n"
    "    CommandLine|windash|contains: '" + " -a" * 22 + "'\n  condition: s\n",
    "title: x\nlogsource:\n  category: process_creation\ndetection:\n  s:\n    A: b\n"
    "  condition: " + "(" * 3_000 + "s" + ")" * 3_000 + "\n",
    "title: x\nlogsource:\n  category: process_creation\ndetection:\n  s:\n"
    "    CommandLine|re: '" + "(" * 400 + "a" + "+)" * 400 + "b'\n  condition: s\n",
    "a: &a [x]\nb: [*a, *a]\n",
    "x" * 200_000,
    "\0\ufffd",
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_rules_are_answered_in_time(detections: Detections, text: str) -> None:
    found = None
    with suppress(InputError):
        found = await detections.check(text)
    assert found is None or found.rule.title in {"", "x"}
    query = await detections.convert(GOOD, Target.KQL)
    assert "DefenderUPD" in query.text
