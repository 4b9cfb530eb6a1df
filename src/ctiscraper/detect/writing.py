"""A rule as YAML: the same parts give the same text and the same id, whenever and wherever."""

import re
from collections.abc import Mapping, Sequence
from uuid import UUID, uuid5

import msgspec
import yaml

# Ids of drafts are made of what they look for, so that drafting again finds the same ones.
_NAMESPACE = UUID("5f0f6ad4-2f63-5c0e-9d57-4d1f6c9b7a10")
_STROKES = re.compile(r"\\+(?=[*?])|\\{2,}")
_LONGEST_TITLE = 100
_WIDTH = 1_000

Item = str | list[str]
Selection = Mapping[str, Item]


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What differs from one drafted rule to the next."""

    title: str
    description: str
    logsource: dict[str, str]
    detection: dict[str, object]
    tags: tuple[str, ...]
    level: str
    falsepositives: tuple[str, ...]


class _Quoted(str):
    """A value that stands in quotes, so that no reader takes it for something else."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes lists below their key, indented as rules have them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists as well."""
        del indentless
        super().increase_indent(flow, indentless=False)


def _represent(dumper: yaml.SafeDumper, value: _Quoted) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style="'")


_Dumper.add_representer(_Quoted, _represent)


def escaped(value: str) -> str:
    """Return a value as a rule has it, in which nothing stands for anything else."""
    value = _STROKES.sub(lambda found: found[0] * 2, value)
    return value.replace("*", "\\*").replace("?", "\\?")


def rule_id(article_url: str, logsource: Mapping[str, str], detection: Mapping[str, object]) -> str:
    """Return the id of a rule that looks for this, drafted from this article."""
    made_of = msgspec.json.encode([article_url, dict(logsource), dict(detection)], order="sorted")
    return str(uuid5(_NAMESPACE, made_of.decode()))


def write_rule(parts: Parts, *, id: str, url: str, author: str, day: str) -> str:  # noqa: A002 - the field's name
    """Return a rule as YAML."""
    rule: dict[str, object] = {
        "title": _on_a_line(parts.title)[:_LONGEST_TITLE].rstrip(),
        "id": id,
        "status": "experimental",
        "description": _on_a_line(parts.description),
        **({"references": [url]} if url else {}),
        "author": _on_a_line(author) or "CTIScraper",
        **({"date": _Quoted(day)} if day else {}),
        **({"tags": list(parts.tags)} if parts.tags else {}),
        "logsource": dict(parts.logsource),
        "detection": _quoted(parts.detection),
        "falsepositives": list(parts.falsepositives),
        "level": parts.level,
    }
    if day:
        # Rules have their date as a date, without quotes.
        rule["date"] = yaml.safe_load(day)
    written: str = yaml.dump(
        rule, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH, indent=4
    )
    return written


def _quoted(value: object, *, key: str = "") -> object:
    """Return a detection whose values stand in quotes; conditions are words."""
    if isinstance(value, Mapping):
        return {name: _quoted(inner, key=str(name)) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_quoted(inner, key=key) for inner in value]
    if isinstance(value, str) and key != "condition":
        return _Quoted(value)
    return value


def _on_a_line(words: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())
