"""What it says of a value that a warning list has it: each list has one meaning."""

from enum import StrEnum


class Meaning(StrEnum):
    """What a warning list says of what is in it."""

    RESERVED = "reserved"
    """Stands for nobody: private and documentation networks, example names, empty files."""
    HARMLESS = "harmless"
    """Files that are known and good."""
    OFFICIAL = "official"
    """Run by a known organisation for its own services."""
    SECURITY = "security"
    """Run by those who defend: vendors' sites, services that analyse."""
    SCANNER = "scanner"
    """Scans the internet for research."""
    SINKHOLE = "sinkhole"
    """Taken from its owner, or up for sale: what a name points at when nobody uses it."""
    CONTACT = "contact"
    """Addresses that reports name to be written to."""
    POPULAR = "popular"
    """Among the sites that most people visit."""
    SERVICE = "service"
    """Serves everybody, intruders too: public resolvers, services that tell one's address."""
    SHARED = "shared"
    """Networks that many share: clouds, distribution networks, mail and VPN providers."""
    ABUSED = "abused"
    """Lets anyone put something there, which is often bad: the name itself is not."""
    LISTED = "listed"
    """A list that nothing is known of."""


_TOLD = {
    Meaning.RESERVED: """
        common-ioc-false-positive eicar.com empty-hashes ipv6-linklocal multicast rfc1918 rfc3849
        rfc5735 rfc6598 rfc6761
    """,
    Meaning.HARMLESS: "mozilla-CA mozilla-IntermediateCA nioc-filehash ti-falsepositives",
    Meaning.OFFICIAL: """
        apple bank-website captive-portals covid covid-19-cyber-threat-coalition-whitelist
        covid-19-krassi-whitelist crl-hostname crl-ip dax30 google google-gmail-sending-ips
        googlebot microsoft microsoft-office365 microsoft-office365-cn microsoft-office365-ip
        microsoft-win10-connection-endpoints openai-gptbot university_domains wikimedia
    """,
    Meaning.SECURITY: """
        automated-malware-analysis microsoft-attack-simulator security-provider-blogpost
        umbrella-blockpage-hostname umbrella-blockpage-v4 umbrella-blockpage-v6
    """,
    Meaning.SCANNER: "check-host-net shadowserver tenable-cloud-ipv4 tenable-cloud-ipv6",
    Meaning.SINKHOLE: "parking-domain parking-domain-ns sinkholes",
    Meaning.CONTACT: "common-contact-emails",
    Meaning.SERVICE: """
        findip-host public-dns-hostname public-dns-v4 public-dns-v6 whats-my-ip
    """,
    Meaning.SHARED: """
        akamai amazon-aws cloudflare fastly github google-gcp microsoft-azure microsoft-azure-china
        microsoft-azure-germany microsoft-azure-us-gov ovh-cluster smtp-receiving-ips
        smtp-sending-ips stackpath vpn-ipv4 vpn-ipv6 zscaler
    """,
    Meaning.ABUSED: """
        digitalside disposable-email dynamic-dns link-in-bio lots-project public-ipfs-gateways
        url-shortener
    """,
}
_MEANINGS = {name: meaning for meaning, names in _TOLD.items() for name in names.split()}
# How many sites each list of popular ones holds of those that come before all others.
_RANKS = {
    "alexa": 1_000, "cisco_top1000": 1_000, "moz-top500": 1_000,
    "cisco_top5k": 10_000, "cisco_top10k": 10_000, "majestic_million": 10_000, "tranco10k": 10_000,
    "cisco_top20k": 100_000,
    "google-chrome-crux-1million": 1_000_000, "tranco": 1_000_000,
}  # fmt: skip
_SCANNERS = ("-scanning", "-scanner")


def meaning_of(name: str) -> tuple[Meaning, int]:
    """Return what a list of this short name says, and of popular sites how many come before."""
    if name in _RANKS:
        return Meaning.POPULAR, _RANKS[name]
    if name.endswith(_SCANNERS):
        return Meaning.SCANNER, 0
    return _MEANINGS.get(name, Meaning.LISTED), 0
