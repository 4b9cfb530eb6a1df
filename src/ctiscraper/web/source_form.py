"""The settings of a source as a form: each with its meaning and bounds, and the way back."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from ctiscraper.types import Discovery, SourceSettings, Tier, Tlp


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingField:
    """One setting in the form; `kind` is text, url, number, flag, choice, lines or prose."""

    name: str
    label: str
    meaning: str
    kind: str = "text"
    bounds: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldGroup:
    """Settings that belong together."""

    title: str
    fields: tuple[SettingField, ...]


def _choices(values: type[StrEnum]) -> tuple[str, ...]:
    return tuple(value.value for value in values)


GROUPS = (
    FieldGroup(
        title="What it is",
        fields=(
            SettingField(
                name="name", label="Name", meaning="As lists show it.", bounds="1 to 200 characters"
            ),
            SettingField(
                name="tier",
                label="Tier",
                kind="choice",
                choices=_choices(Tier),
                meaning="How often and how soon it is asked, and what it weighs in scores.",
            ),
            SettingField(
                name="tlp",
                label="TLP",
                kind="choice",
                choices=_choices(Tlp),
                meaning="With whom its articles may be shared.",
            ),
            SettingField(
                name="language",
                label="Language",
                meaning="Of its articles, where pages do not say.",
                bounds="a tag such as en or pt-BR; empty: as each page says",
            ),
            SettingField(
                name="verified",
                label="Verified",
                kind="flag",
                meaning="Somebody has looked at what it brings.",
            ),
            SettingField(
                name="notes",
                label="Notes",
                kind="prose",
                meaning="For whoever comes after.",
                bounds="up to 2,000 characters",
            ),
        ),
    ),
    FieldGroup(
        title="Where its articles are found",
        fields=(
            SettingField(
                name="url",
                label="Site",
                kind="url",
                meaning="Its front page, or the page that lists its articles.",
            ),
            SettingField(
                name="feed_url",
                label="Feed",
                kind="url",
                meaning="The feed or sitemap that is asked.",
                bounds="empty: found on the site",
            ),
            SettingField(
                name="discovery",
                label="Found by",
                kind="choice",
                choices=_choices(Discovery),
                meaning="Its feed, its sitemap, or the links on its page.",
            ),
            SettingField(
                name="selectors.listing",
                label="Links on its page",
                meaning="Which links lead to articles, when they are found by listing.",
                bounds="a CSS selector; empty: links that look like articles",
            ),
            SettingField(
                name="allow",
                label="Addresses of articles",
                kind="lines",
                meaning="Only addresses whose path matches one of these are read.",
                bounds="a pattern a line, such as /blog/*; empty: all",
            ),
        ),
    ),
    FieldGroup(
        title="How often, and how fast",
        fields=(
            SettingField(
                name="active",
                label="Collected",
                kind="flag",
                meaning="Without it the source is paused.",
            ),
            SettingField(
                name="interval_minutes",
                label="Minutes between checks",
                kind="number",
                meaning="How often it is asked what is new.",
                bounds="5 to 1,440; empty: by its tier and its rhythm",
            ),
            SettingField(
                name="crawl_delay",
                label="Seconds between requests",
                kind="number",
                meaning="At least so long; its robots.txt may ask for more.",
                bounds="0 to 60; empty: as usual",
            ),
            SettingField(
                name="requests_per_minute",
                label="Requests a minute",
                kind="number",
                meaning="At most so many.",
                bounds="1 to 60; empty: as usual",
            ),
        ),
    ),
    FieldGroup(
        title="robots.txt",
        fields=(
            SettingField(
                name="robots.obey",
                label="Obeyed",
                kind="flag",
                meaning="Leave it on, unless the owner of the site has permitted otherwise.",
            ),
            SettingField(
                name="robots.override_reason",
                label="Why it is not obeyed",
                meaning="Who permitted it, and when. It goes on record.",
                bounds="up to 500 characters",
            ),
        ),
    ),
    FieldGroup(
        title="How its pages are read",
        fields=(
            SettingField(
                name="fetch_pages",
                label="Pages are read",
                kind="flag",
                meaning="Without it the text of the feed is all that is kept.",
            ),
            SettingField(
                name="selectors.title",
                label="Title",
                meaning="Where it stands in a page.",
                bounds="a CSS selector; empty: found by itself",
            ),
            SettingField(
                name="selectors.content",
                label="Text",
                meaning="Where it stands in a page.",
                bounds="a CSS selector; empty: found by itself",
            ),
            SettingField(
                name="selectors.author",
                label="Author",
                meaning="Where the name stands in a page.",
                bounds="a CSS selector; empty: found by itself",
            ),
            SettingField(
                name="selectors.date",
                label="Date",
                meaning="Where it stands in a page.",
                bounds="a CSS selector; empty: found by itself",
            ),
            SettingField(
                name="selectors.remove",
                label="Left out of the text",
                kind="lines",
                meaning="What stands in the text and is none of it.",
                bounds="a CSS selector a line",
            ),
        ),
    ),
    FieldGroup(
        title="What is kept",
        fields=(
            SettingField(
                name="min_length",
                label="Characters at least",
                kind="number",
                meaning="Shorter texts go to quarantine.",
                bounds="0 to 100,000",
            ),
            SettingField(
                name="include_words",
                label="Words wanted",
                kind="lines",
                meaning="An article without any of these goes to quarantine.",
                bounds="a word a line; empty: all are kept",
            ),
            SettingField(
                name="exclude_words",
                label="Words not wanted",
                kind="lines",
                meaning="An article with one of these goes to quarantine.",
                bounds="a word a line",
            ),
        ),
    ),
)
FIELDS: Mapping[str, SettingField] = MappingProxyType(
    {field.name: field for group in GROUPS for field in group.fields}
)


def typed_of(settings: SourceSettings) -> dict[str, str]:
    """Return what the fields hold for these settings; a flag that is off holds nothing."""
    return {name: _typed(field.kind, _value(settings, name)) for name, field in FIELDS.items()}


def changes_of(typed: Mapping[str, str]) -> dict[str, object]:
    """Return what was typed as changes of settings; what was left empty is its default."""
    changes: dict[str, object] = {}
    for name, field in FIELDS.items():
        value = _given(field.kind, typed.get(name, ""))
        outer, dot, inner = name.partition(".")
        if not dot:
            changes[name] = value
        elif value is not None:
            part = changes.setdefault(outer, {})
            assert isinstance(part, dict), "only settings inside others have a dot"
            part[inner] = value
    return {"selectors": None, **changes}


def field_of(problem: str) -> str:
    """Return the field that a problem is about, empty when it names none."""
    words = problem.partition(": ")[2] or problem
    name = words.partition(" ")[0]
    if name in FIELDS:
        return name
    inside = (field for field in FIELDS if field.startswith(f"{name}."))
    return next((field for field in inside if f" {field.partition('.')[2]} " in words), "")


def _value(settings: SourceSettings, name: str) -> object:
    outer, _, inner = name.partition(".")
    value: object = getattr(settings, outer)
    return getattr(value, inner) if inner else value


def _typed(kind: str, value: object) -> str:
    if kind == "flag":
        return "true" if value else ""
    if isinstance(value, tuple):
        return "\n".join(map(str, value))
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _given(kind: str, typed: str) -> object:
    if kind == "flag":
        return typed == "true"
    if kind == "lines":
        return [line.strip() for line in typed.splitlines() if line.strip()] or None
    words = typed.strip().replace("\r\n", "\n")
    return _number(words) if kind == "number" and words else words or None


def _number(words: str) -> object:
    """Return a number, or the words as they are: what takes them says what is wrong with them."""
    for read in (int, float):
        try:
            return read(words)
        except ValueError:
            continue
    return words
