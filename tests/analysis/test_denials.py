"""A claim that says the contrary of the sentences it quotes is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.analysis.denials import contradicts

NEVER = "The report says that Scattered Lynx never exploited the flaw to run code on servers."
STOLEN = "They logged in with a stolen password of a contractor, as the VPN asked for no token."
DENIED = "Researchers denied that the Volt group broke into the grid; its claim to have is false."
PAID = "The group refused to pay and restored its systems from tapes within eleven days."
BOTH = "APT28 never used Mimikatz, but APT29 used Mimikatz."


@pytest.mark.parametrize(
    ("claim", "sentence"),
    [
        ("Scattered Lynx exploited the flaw.", NEVER),
        ("Scattered Lynx runs code on servers.", NEVER),
        ("The VPN asked for a token.", STOLEN),
        ("They did not log in with a password.", STOLEN),
        ("The Volt group broke into the grid.", DENIED),
        ("The Volt group broke into the grid.", "It is not true that the Volt group did."),
        ("The Volt group broke in.", "It was, as they say, wrong that the Volt group broke in."),
        ("The Volt group broke in.", "False: the Volt group broke in."),
        ("The Volt group broke in.", "There is no evidence that the Volt group broke in."),
        ("The Volt group broke in.", "The Volt group failed to break in."),
        ("The Volt group broke in.", "The attack of the Volt group was blocked."),
        ("The group agreed to pay.", PAID),
        ("APT28 used Mimikatz.", BOTH),
        ("They ran Mimikatz.", "They never ran PowerShell, Mimikatz, and a wiper."),
        ("They asked for a password.", "They ran commands without a password, for hours."),
        ("Attackers can execute code.", "Attackers can't execute code without a password."),
        ("No loader was sent.", "They sent mail with a loader."),
    ],
)
def test_the_contrary_of_a_sentence_is_told(claim: str, sentence: str) -> None:
    assert contradicts(claim, [sentence])


@pytest.mark.parametrize(
    ("claim", "sentence"),
    [
        ("Scattered Lynx never exploited the flaw.", NEVER),
        ("They logged in with the password of a contractor.", STOLEN),
        ("The VPN had no token.", STOLEN),
        ("The Volt group did not break into the grid.", DENIED),
        ("The group restored its systems from tapes.", PAID),
        ("The group did not pay.", PAID),
        ("APT29 used Mimikatz.", BOTH),
        ("Ryuk encrypts files.", "Ryuk does not spread by itself, but it encrypts files."),
        ("They ran commands for hours.", "They ran commands without a password, for hours."),
        (
            "They ran it without a password on Torvane gates.",
            "On Torvane gates they ran it without a password.",
        ),
        ("They stole mail.", "Not only did they steal mail, they sold it."),
        ("The bank was robbed.", "No later than in May the bank was robbed."),
        ("They deleted copies.", "They deleted copies to prevent recovery."),
        ("What it took was a value of false.", "What it took was a value: false."),
        ("", "They never came."),
        ("They came.", ""),
    ],
)
def test_what_agrees_with_a_sentence_is_no_contrary(claim: str, sentence: str) -> None:
    assert not contradicts(claim, [sentence])


WORDS = st.sampled_from([*NEVER.split(), *STOLEN.split(), *PAID.split(), "without", "(", ";", ","])


@given(st.lists(WORDS, max_size=40))
def test_no_sentence_is_the_contrary_of_itself(words: list[str]) -> None:
    sentence = " ".join(words)
    assert not contradicts(sentence, [sentence])


def test_long_sentences_take_no_long_time() -> None:
    for piece in (
        "not ",
        "and ",
        ", and a ",
        "did not x and ",
        "no a ",
        ": ",
        "without ",
        "without, ",
        ", which ",
    ):
        contradicts(piece * 100, [piece * 1_000])
