"""What is known of a value by itself, told as reasons: its kind, its host, the warning lists."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from ctiscraper.enrich.domains import registrable
from ctiscraper.enrich.kinds import HASHES, Kind
from ctiscraper.enrich.listed import Hit
from ctiscraper.packs.meanings import Meaning

# Files that every Windows has; elsewhere than in its folders a path to one means something.
_WINDOWS = frozenset(
    """
    arp.exe at.exe attrib.exe bitsadmin.exe calc.exe certutil.exe cmd.exe conhost.exe control.exe
    cscript.exe csrss.exe dllhost.exe dwm.exe explorer.exe iexplore.exe installutil.exe ipconfig.exe
    kernel32.dll lsass.exe lsm.exe msbuild.exe mshta.exe msiexec.exe mstsc.exe net.exe net1.exe
    netsh.exe netstat.exe notepad.exe nslookup.exe ntdll.dll ntoskrnl.exe odbcconf.exe ping.exe
    powershell.exe powershell_ise.exe reg.exe regasm.exe regedit.exe regsvcs.exe regsvr32.exe
    rundll32.exe runtimebroker.exe sc.exe schtasks.exe searchindexer.exe services.exe smss.exe
    spoolsv.exe svchost.exe systeminfo.exe taskeng.exe taskhost.exe taskhostw.exe taskkill.exe
    tasklist.exe taskmgr.exe user32.dll userinit.exe vssadmin.exe wbadmin.exe werfault.exe
    wevtutil.exe whoami.exe wininet.dll wininit.exe winlogon.exe wmic.exe wmiprvse.exe ws2_32.dll
    wscript.exe wuauclt.exe
    """.split()  # noqa: SIM905 - read as words
)
_FOLDERS = ("\\windows\\system32\\", "\\windows\\syswow64\\", "\\windows\\", "%windir%\\",
            "%systemroot%\\")  # fmt: skip
# What reports send their readers to, and nobody attacks from.
_REFERENCES = frozenset(
    """
    any.run attack.mitre.org bleepingcomputer.com capec.mitre.org cert.gov.ua cert.org cisa.gov
    cve.mitre.org cve.org cwe.mitre.org d3fend.mitre.org doi.org exploit-db.com facebook.com
    hybrid-analysis.com ietf.org joesandbox.com krebsonsecurity.com linkedin.com
    malpedia.caad.fkie.fraunhofer.de
    misp-project.org misp.github.io msrc.microsoft.com learn.microsoft.com docs.microsoft.com
    nist.gov nvd.nist.gov oasis-open.org owasp.org reuters.com schema.org stixproject.github.io
    support.microsoft.com techcrunch.com thehackernews.com tria.ge twitter.com urlscan.io
    virustotal.com w3.org wikipedia.org wired.com x.com youtube.com zerodayinitiative.com
    """.split()  # noqa: SIM905 - read as words
)
_TIERS = {1_000: "1k", 10_000: "10k", 100_000: "100k", 1_000_000: "1m"}
# Below one of these anybody may have a name of his own: it says something of every host there.
_ANYWHERE = frozenset((Meaning.ABUSED, Meaning.SHARED, Meaning.RESERVED))
_MOST_LISTS = 3
_FEW = 100_000
_KINDS = {
    **dict.fromkeys(HASHES, "file_hash"),
    Kind.ONION: "onion_service",
    Kind.CRYPTO_ADDRESS: "wallet",
}


def known(kind: Kind, value: str, host: str, hits: Iterable[Hit], own: str) -> Iterator[str]:
    """Return what speaks for or against a value wherever it stands.

    `own` is the registered domain of the article's source.
    """
    if kind in _KINDS:
        yield _KINDS[kind]
    if kind in {Kind.FILE_NAME, Kind.FILE_PATH} and _is_of_windows(kind, value.lower()):
        yield "windows_file"
    owner = registrable(host) if host else None
    if owner is not None and owner == own:
        yield "own_host"
    if host and kind is not Kind.EMAIL and (host in _REFERENCES or owner in _REFERENCES):
        yield "reference_site"
    if kind is Kind.IPV6 and not ip_address(value).is_global:
        yield "reserved"
        return
    yield from _listed(kind, _telling(hits, host, owner))


def _is_of_windows(kind: Kind, value: str) -> bool:
    name = value.rpartition("\\")[2]
    return name in _WINDOWS and (
        kind is Kind.FILE_NAME or any(folder in value for folder in _FOLDERS)
    )


def _telling(hits: Iterable[Hit], host: str, owner: str | None) -> list[Hit]:
    """Return the lists that speak of a host: the registered domain above it may, a suffix not.

    Where anybody may have a name below another, what is above says nothing of it either.
    """
    hits = list(hits)
    if not host:
        return hits
    lent = any(hit.list.meaning is Meaning.ABUSED and hit.matched != host for hit in hits)
    least = len(host) if lent or owner is None else len(owner)
    return [hit for hit in hits if hit.list.meaning in _ANYWHERE or len(hit.matched) >= least]


def _listed(kind: Kind, hits: list[Hit]) -> Iterator[str]:
    by_meaning: dict[Meaning, list[Hit]] = {}
    for hit in hits:
        by_meaning.setdefault(hit.list.meaning, []).append(hit)
    popular = by_meaning.pop(Meaning.POPULAR, [])
    if kind is Kind.EMAIL:
        # Of a mailbox the host says little: anyone has one there.
        for meaning in set(by_meaning) - {Meaning.CONTACT, Meaning.SECURITY, Meaning.RESERVED}:
            del by_meaning[meaning]
        popular = []
    if Meaning.ABUSED in by_meaning and kind is not Kind.DOMAIN:
        for meaning in (Meaning.OFFICIAL, Meaning.SECURITY):
            by_meaning.pop(meaning, None)
    for meaning, those in by_meaning.items():
        names = [hit.list.id for hit in those[:_MOST_LISTS]]
        yield f"{meaning}:{' '.join(names)}"
    if popular:
        first = min(popular, key=lambda hit: hit.list.rank)
        if kind is not Kind.URL:
            yield f"popular_{_TIERS[first.list.rank]}:{first.list.id}"
        elif first.list.rank <= _FEW:
            yield f"popular_host:{first.list.id}"
