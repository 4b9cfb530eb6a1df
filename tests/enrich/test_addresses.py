"""Addresses, whose words count for nothing."""

import pytest

from ctiscraper.enrich.addresses import without_addresses


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "see https://evil.com/wp-admin/x?post=1 now",
            "see http_://evil.com/__-_____/_?____=_ now",
        ),
        ("hxxps[:]//evil[.]com/macros", "_____[:]//____[_]___/______"),
        ("script.google.com/macros", "script.google.com/______"),
        ("ssh-admin[.]evil[.]com", "___-_____[_]____[_]___"),
        ("mail admin-team@evil.com", "mail _____-____@evil.com"),
        ("in /wp-admin/ and /admin/templates", "in /__-_____/ and /_____/_________"),
    ],
)
def test_the_words_of_addresses_are_gone(text: str, left: str) -> None:
    assert without_addresses(text.encode()) == left.encode()


@pytest.mark.parametrize(
    "text",
    [
        "cmd.exe /c powershell.exe -enc",
        "del /f/q update.rar",
        "cat /etc/passwd and /tmp/admin/x",
        r"copy x \\host\admin$\x",
        "schtasks /create /tn x",
        "read and/or write",
        "Invoke-Mimikatz.ps1",
        "",
    ],
)
def test_commands_and_files_keep_their_words(text: str) -> None:
    assert without_addresses(text.encode()) == text.encode()
