"""How sources come, are looked at before they do, and leave in files: for every door alike."""

from collections.abc import AsyncIterator, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace

import yaml

from ctiscraper.collect.catalog import (
    dump_catalog,
    load_catalog,
    settings_from_mapping,
    settings_to_mapping,
)
from ctiscraper.collect.opml import BadRow, OpmlFeed, make_key, parse_opml, write_opml
from ctiscraper.db.sources import Sources, checked_url
from ctiscraper.errors import CatalogError, ConflictError
from ctiscraper.scouting import SAMPLES, Preview, Sample, Scout, bare_host
from ctiscraper.types import Source, SourceSettings

__all__ = [
    "ImportReport",
    "ImportRow",
    "Preview",
    "Sample",
    "Sourcing",
    "edited",
    "free_key",
    "read_changes",
]

_MANY_KEYS = 1000
# After so many rows it is said how far an import has come.
_STEP = 100
# What stands at the addresses of pages that are of no one source.
_RESERVED = frozenset({"add", "export", "import", "preview", "scoreboard"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """What became, or would become, of one row: added, known or bad."""

    row: int
    key: str
    name: str
    url: str
    outcome: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of an import file, row by row; a dry run changes nothing."""

    dry_run: bool
    rows: tuple[ImportRow, ...] = field(default=())

    def count(self, outcome: str) -> int:
        """Return how many rows ended so."""
        return sum(row.outcome == outcome for row in self.rows)


Row = tuple[int, SourceSettings] | ImportRow


class Sourcing:
    """The use cases around sources."""

    def __init__(self, *, scout: Scout, sources: Sources) -> None:
        self._scout = scout
        self._sources = sources

    async def preview(self, settings: SourceSettings, *, samples: int = SAMPLES) -> Preview:
        """Return what a source with these settings would bring, with its newest articles.

        Raises FetchError and ParseError when the source itself does not answer.
        """
        seen: Preview | None = None
        async for seen_now in self.looking(settings, samples=samples):
            if isinstance(seen_now, Preview):
                seen = seen_now
        assert seen is not None, "a look ends with what it saw"
        return seen

    async def looking(
        self, settings: SourceSettings, *, samples: int = SAMPLES
    ) -> AsyncIterator[str | Preview]:
        """Yield, while a source is looked at, what is done in words, and at last what was seen.

        Raises FetchError and ParseError when the source itself does not answer.
        """
        others = [source.settings for source in await self._sources.all()]
        async for seen in self._scout.look(settings, others, samples=samples):
            yield seen

    async def propose(self, url: str, **given: object) -> SourceSettings:
        """Return settings for any address, with a key that is free; `given` values win.

        Raises CatalogError with everything that is wrong in them.
        """
        mapping = {
            "key": make_key(bare_host(url)),
            "name": bare_host(url) or url,
            "url": url,
            **given,
        }
        settings = settings_from_mapping(mapping)
        if "key" in given:
            return settings
        return replace(settings, key=free_key(settings.key, await self._keys()))

    async def add(self, settings: SourceSettings, *, actor: str, reason: str = "") -> Source:
        """Return a new source, due at once.

        Raises ConflictError when its key is taken, or its address is collected already.
        """
        for source in await self._sources.all():
            if _place(source.settings) == _place(settings):
                raise ConflictError(
                    f"the source '{source.settings.key}' collects {checked_url(settings)} already; "
                    "edit that one, or remove it first"
                )
        return await self._sources.add(settings, actor=actor, reason=reason)

    def read_file(self, body: bytes, *, name: str) -> tuple[Row, ...]:
        """Return the sources of an OPML or catalogue file, and its rows that are none.

        Raises ParseError for an OPML file, CatalogError for a catalogue, that cannot be read.
        """
        if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            document = parse_opml(body)
            rows = [_opml_row(feed) for feed in document.feeds]
            return (*rows, *(_bad_row(row) for row in document.bad))
        return tuple(enumerate(load_catalog(_text(body, name), name=name), 1))

    async def import_file(
        self, body: bytes, *, name: str, actor: str, dry_run: bool = False
    ) -> ImportReport:
        """Return what became of the sources of an OPML or catalogue file.

        Raises ParseError for an OPML file, CatalogError for a catalogue, that cannot be read.
        """
        report = ImportReport(dry_run=dry_run)
        rows = self.read_file(body, name=name)
        async for step in self.importing(rows, actor=actor, dry_run=dry_run):
            if isinstance(step, ImportReport):
                report = step
        return report

    async def importing(
        self, rows: Sequence[Row], *, actor: str, dry_run: bool
    ) -> AsyncIterator[str | ImportReport]:
        """Yield how far an import has come, in words, and at last what became of each row."""
        taken = {source.settings.key: source.settings for source in await self._sources.all()}
        places = {_place(settings): key for key, settings in taken.items()}
        done = []
        for number, row in enumerate(rows, 1):
            done.append(await self._import_row(row, taken, places, None if dry_run else actor))
            if number % _STEP == 0:
                yield f"{number:,} of {len(rows):,} rows."
        yield ImportReport(dry_run=dry_run, rows=tuple(sorted(done, key=lambda row: row.row)))

    async def export_opml(self) -> bytes:
        """Return every source as OPML that other readers can take, our settings in a namespace."""
        return write_opml([source.settings for source in await self._sources.all()])

    async def export_catalog(self) -> str:
        """Return every source as a catalogue file."""
        return dump_catalog([source.settings for source in await self._sources.all()])

    async def _import_row(
        self,
        row: Row,
        taken: dict[str, SourceSettings],
        places: dict[str, str],
        actor: str | None,
    ) -> ImportRow:
        """Return what became of a row; without an actor nothing is added."""
        if isinstance(row, ImportRow):
            return row
        number, settings = row
        held = places.get(_place(settings))
        if held is not None:
            return _row(number, settings, "known", f"collected already as '{held}'")
        settings = replace(settings, key=free_key(settings.key, taken.keys() | _RESERVED))
        taken[settings.key] = settings
        places[_place(settings)] = settings.key
        if actor is not None:
            await self._sources.add(settings, actor=actor, reason="imported")
        return _row(number, settings, "added", "")

    async def _keys(self) -> set[str]:
        return {*_RESERVED} | {source.settings.key for source in await self._sources.all()}


def edited(settings: SourceSettings, changes: Mapping[str, object]) -> SourceSettings:
    """Return settings with some values changed; None takes a value back to its default.

    Raises CatalogError with everything that is wrong.
    """
    mapping = {**settings_to_mapping(settings), **changes}
    kept = {name: value for name, value in mapping.items() if value is not None}
    changed = settings_from_mapping(kept)
    if changed.key != settings.key:
        raise CatalogError([f"source '{settings.key}': its key stays what it is; leave it out"])
    return changed


def free_key(key: str, taken: Container[str]) -> str:
    """Return the key, or with a number behind it when it is taken."""
    if key not in taken:
        return key
    numbered = (f"{key[:60]}-{number}" for number in range(2, _MANY_KEYS))
    return next(candidate for candidate in numbered if candidate not in taken)


def _place(settings: SourceSettings) -> str:
    """Return what two sources must not share: the address that is asked."""
    return checked_url(settings).rstrip("/")


def _opml_row(feed: OpmlFeed) -> Row:
    try:
        return feed.row, settings_from_mapping(feed.to_mapping())
    except CatalogError as error:
        url = feed.feed_url or feed.site_url or ""
        return ImportRow(
            row=feed.row,
            key="",
            name=feed.title,
            url=url,
            outcome="bad",
            detail="; ".join(error.problems),
        )


def _bad_row(row: BadRow) -> ImportRow:
    return ImportRow(
        row=row.row,
        key="",
        name=row.title,
        url="",
        outcome="bad",
        detail=f"{row.reason}: {row.detail}" if row.detail else row.reason,
    )


def _row(number: int, settings: SourceSettings, outcome: str, detail: str) -> ImportRow:
    return ImportRow(
        row=number,
        key=settings.key,
        name=settings.name,
        url=checked_url(settings),
        outcome=outcome,
        detail=detail,
    )


def _text(body: bytes, name: str) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CatalogError(
            [f"{name}: is not UTF-8 text; save it as UTF-8, or give OPML"]
        ) from error


def read_changes(assignments: Sequence[str]) -> dict[str, object]:
    """Return settings written as `name=value`, each value as a catalogue would hold it.

    An empty value takes a setting back to its default. Raises CatalogError.
    """
    changes: dict[str, object] = {}
    problems = []
    for assignment in assignments:
        name, sign, value = assignment.partition("=")
        if not sign or not name.strip():
            problems.append(f"{assignment!r}: write it as name=value")
            continue
        try:
            changes[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            problems.append(f"{assignment!r}: the value cannot be read; put it in quotes")
    if problems:
        raise CatalogError(problems)
    return changes
