"""A hunting score by keywords alone: lists of words, each list with less to give for every word.

It is shown beside huntability so that the two can be compared, and weighs nothing by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ctiscraper.enrich.terms import Terms

# Words that hardly stand in anything but the account of an intrusion.
_PERFECT = (
    "%appdata%", "%temp%", "-enc", "-encodedcommand", "-executionpolicy bypass",
    "-windowstyle hidden", "/dev/tcp", "/etc/cron.d", "/etc/ld.so.preload", "169.254.169.254",
    "4104", "4624", "4625", "4688", "4698", "7045", "add-mppreference", "alternate data stream",
    "amsi bypass", "appdata\\local", "appdata\\roaming", "assumerole", "authorized_keys",
    "bypass uac", "c2 traffic", "c:\\programdata", "c:\\users\\public", "c:\\windows\\system32",
    "c:\\windows\\temp", "child process", "clear-eventlog", "cloudtrail", "cmd /c", "cmd.exe /c",
    "comsvcs.dll", "consent grant", "createremotethread", "curl -o", "currentversion\\run",
    "dcsync", "disablerealtimemonitoring", "dll side-loading", "dll sideloading", "downloadstring",
    "event id", "eventid", "frombase64string", "getcalleridentity", "getprocaddress",
    "golden ticket", "grandparent process", "hkcu", "hkey_current_user", "hkey_local_machine",
    "hklm", "iex", "imds", "invoke-expression", "invoke-webrequest", "kerberoasting",
    "kubectl exec", "kusto", "ld_preload", "loadlibrary", "lolbin", "lolbins", "lsass", "lsass.exe",
    "mailbox rule", "msbuild", "mshta", "named pipe", "net group", "net use", "net user", "nltest",
    "ntds.dit", "parent process", "pass the hash", "procdump", "process tree", "reflective loading",
    "reg add", "regsvr32", "rundll32", "sc create", "scheduled task", "schtasks", "sekurlsa",
    "service principal", "service principals", "shadow copies", "shellcode", "sideloaded",
    "sigma rule", "sign-in logs", "spawning", "startup folder", "sysmon", "unbacked memory",
    "user-agent", "virtualalloc", "virtualprotect", "vssadmin delete", "wevtutil cl", "whoami /all",
    "wmic process", "writeprocessmemory", "wscript.exe", "yara rule",
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
    "access token", "adversary", "appdata", "archive", "args", "arguments", "attacker", "attackers",
    "autorun", "backdoor", "base64", "bat", "beacon", "beacons", "binaries", "binary",
    "browser credentials", "bypass", "c2", "c2 server", "child", "clipboard", "cobalt strike",
    "command", "command and control", "command line", "commands", "compiled", "compromised",
    "cookies", "credential dumping", "credential theft", "credentials", "cron job", "dat",
    "decoded", "decodes", "decoy", "decrypt", "decrypted", "decrypts", "defanged",
    "defense evasion", "deletes", "deobfuscated", "detection", "directory", "disables", "disguised",
    "dll", "dns", "docker", "domain", "domains", "download", "downloaded", "downloads", "dropped",
    "dropper", "drops", "dumped", "edr", "encoded", "encrypted", "endpoint", "enumeration", "exe",
    "executable", "execute", "executed", "executes", "executing", "execution", "exfiltrate",
    "exfiltrated", "exfiltration", "exploit", "exploited", "file name", "filename", "folder",
    "hardcoded", "hash", "hashes", "hijacking", "hta", "http post", "hunting", "iam role",
    "implant", "indicators of compromise", "infostealer", "inject", "injected", "injection",
    "injects", "installed", "intrusion", "ioc", "iocs", "ip address", "ip addresses", "iso",
    "javascript", "kernel driver", "keylogger", "lateral movement", "launched", "launches",
    "living off the land", "lnk", "loader", "macro", "malicious", "malware", "masquerade",
    "masquerading", "memory", "mfa fatigue", "mimikatz", "msi", "mutex", "oauth", "obfuscated",
    "obfuscation", "onion", "operator", "operators", "packed", "parameter", "payload",
    "persistence", "persistent", "phishing", "plugin", "port", "powershell script",
    "privilege escalation", "process injection", "proxy", "ps1", "python", "python script",
    "queries", "query", "ran", "ransomware", "rat", "reconnaissance", "redirected", "registry",
    "registry key", "remote access", "remote desktop", "renamed", "retrieves", "reverse shell",
    "rootkit", "run key", "sandbox evasion", "screenshots", "script", "scripts", "second stage",
    "server", "service", "sha256", "shell", "shellcode", "sideloading", "sign-in logs", "signed",
    "spawned", "ssh", "stager", "staging", "stealer", "string", "telemetry", "temp", "threat actor",
    "threat actors", "token theft", "trojan", "trojanized", "ttps", "tunnel", "url", "urls",
    "user agent", "vbs", "victim", "victims", "vpn", "web shell", "webshell", "window", "xor",
    "zip",
)  # fmt: skip
# Words of those who sell, announce and advise.
_NEGATIVE = (
    "advisory", "announced", "announcement", "appreciate", "article", "author", "award",
    "awareness", "best practices", "blog", "book a demo", "business", "business leaders",
    "businesses", "career", "ceo", "certification", "compliance", "conference", "contact",
    "contact us", "copyright", "credit", "customers", "cvss", "digital transformation", "disclosed",
    "disclosure", "earnings", "executive", "free trial", "funding", "gartner", "grateful", "hiring",
    "important", "industry-leading", "insights", "leaders", "learn more", "market", "mitigations",
    "newsletter", "organization", "organizations", "our partners", "our platform", "our solution",
    "our team", "partnership", "patch", "patched", "patches", "platform", "podcast", "policy",
    "press release", "pricing", "privacy policy", "product", "product update", "products",
    "protect", "read more", "recommend", "recommended", "register now", "release", "report",
    "report highlights", "researchers", "risk", "risks", "roi", "security advisories",
    "security team", "security teams", "severity", "should", "sign up", "solution", "solutions",
    "sponsored", "stakeholders", "stay tuned", "strategy", "subscribe", "survey", "thank you",
    "timeline", "today", "training course", "updates", "upgrade", "users", "vendor", "version",
    "vulnerabilities", "vulnerability", "we will", "webinar", "white paper",
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
