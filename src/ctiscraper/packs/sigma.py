"""Sigma rules: what they are called, what they are for, and where they came along, their text."""

import re
import zipfile
from collections.abc import Iterable, Iterator
from importlib.resources import files

import msgspec
import yaml

from ctiscraper.errors import PackError
from ctiscraper.packs.bounded import read_member
from ctiscraper.packs.info import PackInfo

NAME = "sigma"

MOST_RULES = 50_000
MOST_RULE = 1 << 20
MOST_BODIES = 128 << 20
_DRL = "DRL-1.1"
_NOTICE = (
    "Sigma rules are under the Detection Rule License 1.1 "
    "(https://github.com/SigmaHQ/Detection-Rule-License): whoever shows a rule or a match of it "
    "names its author."
)
_TECHNIQUE = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.IGNORECASE)
# The C loader takes seconds for what the other takes minutes for; wheels have it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class SigmaRule(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One rule; `techniques` are numbers of ATT&CK, `body` is its YAML or nothing."""

    id: str
    title: str
    author: str
    level: str
    file: str
    techniques: tuple[str, ...] = ()
    body: str = ""


class SigmaPack(msgspec.Struct, frozen=True, kw_only=True):
    """The rules by rising id."""

    rules: tuple[SigmaRule, ...] = ()


class _Meta(msgspec.Struct):
    author: str | list[str] = ""
    level: str = ""
    filename: str = ""
    tags: list[str] | str = []


class _Value(msgspec.Struct):
    value: str
    uuid: str
    meta: _Meta


class _Cluster(msgspec.Struct):
    version: int
    values: list[_Value]


def build_default() -> tuple[PackInfo, SigmaPack]:
    """Return title, author, level and techniques of the rules that the MISP galaxy lists."""
    place = files("pymispgalaxies") / "data" / "misp-galaxy" / "clusters" / "sigma-rules.json"
    cluster = msgspec.json.decode(place.read_bytes(), type=_Cluster)
    rules = (
        SigmaRule(
            id=value.uuid,
            title=value.value,
            author=_names(value.meta.author),
            level=value.meta.level,
            file=value.meta.filename,
            techniques=_techniques(value.meta.tags if isinstance(value.meta.tags, list) else ()),
        )
        for value in cluster.values
    )
    info = PackInfo(
        name=NAME,
        version=f"galaxy {cluster.version}",
        source="MISP galaxy cluster sigma-rules, of pymispgalaxies",
        licence=f"CC0-1.0 or BSD-2-Clause (galaxy), {_DRL} (rules)",
        notice=f"{_NOTICE} This pack has no text of any rule, only what it is called and is for.",
    )
    return info, _ordered(rules)


def read_rules(archive: zipfile.ZipFile) -> tuple[PackInfo, SigmaPack, tuple[str, ...]]:
    """Return the rules of a SigmaHQ release, with their text. Raises PackError."""
    rules: list[SigmaRule] = []
    odd: list[str] = []
    newest = ""
    for name, data in _rule_files(archive):
        try:
            rule, day = _rule(name, data)
        except (ValueError, yaml.YAMLError, RecursionError) as error:
            odd.append(f"{name}: {' '.join(str(error).split())[:120]}")
        else:
            rules.append(rule)
            newest = max(newest, day)
    if not rules or len(odd) > len(rules) / 20:
        raise PackError(
            f"the archive of Sigma rules has {len(rules)} that can be read and {len(odd)} that "
            f"cannot ({'; '.join(odd[:3]) or 'no .yml below rules'}): name a release of SigmaHQ"
        )
    info = PackInfo(
        name=NAME,
        version=f"SigmaHQ {newest}".strip(),
        source="SigmaHQ release",
        licence=_DRL,
        notice=_NOTICE,
    )
    notes = (f"{len(odd)} rules left out ({'; '.join(odd[:3])})",) if odd else ()
    return info, _ordered(rules), notes


def _rule_files(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    left = MOST_BODIES
    found = 0
    for member in archive.infolist():
        folders, _, name = member.filename.rpartition("/")
        if not name.endswith(".yml") or not any(
            part.startswith("rules") for part in folders.split("/")
        ):
            continue
        data = read_member(archive, member, MOST_RULE)
        found, left = found + 1, left - len(data)
        if left < 0 or found > MOST_RULES:
            raise PackError(
                f"the archive has more than {MOST_RULES} rules, or more than "
                f"{MOST_BODIES >> 20} MB of them: it is not taken"
            )
        yield name, data


def _rule(name: str, data: bytes) -> tuple[SigmaRule, str]:
    """Return a rule and the day of its last change. Raises ValueError and YAMLError."""
    text = data.decode("utf-8")
    first = next(iter(yaml.load_all(text, Loader=_LOADER)), None)
    if not isinstance(first, dict):
        raise ValueError("no rule")  # noqa: TRY004 - a fault of the file
    licence = first.get("license")
    if licence is not None and "DRL" not in str(licence):
        raise ValueError(f"has a licence of its own, {licence}")
    tags = first.get("tags")
    rule = SigmaRule(
        id=_required(first, "id"),
        title=_required(first, "title"),
        author=str(first.get("author") or ""),
        level=str(first.get("level") or ""),
        file=name,
        techniques=_techniques(tags if isinstance(tags, list) else ()),
        body=text,
    )
    return rule, str(first.get("modified") or first.get("date") or "").replace("/", "-")[:10]


def _required(rule: dict[object, object], name: str) -> str:
    value = rule.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"has no {name}")
    return value.strip()


def _techniques(tags: Iterable[object]) -> tuple[str, ...]:
    """Return the techniques among tags."""
    found = (_TECHNIQUE.fullmatch(tag) for tag in tags if isinstance(tag, str))
    return tuple(sorted({match[1].upper() for match in found if match}))


def _names(author: str | list[str]) -> str:
    return author if isinstance(author, str) else ", ".join(author)


def _ordered(rules: Iterable[SigmaRule]) -> SigmaPack:
    """Return rules by id, each once."""
    by_id = {rule.id: rule for rule in rules}
    return SigmaPack(rules=tuple(by_id[key] for key in sorted(by_id)))
