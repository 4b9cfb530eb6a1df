"""Parts of detections have names of ours, and conditions stay what they were."""

import pytest

from ctiscraper.detect.flaws import Flaw, RuleError
from ctiscraper.detect.naming import renamed

PARTS: dict[object, object] = {"selection_img": 1, "selection_cli": 2, "Filter_Main": 3, "_own": 4}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("selection_img and not Filter_Main", "selection_1 and not filter"),
        ("1 of selection_*", "(selection_1 or selection_2)"),
        ("all of selection_* and not 1 of Filter*", "(selection_1 and selection_2) and not filter"),
        ("any of them", "(selection_1 or selection_2 or filter)"),
        ("1 of _*", "selection_3"),
        (
            "(selection_img OR _own)and(selection_cli)",
            "(selection_1 or selection_3) and (selection_2)",
        ),
        (["selection_img", "selection_cli"], "(selection_1) or (selection_2)"),
    ],
)
def test_a_condition_says_the_same_of_other_names(given: object, wanted: str) -> None:
    found = renamed({**PARTS, "condition": given, "timeframe": "Obeyed"})
    assert found == {
        "selection_1": 1,
        "selection_2": 2,
        "filter": 3,
        "selection_3": 4,
        "condition": wanted,
    }


def test_one_part_has_a_plain_name() -> None:
    assert renamed({"call_us": 1, "condition": "call_us"}) == {
        "selection": 1,
        "condition": "selection",
    }


@pytest.mark.parametrize(
    ("given", "flaw"),
    [
        ("selection_img and call_us", Flaw.NO_RULE),
        ("1 of call_*", Flaw.NO_RULE),
        ("selection_img | count() > 5", Flaw.NO_RULE),
        ("2 of them", Flaw.NO_RULE),
        (None, Flaw.NO_RULE),
        (" and ".join(["selection_img"] * 60), Flaw.NOT_TAKEN),
    ],
)
def test_what_no_condition_has_is_refused(given: object, flaw: Flaw) -> None:
    with pytest.raises(RuleError) as caught:
        renamed({**PARTS, "condition": given})
    assert caught.value.flaw is flaw


def test_a_rule_of_too_many_parts_is_refused() -> None:
    with pytest.raises(RuleError, match="at most 20 parts"):
        renamed({str(number): 1 for number in range(30)} | {"condition": "1 of them"})
