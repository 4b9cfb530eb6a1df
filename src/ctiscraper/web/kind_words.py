"""What readers call the kinds of things that articles name, and how pages group them."""

import re
from dataclasses import dataclass

from ctiscraper.defang import defang
from ctiscraper.enrich.domains import is_domain, is_written_as_domain
from ctiscraper.entity_views import EntitySummary
from ctiscraper.story_views import EntityRef

_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_HOST = re.compile(r"[^\s/:@.]{1,63}(?:\.[^\s/:@.]{1,63})+")


@dataclass(frozen=True, slots=True)
class KindGroup:
    """Kinds that belong together; all of a group have one colour."""

    name: str
    words: str
    kinds: dict[str, str]


GROUPS = (
    KindGroup(
        "behaviour", "Behaviour", {"technique": "ATT&CK technique"},
    ),
    KindGroup(
        "names", "Names",
        {
            "actor": "Threat actor", "malware": "Malware", "ransomware": "Ransomware",
            "tool": "Tool",
        },
    ),
    KindGroup("weakness", "Vulnerabilities", {"cve": "CVE"}),
    KindGroup(
        "network", "Network",
        {
            "ipv4": "IPv4 address", "ipv6": "IPv6 address", "cidr": "Network range",
            "domain": "Domain", "onion": "Onion service", "url": "URL", "email": "E-mail address",
            "asn": "Autonomous system", "mac": "MAC address", "ja3": "JA3", "ja4": "JA4",
            "user_agent": "User agent",
        },
    ),
    KindGroup(
        "files", "Files",
        {
            "md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512",
            "ssdeep": "ssdeep", "file_name": "File name", "file_path": "File path",
        },
    ),
    KindGroup(
        "host", "On the host",
        {"registry_key": "Registry key", "mutex": "Mutex", "command_line": "Command line"},
    ),
    KindGroup(
        "rules", "Detections",
        {"yara": "YARA rule", "sigma": "Sigma rule", "snort": "Snort rule", "query": "Query"},
    ),
    KindGroup("money", "Money", {"crypto_address": "Wallet address"}),
    KindGroup(
        "context", "Context",
        {
            "sector": "Sector", "country": "Country", "vendor": "Vendor", "product": "Product",
        },
    ),
)  # fmt: skip
_WORDS = {kind: words for group in GROUPS for kind, words in group.kinds.items()}
_GROUP = {kind: group.name for group in GROUPS for kind in group.kinds}
_ORDER = {kind: number for number, kind in enumerate(_WORDS)}
NOT_JUDGED = frozenset(
    kind for group in GROUPS if group.name in ("behaviour", "names", "context")
    for kind in group.kinds
)  # fmt: skip
"""Kinds that carry no verdict: neither is a technique malicious nor a country benign."""


def kind_words(kind: str) -> str:
    """Return what a kind is called; one from the future by its own name."""
    return _WORDS.get(kind) or kind.replace("_", " ").capitalize()


def kind_group(kind: str) -> str:
    """Return the group of a kind."""
    return _GROUP.get(kind, "other")


def kind_order(kind: str) -> int:
    """Return where a kind stands in lists."""
    return _ORDER.get(kind, len(_ORDER))


def shown(entity: EntitySummary | EntityRef) -> str:
    """Return a thing as pages call it: its name, else its value, defanged."""
    if entity.kind == "technique" and entity.name:
        return f"{entity.value} {entity.name}"
    return entity.name or defang(entity.kind, entity.value)


def spelled(words: str) -> str:
    """Return words whose kind is not known; what is an address alone is shown as one."""
    if "://" in words:
        return defang("url", words)
    if _IPV4.fullmatch(words):
        return defang("ipv4", words)
    named = _HOST.fullmatch(words) and is_domain(words.lower()) and is_written_as_domain(words)
    return defang("domain", words) if named else words
