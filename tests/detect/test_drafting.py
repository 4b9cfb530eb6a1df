"""Rules drafted from what an article names: the same ones each time, with their evidence."""

import yaml
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.detect.assessing import assess
from ctiscraper.detect.drafted import Draft, Refused
from ctiscraper.detect.drafting import drafts_of, events_of, tags_of
from detect.material import COMMAND, SHA256, TEXT, command, material, report, trace


def by_title(drafts: list[Draft]) -> dict[str, dict[str, object]]:
    return {draft.title: yaml.safe_load(draft.yaml) for draft in drafts}


def rule_for(line: str) -> dict[str, object]:
    drafts, refused = drafts_of(material(command(line), text=line))
    assert drafts, refused
    found = yaml.safe_load(drafts[0].yaml)
    assert isinstance(found, dict)
    return found


def selection(line: str) -> object:
    found = rule_for(line)["detection"]
    assert isinstance(found, dict)
    return found["selection"]


def reasons(line: str) -> list[str]:
    drafts, refused = drafts_of(material(command(line), text=line))
    assert not drafts
    return [one.reason for one in refused]


def test_every_draft_has_its_parts_and_stands_where_it_says() -> None:
    drafts, _ = drafts_of(report())
    assert len(drafts) == 8
    for draft in drafts:
        rule = yaml.safe_load(draft.yaml)
        assert rule["id"] == draft.rule_id
        assert rule["status"] == "experimental"
        assert rule["references"] == ["https://acme.example/a/one"]
        assert str(rule["date"]) == "2026-11-20"
        assert rule["author"] == "CTIScraper"
        assert rule["falsepositives"]
        assert rule["level"] in {"low", "medium", "high"}
        assert draft.evidence
        for one in draft.evidence:
            assert TEXT[one.start : one.end] == one.quote
        assert draft.events


def test_drafting_again_gives_the_very_same_rules() -> None:
    assert drafts_of(report()) == drafts_of(report())
    other = drafts_of(report(url="https://acme.example/a/two"))[0]
    assert {one.rule_id for one in other}.isdisjoint(d.rule_id for d in drafts_of(report())[0])


def test_a_command_gives_its_program_and_what_stays_of_its_arguments() -> None:
    drafts, _ = drafts_of(report())
    rule = by_title(drafts)["Execution of schtasks With \\AclHost\\run.exe and DefenderUPD"]
    assert rule["logsource"] == {"category": "process_creation", "product": "windows"}
    assert rule["tags"] == ["attack.t1053.005"]
    assert rule["detection"] == {
        "selection": {
            "Image|endswith": "\\schtasks.exe",
            "CommandLine|contains|all": [
                " /create", " /sc", " ONLOGON", " /tn", "DefenderUPD", "\\AclHost\\run.exe",
            ],
        },
        "condition": "selection",
    }  # fmt: skip


def test_what_differs_from_one_machine_to_the_next_is_left_out() -> None:
    line = (
        r"tool.exe -u bob -p S3cret! --target 10.1.2.3 C:\Users\bob\AppData\Roaming\Acl\x.dll "
        r"{12345678-1234-1234-1234-123456789012} hxxp://evil[.]example/a /quietly"
    )
    found = yaml.safe_dump(selection(line))
    for gone in ("bob", "S3cret", "10.1.2.3", "12345678", "evil", "Users"):
        assert gone not in found
    assert r"\Acl\x.dll" in found
    assert "/quietly" in found


def test_shells_that_hand_on_are_looked_through() -> None:
    line = r'cmd.exe /c "nltest /domain_trusts /all_trusts"'
    assert selection(line) == {
        "Image|endswith": "\\nltest.exe",
        "CommandLine|contains|all": [" /domain_trusts", " /all_trusts"],
    }
    unix = "bash -c 'xmrig-worker --coin=monero --threads=4'"
    rule = rule_for(unix)
    assert rule["logsource"] == {"category": "process_creation", "product": "linux"}
    assert "/xmrig-worker" in str(rule["detection"])


def test_a_cmdlet_is_a_script_and_not_a_process() -> None:
    rule = rule_for(r"Add-MpPreference -ExclusionPath C:\ProgramData\AclHost -Force")
    assert rule["logsource"] == {"category": "ps_script", "product": "windows"}
    assert "Add-MpPreference" in str(rule["detection"])


def test_nothing_is_drafted_that_matches_what_everybody_runs() -> None:
    assert "every machine runs" in reasons("whoami")[0]
    assert "every machine runs" in reasons("cmd.exe /c systeminfo")[0]
    assert "run every day" in reasons("ipconfig /all")[0]
    assert "run every day" in reasons("net user bob P@ss1")[0]
    assert "nothing but the name" in reasons("msupdater.exe")[0]


def test_the_sentence_around_a_command_is_none_of_it() -> None:
    line = "AdFind.exe -gcb -sc trustdmp, while the other host was quiet and slow"
    assert selection(line) == {
        "Image|endswith": "\\AdFind.exe",
        "CommandLine|contains|all": [" -gcb", " -sc", " trustdmp"],
    }


def test_services_and_tasks_have_rules_of_their_own() -> None:
    drafts, _ = drafts_of(report())
    task = by_title(drafts)["Scheduled Task DefenderUPD Created"]
    assert task["logsource"] == {"product": "windows", "service": "security"}
    line = r'sc create AclSvc binPath= "C:\ProgramData\AclHost\svc.exe" start= auto'
    made, _ = drafts_of(material(command(line), text=line))
    service = by_title(made)["Service AclSvc Installed"]
    assert service["detection"] == {
        "selection": {
            "Provider_Name": "Service Control Manager", "EventID": 7045, "ServiceName": "AclSvc",
        },
        "condition": "selection",
    }  # fmt: skip


