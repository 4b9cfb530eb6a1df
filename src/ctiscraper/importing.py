"""Bringing in what the predecessor collected: sources, articles, and a report of the rest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ctiscraper.collect.announce import announce
from ctiscraper.collect.predecessor import Unmapped, read_article, read_source
from ctiscraper.db.imports import Imports
from ctiscraper.db.predecessor import Predecessor
from ctiscraper.db.sources import Sources, checked_url
from ctiscraper.errors import CatalogError
from ctiscraper.extract.urls import url_key
from ctiscraper.pipeline import Pipeline
from ctiscraper.sourcing import free_key
from ctiscraper.types import Announced, Outcome, Source, SourceSettings

REASON = "imported"
NOTE = "imported from the predecessor, its article {}"
_STEP = 1000

Row = Mapping[str, object]


@dataclass(slots=True)
class Imported:
    """What an import did; `known` articles were here already, `same` share another's address."""

    articles: int = 0
    sources_added: int = 0
    sources_known: int = 0
    stored: int = 0
    duplicate: int = 0
    known: int = 0
    same: int = 0
    filtered: int = 0
    failed: int = 0
    unmapped: list[Unmapped] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        """Whether every article of the predecessor is in exactly one of the counts."""
        parts = (self.stored, self.duplicate, self.known, self.same, self.filtered, self.failed)
        return self.articles == sum(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """The parts that an import needs; `told` hears how far it is."""

    sources: Sources
    imports: Imports
    pipeline: Pipeline
    told: Callable[[str], None]

    async def run(self, predecessor: Predecessor, *, actor: str) -> Imported:
        """Return what was brought in; what is here already stays as it is.

        Raises ConflictError while another import goes on, StorageError.
        """
        done = Imported()
        async with self.imports.alone():
            sources = await self._sources(predecessor, actor, done)
            total = await predecessor.count()
            async for rows in predecessor.articles():
                await self._articles(rows, sources, done)
                if done.articles % _STEP < len(rows):
                    self.told(f"{done.articles:,} of {total:,} articles")
            before = await self.pipeline.unlinked()
            while await self.pipeline.link():
                pass
            self.told(f"{before:,} texts were compared with all before them")
            for name, rows_there in (await predecessor.other_tables()).items():
                done.unmapped.append(
                    Unmapped(kind="table", of=name, name="rows", value=str(rows_there))
                )
        return done

    async def _sources(
        self, predecessor: Predecessor, actor: str, done: Imported
    ) -> dict[int, Source]:
        """Return the sources here by the numbers that they have there."""
        here = {_place(source.settings): source for source in await self.sources.all()}
        keys = {source.settings.key for source in here.values()}
        found: dict[int, Source] = {}
        for row in await predecessor.sources():
            number = row["id"]
            assert isinstance(number, int), "numbers of rows are whole"
            try:
                settings, unmapped = read_source(row)
            except CatalogError as error:
                done.unmapped.append(
                    Unmapped(
                        kind="source",
                        of=str(row.get("identifier")),
                        name="all of it",
                        value="; ".join(error.problems),
                    )
                )
                continue
            done.unmapped += unmapped
            place = _place(settings)
            if place in here:
                done.sources_known += 1
            else:
                settings = replace(settings, key=free_key(settings.key, keys))
                here[place] = await self.sources.add(settings, actor=actor, reason=REASON)
                keys.add(settings.key)
                done.sources_added += 1
            found[number] = here[place]
        return found

    async def _articles(
        self, rows: Sequence[Row], sources: Mapping[int, Source], done: Imported
    ) -> None:
        by_source: dict[int, list[Row]] = {}
        for row in rows:
            done.articles += 1
            number = row["source_id"]
            if isinstance(number, int) and number in sources:
                by_source.setdefault(number, []).append(row)
            else:
                _refuse(row, "its source could not be brought in", done)
        for number, some in by_source.items():
            await self._of_source(sources[number], some, done)

    async def _of_source(self, source: Source, rows: Sequence[Row], done: Imported) -> None:
        # They were read once: patterns are for what comes.
        free = replace(source.settings, allow=())
        entries = [read_article(row) for row in rows]
        announced = announce(free, entries, (), url_key)
        first: dict[bytes, int] = {}
        for at, item in enumerate(announced):
            if first.setdefault(item.url_hash, at) != at:
                _leave(rows[at], f"has the address of {rows[first[item.url_hash]]['id']}", done)
                done.same += 1
        chosen = list(first.values())
        items = [_whole(announced[at], entries[at].content) for at in chosen]
        taken = await self.imports.take(source, items)
        for place, at in enumerate(chosen):
            row = rows[at]
            job = taken.jobs.get(place)
            if job is not None:
                note = NOTE.format(row["id"])
                result = await self.pipeline.take_over(job, free, note)
                self._count(row, result.outcome, str(result.error or ""), done)
            elif place in taken.refused:
                _refuse(row, items[place].detail or str(items[place].reason), done)
            else:
                done.known += 1

    def _count(self, row: Row, outcome: Outcome | None, why: str, done: Imported) -> None:
        match outcome:
            case Outcome.STORED:
                done.stored += 1
            case Outcome.DUPLICATE:
                done.duplicate += 1
            case Outcome.FILTERED:
                done.filtered += 1
                _leave(row, "is held back by a gate of its source: see the quarantine", done)
            case _:
                _refuse(row, why or "was taken over by a worker", done)


def _whole(item: Announced, content: str) -> Announced:
    """Return an item with all of its text, which an announcement bounds."""
    if item.entry.content == content or not item.url:
        return item
    return replace(item, entry=replace(item.entry, content=content))


def _refuse(row: Row, why: str, done: Imported) -> None:
    done.failed += 1
    _leave(row, why, done)


def _leave(row: Row, why: str, done: Imported) -> None:
    url = str(row.get("canonical_url") or "")
    done.unmapped.append(Unmapped(kind="article", of=str(row["id"]), name=url, value=why))


def _place(settings: SourceSettings) -> str:
    return checked_url(settings).rstrip("/")
