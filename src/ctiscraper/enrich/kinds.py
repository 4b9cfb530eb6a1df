"""The kinds of observables, and what one found in a text is."""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What sort of thing was seen; names follow STIX 2.1 where it has one."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    CIDR = "cidr"
    DOMAIN = "domain"
    ONION = "onion"
    URL = "url"
    EMAIL = "email"
    MD5 = "md5"
    SHA1 = "sha1"
    SHA256 = "sha256"
    SHA512 = "sha512"
    SSDEEP = "ssdeep"
    CVE = "cve"
    ATTACK = "attack"
    ASN = "asn"
    MAC = "mac"
    FILE_NAME = "file_name"
    FILE_PATH = "file_path"
    REGISTRY_KEY = "registry_key"
    MUTEX = "mutex"
    USER_AGENT = "user_agent"
    COMMAND_LINE = "command_line"
    JA3 = "ja3"
    JA4 = "ja4"
    CRYPTO_ADDRESS = "crypto_address"
    YARA = "yara"
    SIGMA = "sigma"
    SNORT = "snort"
    QUERY = "query"


NETWORK = frozenset(
    (Kind.IPV4, Kind.IPV6, Kind.CIDR, Kind.DOMAIN, Kind.ONION, Kind.URL, Kind.EMAIL)
)
"""The kinds that are addresses."""

HASHES = frozenset((Kind.MD5, Kind.SHA1, Kind.SHA256, Kind.SHA512, Kind.SSDEEP))
"""The kinds that are hashes of files."""


class Observable(msgspec.Struct, frozen=True):
    """One place of a text that names a thing: `text[start:end]` are its words, `value` is its form.

    `value` is refanged and normal, so that two places that name the same thing are equal in it.
    `listed` are the words of a heading or a column for which a host is told as a URL too.
    """

    kind: Kind
    value: str
    start: int
    end: int
    defanged: bool = False
    listed: str = ""
