"""A hunting score by keywords alone: lists of words, each list with less to give for every word.

It is shown beside huntability so that the two can be compared, and weighs nothing by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ctiscraper.enrich.terms import Terms

# Words that hardly stand in anything but the account of an intrusion.
_PERFECT = (
    "-encodedcommand", "-enc", "-executionpolicy bypass", "-windowstyle hidden", "/dev/tcp",
    "/etc/cron.d", "/etc/ld.so.preload", "169.254.169.254", "4104", "4624",
    "4625", "4688", "4698", "7045", "alternate data stream", "amsi bypass", "appdata\\local",
    "appdata\\roaming", "assumerole", "authorized_keys", "c:\\programdata", "c:\\users\\public",
    "c:\\windows\\temp", "child process", "clear-eventlog", "cloudtrail", "cmd /c", "cmd.exe /c",
    "comsvcs.dll", "consent grant", "createremotethread", "currentversion\\run", "dcsync",
    "disablerealtimemonitoring", "downloadstring", "event id", "eventid", "frombase64string",
    "getcalleridentity", "golden ticket", "grandparent process", "hkcu", "hkey_current_user",
    "hkey_local_machine", "hklm", "iex", "invoke-expression", "invoke-webrequest", "kerberoasting",
    "kubectl exec", "ld_preload", "lsass", "lsass.exe", "mailbox rule", "named pipe", "net group",
    "net user", "net use", "nltest", "ntds.dit", "parent process", "pass the hash", "process tree",
    "procdump", "reflective loading", "sc create", "scheduled task", "schtasks", "sekurlsa",
    "service principal", "shadow copies", "sideloaded", "sigma rule", "sysmon", "unbacked memory",
    "virtualalloc", "vssadmin delete", "wevtutil cl", "whoami /all", "wmic process",
    "writeprocessmemory", "yara rule",
)  # fmt: skip
# Programs of the system that intruders use, on Windows, Linux and macOS and for clouds.
_EXECUTABLES = (
    "adfind.exe", "at.exe", "atbroker.exe", "attrib.exe", "aws.exe", "awscli", "bash", "bitsadmin",
    "bitsadmin.exe", "busybox", "cdb.exe", "certreq.exe", "certutil", "certutil.exe", "chattr",
    "chmod", "cmd.exe", "cmstp.exe", "conhost.exe", "control.exe", "crontab", "cscript",
    "cscript.exe", "csc.exe", "curl", "dd", "diskshadow.exe", "dllhost.exe", "esentutl.exe",
    "expand.exe", "explorer.exe", "extrac32.exe", "finger.exe", "forfiles.exe", "ftp.exe",
    "gcloud", "hh.exe", "icacls.exe", "ieexec.exe", "installutil.exe", "journalctl", "kubectl",
    "launchctl", "makecab.exe", "mavinject.exe", "msbuild.exe", "msdt.exe", "mshta", "mshta.exe",
    "msiexec", "msiexec.exe", "ncat", "net.exe", "net1.exe", "netcat", "netsh", "netsh.exe",
    "nohup", "ntdsutil.exe", "odbcconf.exe", "osascript", "pcalua.exe", "perl", "powershell",
    "powershell.exe", "psexec", "psexec.exe", "pwsh", "python3", "rclone", "reg.exe",
    "regasm.exe", "regsvcs.exe", "regsvr32", "regsvr32.exe", "robocopy.exe", "rundll32",
    "rundll32.exe", "sc.exe", "schtasks.exe", "scp", "services.exe", "socat", "ssh-keygen",
    "sudo", "svchost.exe", "systemctl", "systeminfo.exe", "taskkill.exe", "tasklist.exe",
    "vssadmin.exe", "wevtutil.exe", "wget", "whoami.exe", "winrm.vbs", "winword.exe", "wmic",
    "wmic.exe", "wscript", "wscript.exe", "xcopy.exe",
)  # fmt: skip
# Words of hunters and of those who describe intruders, which stand in other texts as well.
_GOOD = (
    "access token", "backdoor", "base64", "beacon", "c2", "cobalt strike", "command and control",
    "command line", "credential dumping", "credential theft", "cron job", "decoded", "defanged",
    "defense evasion", "deobfuscated", "detection", "dll", "dropper", "edr", "encoded",
    "enumeration", "exfiltrated", "exfiltration", "hash", "hunting", "iam role", "implant",
    "indicators of compromise", "infostealer", "injected", "injection", "ioc", "iocs", "keylogger",
    "lateral movement", "living off the land", "loader", "malware", "masquerading", "mfa fatigue",
    "mimikatz", "mutex", "oauth", "obfuscated", "payload", "persistence", "powershell script",
    "privilege escalation", "process injection", "ransomware", "reconnaissance", "registry",
    "registry key", "remote access", "reverse shell", "rootkit", "sandbox evasion", "sha256",
    "shellcode", "sign-in logs", "spawned", "stager", "telemetry", "threat actor", "token theft",
    "ttps", "user agent", "web shell", "webshell",
)  # fmt: skip
# Words of those who sell, announce and advise.
_NEGATIVE = (
    "appreciate", "award", "best practices", "book a demo", "business leaders", "career",
    "certification", "compliance", "conference", "contact us", "customers",
    "digital transformation", "earnings", "free trial", "funding", "gartner", "grateful",
    "hiring", "industry-leading",
    "learn more", "market", "newsletter", "our partners", "our platform", "our solution",
    "our team", "partnership", "podcast", "press release", "pricing", "product update",
    "register now", "report highlights", "roi", "sign up", "sponsored", "stakeholders", "subscribe",
    "survey", "thank you", "training course", "webinar", "white paper",
)  # fmt: skip

MOST_EVIDENCE = 40


@dataclass(frozen=True, slots=True)
class KeywordScore:
    """The score from 0 to 100, and the words that gave it or, in `against`, took from it."""

    score: float
    words: tuple[tuple[str, tuple[int, int]], ...]
    against: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _List:
    """A list of words: `most` is what all of them together would give."""

    words: Sequence[str]
    most: float


_LISTS = (
    _List(_PERFECT, 50.0), _List(_GOOD, 30.0), _List(_EXECUTABLES, 20.0), _List(_NEGATIVE, -30.0),
)  # fmt: skip
_WORDS = tuple((word, number) for number, one in enumerate(_LISTS) for word in one.words)
_TERMS = Terms([word for word, _ in _WORDS])
_NEXT = 0.7
"""What the next word of a list gives, as a share of what the one before it gave."""


def keyword_score(text: str) -> KeywordScore:
    """Return the score of a text: each word of a list gives less than the one before it."""
    found = sorted(_TERMS.find(text).items(), key=lambda one: one[1].places[0])
    hits: dict[int, list[tuple[str, tuple[int, int]]]] = {}
    for number, one in found:
        word, which = _WORDS[number]
        hits.setdefault(which, []).append((word, one.places[0]))
    total = sum(
        one.most * (1 - _NEXT ** len(hits.get(which, ()))) for which, one in enumerate(_LISTS)
    )
    words = [hit for which, one in enumerate(_LISTS) if one.most > 0 for hit in hits.get(which, ())]
    against = [word for word, _ in hits.get(len(_LISTS) - 1, ())]
    return KeywordScore(
        score=min(100.0, max(0.0, total)),
        words=tuple(words[:MOST_EVIDENCE]),
        against=tuple(against[:MOST_EVIDENCE]),
    )
