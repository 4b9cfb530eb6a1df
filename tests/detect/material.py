"""An article as rules are drafted from it."""

from ctiscraper.detect.drafted import Material, Trace

COMMAND = r'schtasks.exe /create /sc ONLOGON /tn "DefenderUPD" /tr "C:\ProgramData\AclHost\run.exe"'
TEXT = f"""The intruder ran {COMMAND} for persistence (T1053.005).

Then powershell -w hidden -ep bypass -c Sync-Folders was seen. The key
HKLM\\SOFTWARE\\AclHost\\Config\\Beacon held the address evil.example and the file
C:\\ProgramData\\AclHost\\AclNums.dll was dropped, with
reg add "HKLM\\SOFTWARE\\Policies\\Acl" /v DisableIt /t REG_DWORD /d 1 /f run by hand.
"""
SHA256 = "0" * 63 + "1"


def trace(kind: str, words: str, text: str = TEXT, verdict: str = "", value: str = "") -> Trace:
    """A trace where a text has these words."""
    start = text.index(words)
    return Trace(
        kind=kind, value=value or words, start=start, end=start + len(words), verdict=verdict
    )


def command(line: str) -> Trace:
    """A command line that is the whole of a text."""
    return Trace(kind="command_line", value=line, start=0, end=len(line))


def material(*traces: Trace, text: str = TEXT, **changes: object) -> Material:
    """An article that names these."""
    values: dict[str, object] = {
        "text": text,
        "title": "A report",
        "url": "https://acme.example/a/one",
        "day": "2026-11-20",
        "author": "CTIScraper",
        "traces": traces,
        "techniques": (("T1053.005", text.find("T1053.005"), text.find("T1053.005") + 9),)
        if "T1053.005" in text
        else (),
    }
    return Material(**{**values, **changes})  # type: ignore[arg-type]  # a builder


def report(**changes: object) -> Material:
    """The article of these tests with all that it names."""
    return material(
        trace("command_line", COMMAND),
        trace("command_line", "powershell -w hidden -ep bypass -c Sync-Folders"),
        trace(
            "command_line",
            'reg add "HKLM\\SOFTWARE\\Policies\\Acl" /v DisableIt /t REG_DWORD /d 1 /f',
        ),
        trace("registry_key", "HKLM\\SOFTWARE\\AclHost\\Config\\Beacon"),
        trace("domain", "evil.example", verdict="malicious"),
        trace("file_path", "C:\\ProgramData\\AclHost\\AclNums.dll"),
        **changes,  # type: ignore[arg-type]  # a builder
    )
