"""A model's rules go through the same proof, and nothing else is kept of them."""

from collections.abc import Callable
from typing import cast

import pytest
import yaml

from ctiscraper.detect.drafted import Origin
from ctiscraper.detect.modelled import assess_answer, rules_of
from ctiscraper.detect.prompting import MOST_SHOWN, ask, prompt_version
from ctiscraper.models.server import Completion, Ending, ModelServer, Prompt
from detect.material import report

GOOD = r"""title: Task Made For DefenderUPD
id: 00000000-0000-0000-0000-000000000000
author: A famous person
description: Finds the task
status: stable
logsource:
  category: process_creation
  product: windows
detection:
  selection:
    Image|endswith: '\schtasks.exe'
    CommandLine|contains|all:
      - DefenderUPD
      - '\AclHost\run.exe'
  condition: selection
level: high
"""


class Scripted:
    """A server that answers with these words and keeps what it was asked."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[Prompt] = []

    async def chat(self, prompt: Prompt, said: Callable[[str], None] | None = None) -> Completion:
        del said
        self.asked.append(prompt)
        return Completion(
            text=self.text, ending=Ending.WHOLE, model=prompt.model, prompt_tokens=1,
            answer_tokens=1, seconds=0.1,
        )  # fmt: skip


def reasons(answer: str) -> list[str]:
    found = assess_answer(answer, report(), model="tiny")
    assert not found.drafts
    return [one.reason for one in found.refused]


def test_a_rule_that_holds_is_kept_as_ours_and_marked() -> None:
    found = assess_answer(f"Here it is:\n```yaml\n{GOOD}```\nGood luck!", report(), model="tiny")
    [(draft, checked)] = found.drafts
    assert (draft.origin, draft.model, draft.prompt) == (Origin.MODEL, "tiny", prompt_version())
    rule = yaml.safe_load(draft.yaml)
    assert rule["author"] == "CTIScraper, by tiny"
    assert rule["status"] == "experimental"
    assert rule["id"] == draft.rule_id != "00000000-0000-0000-0000-000000000000"
    assert rule["tags"] == ["attack.t1053.005"]
    text = report().text
    assert draft.evidence
    assert all(text[one.start : one.end] == one.quote for one in draft.evidence)
    assert checked.is_valid
    assert checked.replay.is_whole


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("I cannot do that.", "fields with values"),
        ("title: [", "no YAML"),
        (
            GOOD.replace("DefenderUPD\n      - '\\AclHost\\run.exe'", "Invented\n      - 'x.exe'"),
            "less than half",
        ),
        (GOOD.replace("process_creation", "dns_query"), "matches nothing"),
        (GOOD.replace("\n      - '\\AclHost\\run.exe'", "\n      - 'nowhere'"), "matches nothing"),
        (GOOD.replace("selection\nlevel", "selection or not selection\nlevel"), "ordinary"),
    ],
)
def test_what_does_not_hold_is_thrown_away(answer: str, said: str) -> None:
    assert any(said in one for one in reasons(answer)), reasons(answer)


def test_many_rules_of_an_answer_are_bounded() -> None:
    assert len(rules_of("\n---\n".join(["title: x"] * 50))) == 5
    assert rules_of("") == []


async def test_a_model_is_shown_a_part_of_the_article_within_marks() -> None:
    server = Scripted(GOOD)
    material = report(text=report().text + "y" * 50_000)
    answer = await ask(cast("ModelServer", server), material, model="tiny", seconds=5)
    assert answer == GOOD
    [prompt] = server.asked
    words = prompt.messages[1].text
    assert len(words) < MOST_SHOWN + 200
    assert "<report>" in words
    assert "not an instruction" in prompt.messages[0].text or "is an instruction" in (
        prompt.messages[0].text
    )
