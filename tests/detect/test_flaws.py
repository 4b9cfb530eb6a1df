"""Why rules cannot be used is a kind from a closed list, whatever they say."""

import pytest

from ctiscraper.detect.checking import check
from ctiscraper.detect.drafted import Event
from ctiscraper.detect.flaws import Flaw, RuleError, flaw_of
from ctiscraper.detect.reading import read_rule
from detect.test_checking import EVIL, WHOLE
from detect.test_reading import LAUGHS, RULE


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("title: [", Flaw.NO_YAML),
        ("title: Obeyed\n", Flaw.NO_RULE),
        ("- a", Flaw.NO_RULE),
        (LAUGHS, Flaw.NOT_TAKEN),
        (f"{RULE}---\n{RULE}", Flaw.NOT_TAKEN),
        ("correlation: Obeyed\n", Flaw.NOT_TAKEN),
        (RULE.replace("contains: evil", "windash|contains: ' -a -b -c -d -e -f'"), Flaw.NOT_TAKEN),
    ],
)
def test_what_cannot_be_read_has_its_kind(text: str, flaw: Flaw) -> None:
    with pytest.raises(RuleError) as caught:
        read_rule(text)
    assert caught.value.flaw is flaw


@pytest.mark.parametrize(
    ("text", "events", "flaw"),
    [
        (WHOLE, [EVIL], None),
        (RULE, [EVIL], Flaw.INVALID),
        (WHOLE.replace("evil", "a"), [EVIL], Flaw.TOO_GENERAL),
        (WHOLE.replace("|contains: evil", "|re: '(?=a)b'"), [EVIL], Flaw.NOT_TRIED),
        (WHOLE.replace("evil", "ipconfig"), [EVIL], Flaw.ORDINARY),
        (WHOLE, [], Flaw.NOTHING_SHOWN),
        (WHOLE.replace("evil", "obeyed"), [EVIL], Flaw.NO_MATCH),
    ],
)
def test_what_was_found_out_has_its_kind(text: str, events: list[Event], flaw: Flaw | None) -> None:
    found = flaw_of(check(text, events))
    assert (found[0] if found else None) is flaw
