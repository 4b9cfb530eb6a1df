"""What pages say of the language of searches."""

from collections.abc import Iterator

from ctiscraper.views import Snippet

HELP = (
    ("lateral movement", "both words, in any of their forms"),
    ('"lateral movement"', "the words side by side"),
    ("ransomware OR extortion", "either; AND is understood between words"),
    ("loader -advertisement", "without a word; NOT does the same"),
    ("(loader OR dropper) powershell", "groups; powershell finds powershell.exe too"),
    ("ransom*", "every word that begins so"),
    ("evil[.]example", "an address, defanged or not; also a path, hash or registry key"),
    ('actor:"Lazarus Group"', "who it names, under any of their names"),
    ('malware:"Cobalt Strike"', "malware, ransomware or a tool, under any of its names"),
    ("attack:T1059", "a technique of ATT&CK and those below it"),
    ("cve:CVE-2026-12345", "a vulnerability"),
    ("ioc:evil[.]example", "an indicator as it was recognised, in any spelling"),
    ("source:acme tier:premium", "where it comes from; -source: leaves one out"),
    ("tag:apt lang:en", "a label of the publisher or the team; the language"),
    ("is:unread starred:yes", "what you have not read, what you starred; also is:read, is:new"),
    ("state:review assignee:me", "new, review, done or ignored; whose it is, or nobody"),
    ("score>=70", "a score from 0 to 100; also >, < and <="),
    ("after:7d before:2026-11-01", "listed since then, before then; 12h, 7d, 2w, 3m, 1y ago"),
)
"""Examples of searches, and what each finds."""


def pieces(snippet: Snippet) -> Iterator[tuple[str, bool]]:
    """Yield the words of a snippet in pieces, each with whether the search matched it."""
    end = 0
    for start, stop in snippet.marks:
        yield snippet.text[end:start], False
        yield snippet.text[start:stop], True
        end = stop
    yield snippet.text[end:], False


def sentence(said: object) -> str:
    """Return what was said as a sentence."""
    text = str(said)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"
