"""What is found out about rules, and that drafts are handed on only with the proof."""

import pytest

from ctiscraper.detect import converting
from ctiscraper.detect.assessing import assess
from ctiscraper.detect.checking import check
from ctiscraper.detect.drafted import Event, Target
from ctiscraper.detect.flaws import Flaw, flaw_of
from ctiscraper.detect.replay import benign_events
from detect.material import command, material, report
from detect.test_reading import RULE

KNOWN = {"T1053.005": "", "T1059": "", "T9999": "T1059", "execution": ""}
WHOLE = RULE.replace(
    "title: A rule\n",
    "title: A rule\nid: b5e7c1d2-0000-4000-8000-000000000001\ndescription: It finds evil\n",
) + "level: high\n"  # fmt: skip
EVIL = Event(fields={"CommandLine": "run evil now"}, category="process_creation", product="windows")


def issues(text: str) -> list[str]:
    return [one.what for one in check(text, [EVIL], KNOWN).issues]


def test_a_whole_rule_has_no_issue_and_matches_what_it_is_for() -> None:
    found = check(WHOLE, [EVIL], KNOWN)
    assert found.issues == ()
    assert found.replay.is_whole
    assert found.replay.benign == sum(e.category == "process_creation" for e in benign_events())
    assert [one.target for one in found.queries] == list(Target)
    assert all("evil" in one.text for one in found.queries)
    assert flaw_of(found) is None


def test_every_draft_of_an_article_is_proved() -> None:
    found = assess(report(), KNOWN)
    assert len(found.drafts) == 7
    for draft, checked in found.drafts:
        assert checked.is_valid
        assert not checked.issues
        assert checked.replay.is_whole, draft.yaml
        assert all(query.text for query in checked.queries)
    [general] = [one for one in found.refused if "ordinary" in one.reason]
    assert general.quote.startswith("powershell")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WHOLE + "tags:\n  - attack.t1234\n", "ATT&CK has no t1234"),
        (WHOLE + "tags:\n  - attack.t9999\n", "in the place of T9999"),
        (WHOLE + "tags:\n  - wrong\n", "no"),
        (RULE, "it has no id"),
        (WHOLE.replace("evil", "a"), "nearly every event"),
        (WHOLE.replace("evil", "cmd.exe"), "cmd.exe alone"),
        (WHOLE.replace("  category: process_creation", "  definition: x"), ""),
        (WHOLE.replace("|contains: evil", "|re: '(?=a)b'"), "RE2"),
        (WHOLE.replace("condition: selection", "condition: missing"), "not defined"),
        (WHOLE.replace("condition: selection", "condition: selection and"), "Expected"),
        ("title: [", "no YAML"),
    ],
)
def test_faults_are_told(text: str, said: str) -> None:
    found = issues(text)
    assert found
    assert any(said in one for one in found), found


def test_tags_of_groups_and_software_are_not_looked_up() -> None:
    assert issues(WHOLE + "tags:\n  - attack.g0016\n  - attack.execution\n") == []


def test_a_rule_that_matches_ordinary_events_says_which() -> None:
    found = check(WHOLE.replace("evil", "'ipconfig'"), [EVIL], KNOWN)
    assert found.replay.benign_matched >= 5
    assert "ipconfig" in found.replay.false_hits[0]
    assert _told(flaw_of(found)) == (Flaw.ORDINARY, "it matches ordinary events as well")


def test_a_rule_of_another_log_is_tried_on_none_of_these() -> None:
    found = check(WHOLE.replace("process_creation", "dns_query"), [EVIL], KNOWN)
    assert (found.replay.matched, found.replay.benign_matched) == (0, 0)
    assert _told(flaw_of(found)) == (Flaw.NO_MATCH, "it matches nothing of what the article shows")


def test_what_a_language_cannot_say_is_told_and_the_others_are_given() -> None:
    text = WHOLE.replace("category: process_creation", "category: nothing_known")
    found = {one.target: one for one in check(text, [EVIL]).queries}
    assert found[Target.SPLUNK].text
    assert found[Target.KQL].pipeline == "the fields of the rule"
    keyword = WHOLE.replace("    CommandLine|contains: evil", "    - evil\n    - worse")
    for one in check(keyword, [EVIL]).queries:
        assert bool(one.text) != bool(one.failure)


def test_a_query_that_no_console_takes_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converting, "MOST_QUERY", 10)
    assert "more than 10" in converting.convert(WHOLE, Target.SPLUNK).failure


def test_the_ordinary_events_are_many_and_of_every_log_that_is_drafted_for() -> None:
    events = benign_events()
    assert len(events) > 400
    logs = {event.category or event.service for event in events}
    drafted = {e.category or e.service for d, _ in assess(report()).drafts for e in d.events}
    assert drafted <= logs


def test_an_article_of_ordinary_commands_gives_nothing() -> None:
    lines = [
        event.fields["CommandLine"]
        for event in benign_events()
        if "CommandLine" in event.fields and event.product == "windows"
    ]
    # What a shell hands on runs as another program than it, which these events do not have.
    for line in (one for one in lines if "cmd" not in one and not one.startswith("ssh")):
        drafts = [draft for draft, _ in assess(material(command(line), text=line)).drafts]
        assert not [d for d in drafts if d.events[0].category == "process_creation"], line


def _told(flaw: tuple[Flaw, str] | None) -> tuple[Flaw, str] | None:
    return (flaw[0], flaw[1].partition(":")[0]) if flaw else None
