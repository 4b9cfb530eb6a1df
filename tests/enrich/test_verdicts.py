"""Verdicts: nothing is left out, each says why, and what is shown among indicators is one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctiscraper.enrich.features import FEATURES, feature_of, points_of, verdict_of
from ctiscraper.enrich.kinds import Kind, Observable
from ctiscraper.enrich.observables import find_observables
from ctiscraper.enrich.verdicts import Verdicts, notes_on
from ctiscraper.intelligence import MOST_MENTIONS, MOST_PLACES, Extractor, Mention, Verdict

SOURCE = "blog.harbourlight.io"


def judged(
    verdicts: Verdicts, text: str, html: str = "", source: str = SOURCE
) -> dict[str, Mention]:
    found = find_observables(text)
    url = f"https://{SOURCE}/post"
    return {one.value: one for one in verdicts.judge(text, html, found, url, source)}


def names(mention: Mention) -> set[str]:
    return {reason.partition(":")[0] for reason in mention.reasons}


IOCS = "Words.\n\nIndicators of compromise\n\n"


def test_a_defanged_value_in_a_table_of_indicators_is_malicious(verdicts: Verdicts) -> None:
    text = f"{IOCS}Type | Indicator\nC2 | kestrel-update[.]com"
    mention = judged(verdicts, text)["kestrel-update.com"]
    assert mention.verdict is Verdict.MALICIOUS
    assert mention.reasons == (
        "defanged",
        "indicators:Indicators of compromise",
        "header:Type Indicator",
        "attack:c2",
    )


def test_a_value_that_is_only_named_is_mentioned_and_has_its_place(verdicts: Verdicts) -> None:
    text = "They met at old-routers.dev and went home. old-routers.dev is theirs."
    mention = judged(verdicts, text)["old-routers.dev"]
    assert mention == Mention(
        kind=Kind.DOMAIN,
        value="old-routers.dev",
        extractor=Extractor.OBSERVABLES,
        places=((12, 27), (43, 58)),
        count=2,
        host="old-routers.dev",
        verdict=Verdict.MENTIONED,
        reasons=(),
    )


@pytest.mark.parametrize(
    ("text", "value", "why"),
    [
        ("The router is at 192.168.1.1 by default.", "192.168.1.1", "reserved"),
        ("It asks 2001:db8::7 for it.", "2001:db8::7", "reserved"),
        ("It listens on fd00:0:0:1::1 there.", "fd00:0:0:1::1", "reserved"),
        ("See www.example.com for it.", "www.example.com", "reserved"),
        ("The empty d41d8cd98f00b204e9800998ecf8427e file.", "d41d8cd98f00b204e9800998ecf8427e",
         "reserved"),
        ("It looked like google.com to them.", "google.com", "popular_1k"),
        ("Our post, blog.harbourlight.io/first, says so.", "http://blog.harbourlight.io/first",
         "own_host"),
        ("Ask www.harbourlight.io for it.", "www.harbourlight.io", "own_host"),
        ("Details are at https://nvd.nist.gov/vuln/x now.", "https://nvd.nist.gov/vuln/x",
         "reference_site"),
        ("Write to abuse@old-routers.dev about it.", "abuse@old-routers.dev", "contact"),
        ("It starts rundll32.exe for it.", "rundll32.exe", "windows_file"),
        ("It starts C:\\Windows\\System32\\cmd.exe then", "C:\\Windows\\System32\\cmd.exe",
         "windows_file"),
    ],
)  # fmt: skip
def test_what_is_known_to_be_good_is_benign(
    verdicts: Verdicts, text: str, value: str, why: str
) -> None:
    mention = judged(verdicts, text)[value]
    assert mention.verdict is Verdict.BENIGN
    assert why in names(mention)


def test_a_windows_name_elsewhere_is_not_of_windows(verdicts: Verdicts) -> None:
    mention = judged(verdicts, "It drops C:\\ProgramData\\svchost.exe there")
    assert "windows_file" not in names(mention["C:\\ProgramData\\svchost.exe"])


def test_a_listed_value_that_is_used_in_an_attack_stays_suspicious(verdicts: Verdicts) -> None:
    text = f"{IOCS}Type | Indicator\nHost | updates.microsoft[.]com"
    mention = judged(verdicts, text)["updates.microsoft.com"]
    assert mention.verdict is Verdict.SUSPICIOUS
    assert {"defanged", "indicators", "official", "clearly_used"} <= names(mention)


def test_what_is_reserved_stays_benign_wherever_it_stands(verdicts: Verdicts) -> None:
    mention = judged(verdicts, f"{IOCS}Type | IP\nHost | 10[.]1[.]2[.]3")["10.1.2.3"]
    assert mention.verdict is Verdict.BENIGN


def test_a_page_where_anyone_may_write_can_be_bad_and_its_host_is_not(verdicts: Verdicts) -> None:
    text = f"{IOCS}- hxxps://raw.githubusercontent[.]com/x/y\n- evil7[.]duckdns[.]org\n- bit[.]ly"
    found = judged(verdicts, text)
    assert found["https://raw.githubusercontent.com/x/y"].verdict is Verdict.MALICIOUS
    assert found["evil7.duckdns.org"].verdict is Verdict.MALICIOUS
    assert found["bit.ly"].verdict is Verdict.SUSPICIOUS


def test_a_service_for_everybody_is_no_more_than_suspicious(verdicts: Verdicts) -> None:
    found = judged(verdicts, f"{IOCS}- ipecho[.]net\n- wtfismyip[.]com")
    assert {one.verdict for one in found.values()} == {Verdict.SUSPICIOUS}
    assert all("known_good" in one.reasons for one in found.values())


def test_a_live_link_to_read_is_not_accused(verdicts: Verdicts) -> None:
    text = f"{IOCS}kestrel-update[.]com\n\nReferences\n\n- https://old-routers.dev/kestrel"
    html = '<ul><li><a href="https://old-routers.dev/kestrel">https://old-routers.dev/kestrel</a>'
    assert judged(verdicts, text, html)["https://old-routers.dev/kestrel"].verdict is Verdict.BENIGN


def test_its_most_telling_place_speaks_for_a_value(verdicts: Verdicts) -> None:
    text = f"At first evil-host.top was seen.\n\n{IOCS}- evil-host[.]top"
    mention = judged(verdicts, text)["evil-host.top"]
    assert mention.verdict is Verdict.MALICIOUS
    assert mention.count == 2


def test_a_host_that_is_listed_as_a_url_bears_nothing_out(verdicts: Verdicts) -> None:
    found = judged(verdicts, "C2 servers\n\n- evil-host[.]top\n")
    assert {one.kind for one in found.values()} == {"domain", "url"}
    assert "as_url:C2 servers" in found["http://evil-host.top"].reasons
    assert not any("same_host" in names(one) for one in found.values())


def test_what_shares_a_host_with_an_indicator_is_told(verdicts: Verdicts) -> None:
    text = "The malware calls hxxp://cdn.evil-host[.]top/x. Then mail.evil-host.top is asked."
    found = judged(verdicts, text)
    assert "same_owner:evil-host.top" in found["mail.evil-host.top"].reasons
    text = "The malware calls evil-host[.]top. Then http://evil-host.top/y was downloaded."
    mention = judged(verdicts, text)["http://evil-host.top/y"]
    assert mention.reasons == ("attack:downloaded", "same_host:evil-host.top")
    assert mention.verdict is Verdict.SUSPICIOUS


@pytest.mark.parametrize("text", ["CVE-2024-21762", "T1059.001"])
def test_what_is_named_for_what_it_is_has_no_reasons(verdicts: Verdicts, text: str) -> None:
    [mention] = judged(verdicts, f"{IOCS}- {text}").values()
    assert (mention.verdict, mention.reasons) == (Verdict.MENTIONED, ())


def test_what_all_machines_have_is_no_more_than_suspicious(verdicts: Verdicts) -> None:
    text = f"{IOCS}Type | File name\nLoader | C:\\ProgramData\\k.dll"
    mention = judged(verdicts, text)["C:\\ProgramData\\k.dll"]
    assert mention.verdict is Verdict.SUSPICIOUS
    assert mention.reasons[-1] == "context_only"


def test_nothing_is_left_out_but_past_the_most_and_that_is_said(verdicts: Verdicts) -> None:
    found = [Observable(Kind.IPV4, f"11.0.{n // 256}.{n % 256}", n, n + 1) for n in range(6000)]
    mentions = verdicts.judge("x" * 6000, "", found, "https://a.dev/", "a.dev")
    assert len(mentions) == MOST_MENTIONS
    assert notes_on(found) == ("only the first 5000 of 6000 observables were kept",)
    assert notes_on(found[:5]) == ()
    same = [Observable(Kind.IPV4, "11.0.0.1", n, n + 1) for n in range(90)]
    [mention] = verdicts.judge("x" * 90, "", same, "https://a.dev/", "a.dev")
    assert (len(mention.places), mention.count) == (MOST_PLACES, 90)


def test_the_source_is_known_by_the_article_where_it_has_no_host(verdicts: Verdicts) -> None:
    found = judged(verdicts, "Ask www.harbourlight.io for it.", source="")
    assert names(found["www.harbourlight.io"]) == {"own_host"}


_PIECES = st.sampled_from(
    ["evil[.]top ", "a.dev ", "10.0.0.1 ", "\n", "IOCs\n", "malware ", "CVE-2024-1234 ", "| ", "- ",
     "hxxp://b[.]top/x ", "me@c.dev ", "cmd.exe /c dir ", "d41d8cd98f00b204e9800998ecf8427e "]
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(_PIECES, max_size=30).map("".join))
def test_every_thing_has_a_verdict_and_known_reasons(verdicts: Verdicts, text: str) -> None:
    found = find_observables(text)
    mentions = verdicts.judge(text, "", found, f"https://{SOURCE}/", SOURCE)
    assert {(one.kind, one.value) for one in mentions} == {(o.kind, o.value) for o in found}
    for one in mentions:
        assert one.verdict is not None
        assert None not in map(feature_of, one.reasons)
        assert all(text[start:end] for start, end in one.places)


def test_points_add_up_and_verdicts_follow_them() -> None:
    assert points_of(("defanged", "list", "popular_1m:tranco")) == pytest.approx(2.5)
    assert points_of(()) == 0
    told = {points: verdict_of(points) for points in (3.0, 2.9, 1.5, 1.4, 0.0, -1.9, -2.0)}
    assert [str(verdict)[:3] for verdict in told.values()] == [
        "mal", "sus", "sus", "men", "men", "men", "ben",
    ]  # fmt: skip
    assert all(feature.words for feature in FEATURES.values())
    assert feature_of("unheard_of:x") is None
