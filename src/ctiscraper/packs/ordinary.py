"""The words that mean something else in most texts than what the galaxies call by them."""

import re
from collections import Counter

import msgspec

from ctiscraper.packs.clusters import cluster
from ctiscraper.wording import own_words

# Clusters in plain language about other things than malware: what they have in lower case is a
# word of everyday language. Those about attacks have names of programs in lower case as well.
_PROSE = (
    "naics", "nace", "nice-framework-work_roles", "nice-framework-tasks",
    "nice-framework-knowledges", "nice-framework-skills", "disarm-techniques",
    "disarm-countermeasures", "disarm-detections", "first-csirt-services-framework",
    "sod-matrix", "cancer", "uavs", "firearms", "target-information", "intelligence-agencies",
    "surveillance-vendor", "china-defence-universities", "attck4fraud", "interpol-dwva",
    "election-guidelines",
)  # fmt: skip
_WORD = re.compile(r"[A-Za-z]{3,}")


class _Said(msgspec.Struct):
    value: str = ""
    description: str = ""


class _Prose(msgspec.Struct):
    values: list[_Said]


def ordinary_words(proper: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words of everyday language, and those of technology, both without `proper`."""
    found: Counter[str] = Counter()
    for name in _PROSE:
        for one in msgspec.json.decode(cluster(name), type=_Prose).values:
            for said in (one.value, one.description):
                found.update(word for word in _WORD.findall(said) if word.islower())
    own, technical = own_words()
    everyday = (frozenset(found) - technical) | own
    return everyday - proper, technical - everyday - proper
