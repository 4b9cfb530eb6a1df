"""Distinct advisories written on one template, and edited copies of running text."""

import random

_VENDORS = ("Nordwind", "Acrilon", "Veltrano", "Quillbase", "Sundermeer", "Ostrava Systems")
_PRODUCTS = (
    "Edge Gateway", "Mail Relay", "Backup Server", "Badge Controller", "Log Collector",
    "VPN Concentrator", "Print Spooler", "Asset Tracker", "Web Console", "Patch Agent",
)  # fmt: skip
_FLAWS = (
    ("stack-based buffer overflow", "execute code in the context of the service account"),
    ("path traversal", "read files outside the document root"),
    ("improper authentication", "act as any user that signed in before"),
    ("SQL injection in the report filter", "read and change every record of the database"),
    ("deserialisation of untrusted data", "run a program of their choice"),
    ("server-side request forgery", "reach hosts of the internal network"),
)
_VOCABULARY = """
actor loader beacon server script payload analyst cluster campaign operator domain victim
archive lure stage implant traffic registry service process memory token session host
network email document macro command control resolver certificate sample timeline report
telemetry sensor detection rule hunting query window driver kernel handle thread module
"""
_WORDS = _VOCABULARY.split()


def advisory(number: int) -> str:
    """The text of one advisory: two thirds of it stand in every other one as well."""
    draw = random.Random(number)
    vendor, product = draw.choice(_VENDORS), draw.choice(_PRODUCTS)
    flaw, effect = draw.choice(_FLAWS)
    cve = f"CVE-2026-{20000 + number}"
    version = f"{draw.randint(1, 9)}.{draw.randint(0, 30)}.{draw.randint(0, 99)}"
    score = f"{draw.randint(40, 99) / 10}"
    addresses = "\n".join(
        f"- 198.51.{draw.randint(0, 255)}[.]{draw.randint(1, 254)}" for _ in range(6)
    )
    digests = "\n".join(f"- {draw.getrandbits(256):064x}" for _ in range(4))
    return f"""Advisory NCA-26-{number:04d}: {vendor} {product}

1. Executive summary

CVSS v3.1 base score {score}. Attention: exploitable remotely, low attack complexity.
Vendor: {vendor}. Equipment: {product}. Vulnerability: {flaw}.

2. Risk evaluation

Successful exploitation of this vulnerability could allow an attacker to {effect}.
The following versions are affected: {product} version {version} and earlier.

3. Technical details

{cve} has been assigned to this vulnerability. A CVSS v3.1 base score of {score} has been
calculated; the vector string is AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H.

4. Indicators of compromise

{addresses}
{digests}

5. Mitigations

Users should take defensive measures to reduce the risk of exploitation of this
vulnerability. Reduce the network exposure of all control system devices and make sure that
they cannot be reached from the internet. Place control networks and remote devices behind
firewalls and apart from business networks. When remote access is needed, use more secure
methods such as a virtual private network, keep that network up to date, and remember that it
is only as secure as the devices connected to it. Perform an impact analysis and a risk
assessment before you deploy defensive measures.

Further guidance on recommended practices stands on the pages of the centre, among them a
guide on defence in depth. Organisations that observe suspected malicious activity should
follow their internal procedures and report their findings so that they can be tracked and
correlated with other incidents. Do not click web links or open attachments of unsolicited
messages. No known public exploitation of this vulnerability has been reported to the centre
at this time. This vulnerability can be exploited remotely.

6. Update history

First publication of this advisory. This text is provided as is, for information only; the
centre gives no warranty of any kind about anything contained in it. Feedback is welcome.
"""


def prose(seed: int, words: int = 600) -> str:
    """Running text unlike that of any other seed."""
    draw = random.Random(seed)
    sentences = []
    left = words
    while left > 0:
        size = min(left, draw.randint(6, 18))
        left -= size
        sentences.append(" ".join(draw.choices(_WORDS, k=size)).capitalize() + ".")
    return " ".join(sentences)


def edited(text: str, share: float, seed: int) -> str:
    """The text with that share of its words replaced."""
    draw = random.Random(seed)
    words = text.split(" ")
    for place in draw.sample(range(len(words)), int(share * len(words))):
        words[place] = f"edit{draw.randint(0, 10**6)}x"
    return " ".join(words)