def test_registry_files_hosts_and_hashes() -> None:
    text = f"{SHA256} came from hxxps://evil.example/gate/in.php at 203.0.113.77 by evil.example"
    drafts, _ = drafts_of(
        material(
            trace("sha256", SHA256, text, "malicious"),
            trace(
                "url", "hxxps://evil.example/gate/in.php", text, "suspicious",
                "https://evil.example/gate/in.php",
            ),
            trace("ipv4", "203.0.113.77", text, "malicious"),
            trace("domain", "evil.example", text, "malicious"),
            text=text,
        )
    )  # fmt: skip
    found = {str(rule["logsource"]): rule["detection"] for rule in by_title(drafts).values()}
    assert found["{'category': 'process_creation', 'product': 'windows'}"] == {
        "selection": {"Hashes|contains": [f"SHA256={SHA256}"]},
        "condition": "selection",
    }
    assert found["{'category': 'dns_query'}"] == {
        "selection_host": {"QueryName": ["evil.example"]},
        "selection_below": {"QueryName|endswith": [".evil.example"]},
        "condition": "1 of selection_*",
    }
    assert "203.0.113.77" in str(found["{'category': 'network_connection'}"])
    assert "evil.example/gate/in.php" in str(found["{'category': 'proxy'}"])
    registry = by_title(drafts_of(report())[0])
    assert "Registry Beacon Set" in registry
    assert registry["Registry DisableIt Set to 0x00000001"]["detection"] == {
        "selection": {
            "TargetObject|endswith": "\\SOFTWARE\\Policies\\Acl\\DisableIt",
            "Details": "DWORD (0x00000001)",
        },
        "condition": "selection",
    }


def test_one_ordinary_value_is_left_out_and_does_not_cost_the_others_their_rule() -> None:
    url, usual = "https://evil.example/gate/in.php", "https://api.github.com/repos/team/app"
    dropped, common = "C:\\Users\\anna\\Work\\ab.dll", "C:\\Users\\anna\\Downloads\\setup.exe"
    text = f"{url} {usual} evil.example IPINFO.io 203.0.113.77 8.8.8.8 {dropped} {common}"
    found = assess(
        material(
            trace("domain", "evil.example", text, "malicious"),
            trace("domain", "IPINFO.io", text, "malicious"),
            trace("ipv4", "203.0.113.77", text, "malicious"),
            trace("ipv4", "8.8.8.8", text, "malicious"),
            trace("url", url, text, "malicious"),
            trace("url", usual, text, "malicious"),
            trace("file_path", dropped, text),
            trace("file_path", common, text),
            text=text,
        )
    )
    rules = "".join(draft.yaml for draft, _ in found.drafts)
    assert len(found.drafts) == 4
    assert all(value in rules for value in ("evil.example", "203.0.113.77", "in.php", "ab.dll"))
    ordinary = ("ipinfo", "8.8.8.8", "api.github.com", "setup.exe")
    assert not any(value in rules.lower() for value in ordinary)
    refused = [one.quote.lower() for one in found.refused if "in their logs" in one.reason]
    assert all(any(value in quote for quote in refused) for value in ordinary)
    assert len(refused) == len(ordinary)


def test_addresses_that_are_only_mentioned_give_no_rule() -> None:
    text = "see evil.example and 203.0.113.77"
    for verdict in ("mentioned", "benign", ""):
        found = drafts_of(
            material(
                trace("domain", "evil.example", text, verdict),
                trace("ipv4", "203.0.113.77", text, verdict),
                text=text,
            )
        )
        assert found == ([], [])


def test_a_key_where_everything_is_written_is_refused() -> None:
    text = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run"
    drafts, refused = drafts_of(material(trace("registry_key", text, text), text=text))
    assert not drafts
    assert "all the time" in refused[0].reason


def test_the_same_command_twice_is_one_draft_with_both_places() -> None:
    line = "nltest /domain_trusts"
    text = f"{line} and later {line}"
    again = trace("command_line", line, text)
    second = material(
        again,
        type(again)(kind="command_line", value=line, start=len(text) - len(line), end=len(text)),
        text=text,
    )
    [draft], _ = drafts_of(second)
    assert {event.start for event in draft.events} == {0, len(text) - len(line)}
    assert {one.quote for one in draft.evidence} == {"nltest", "/domain_trusts"}


def test_tags_are_of_the_words_beside_and_carry_the_marking() -> None:
    far = "T1059 at the top.\n\n" + "x " * 400 + COMMAND
    start = far.index(COMMAND)
    article = material(text=far, techniques=(("T1059", 0, 5),), tlp="amber")
    assert tags_of([(start, start + 5)], article) == ("tlp.amber",)
    assert tags_of([(6, 8)], article) == ("attack.t1059", "tlp.amber")


def test_every_event_of_an_article_is_there_for_rules_of_others() -> None:
    categories = {event.category or event.service for event in events_of(report())}
    assert categories == {
        "process_creation", "security", "registry_set", "file_event", "dns_query",
    }  # fmt: skip


@given(st.text(max_size=300))
def test_no_line_breaks_drafting(line: str) -> None:
    drafts, refused = drafts_of(material(command(line), text=line))
    for draft in drafts:
        assert yaml.safe_load(draft.yaml)["id"] == draft.rule_id
    assert all(isinstance(one, Refused) and one.reason for one in refused)


def test_accounts_and_their_passwords_stay_out_and_groups_stay_in() -> None:
    account = yaml.safe_dump(selection('net user svc_backup "Summer 2026" /add'))
    assert "Summer" not in account
    assert "svc_backup" not in account
    assert "/add" in account
    assert "Domain Admins" in str(selection('net group "Domain Admins" /domain'))
