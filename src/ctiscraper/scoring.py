"""How scores come and change: joined as articles are read, and made anew when the team decides."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from ctiscraper.db.rescoring import touch_next
from ctiscraper.db.scores import Parts, ScoreRow, Scores, StoredScore
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.watchlist import Watchlist
from ctiscraper.enrich.score import VERSION, joined_parts, stale_in, total
from ctiscraper.enrich.watch import KINDS, Watch
from ctiscraper.enrich.watch_file import read_watch_file, weight_of, write_watch_file
from ctiscraper.errors import CatalogError, ConflictError
from ctiscraper.intelligence import Mention
from ctiscraper.views import WatchEntry, WatchImport, WatchImportRow
from ctiscraper.weighing import (
    DEFAULT_WEIGHTS,
    ScoreFacts,
    WatchGiven,
    WatchKind,
    WatchTerm,
    Weights,
    normal_term,
    watch_given,
)

AT_ONCE = 1_000
"""How many of the newest articles a change of the watchlist reaches before its door answers."""

# Values of these are too many to be looked through by their words.
_COUNTLESS = frozenset({WatchKind.CVE, WatchKind.DOMAIN, WatchKind.KEYWORD})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredText:
    """An article as it was read: what its text alone gives, and what it is held against."""

    article_id: int
    title: str
    text: str
    mentions: Sequence[Mention]
    parts: Parts


@dataclass(slots=True)
class _LastWatch:
    """The watchlist as it was last compiled."""

    terms: tuple[WatchTerm, ...] = ()
    watch: Watch = field(default_factory=lambda: Watch(()))

    def of(self, terms: tuple[WatchTerm, ...]) -> Watch:
        if terms != self.terms:
            self.terms, self.watch = terms, Watch(terms)
        return self.watch


class Scoring:
    """The scores of this installation under its weights, and the watchlist that they follow."""

    def __init__(self, database: Database, weights: Weights = DEFAULT_WEIGHTS) -> None:
        self.database = database
        self._weights = dict(weights)
        self._scores = Scores(database)
        self._last, self._last_match = _LastWatch(), _LastWatch()
        self.watchlist = Watchlist(database)

    async def join(self, conn: Conn, texts: Sequence[ScoredText]) -> None:
        """Score articles, in the transaction that wrote what they mention."""
        terms = await self.watchlist.terms(conn)
        watch = self._last.of(terms)
        ids = [one.article_id for one in texts]
        hits = [
            (one.article_id, hit)
            for one in texts
            for hit in watch.hits(one.title, one.text, one.mentions)
        ]
        scored = await self._scores.lock(conn, ids)
        await self.watchlist.put_hits(conn, hits, again=scored)
        stored = [StoredScore(one.article_id, one.parts, VERSION) for one in texts]
        await self._score(conn, stored, watched=bool(terms))

    async def rescore(self, limit: int = AT_ONCE) -> int:
        """Make up to `limit` scores anew where watchlist, weights or age changed; return how many.

        So are those of articles that name what the team holds benign now, or no more.
        Entries are held against the newest articles first. Any number may do this at once, each
        takes what no other has. It is done when it returns 0.
        """
        done = await self._match(limit)
        done += await self._follow_verdicts(limit)
        done += await self._stale(limit)
        return done + await self._sweep(limit)

    async def add(self, given: WatchGiven, *, actor: str) -> WatchEntry:
        """Return a new entry of the watchlist. Raises ConflictError."""
        kinds = () if given.kind in _COUNTLESS else KINDS[given.kind]
        return await self.watchlist.add(given, actor=actor, kinds=kinds)

    async def import_file(
        self, body: bytes, *, name: str, actor: str, dry_run: bool = False
    ) -> WatchImport:
        """Add the entries of a file and tell what became of each row. Raises CatalogError."""
        known = {(one.kind, one.term.lower()) for one in await self.watchlist.entries()}
        rows = []
        for row in read_watch_file(body, name=name):
            outcome, detail = "added", ""
            term = normal_term(row.kind.lower(), row.term)
            try:
                given = watch_given(row.kind.lower(), row.term, weight_of(row.weight), row.note)
                if (given.kind, given.term.lower()) in known:
                    outcome = "known"
                elif not dry_run:
                    await self.add(given, actor=actor)
                known.add((given.kind, given.term.lower()))
            except CatalogError as error:
                outcome, detail = "bad", "; ".join(error.problems)
            except ConflictError:
                outcome = "known"
            rows.append(
                WatchImportRow(
                    row=row.row, kind=row.kind, term=term, outcome=outcome, detail=detail
                )
            )
        return WatchImport(dry_run=dry_run, rows=tuple(rows))

    async def export(self) -> str:
        """Return the watchlist as a table that `import_file` reads."""
        entries = await self.watchlist.entries()
        return write_watch_file((one.kind, one.term, one.weight, one.note) for one in entries)

    async def touch_cves(self, ids: Sequence[str] | None = None) -> int:
        """Let the articles that name these CVEs, or any, be scored anew; return how many."""
        async with self.database.transaction() as conn:
            return await self._scores.touch_cves(conn, ids)

    async def waiting(self) -> int:
        """Return how many scores are to be made anew, counted up to 10,000 of each cause."""
        async with self.database.connection() as conn:
            basis = self._basis(watched=await self.watchlist.is_used(conn))
        return await self._scores.waiting(basis)

    def _basis(self, *, watched: bool) -> str:
        """Return what all scores have in common that are made now."""
        weights = ",".join(f"{name}={weight:g}" for name, weight in sorted(self._weights.items()))
        return f"{VERSION} {weights}{' watched' if watched else ''}"

    async def _match(self, limit: int) -> int:
        """Hold entries against the next articles; return how many were gone through."""
        async with self.database.transaction() as conn:
            entries, in_use = await self.watchlist.unsettled(conn)
            if not entries:
                return 0
            if not in_use:
                return await self.watchlist.drop_hits(conn, entries[0], limit)
            kinds = frozenset[str]().union(*(KINDS[one.kind] for one in entries))
            looked, candidates = await self.watchlist.candidates(conn, entries, kinds, limit)
            watch = self._last_match.of(entries)
            hits = [
                (one.article_id, hit)
                for one in candidates
                for hit in watch.hits(one.title, one.text, one.mentions)
            ]
            await self.watchlist.touch(conn, [number for number, _ in hits])
            await self.watchlist.put_hits(conn, hits)
        log.debug("watch_matched", entries=len(entries), looked_at=looked, found=len(hits))
        return looked

    async def _follow_verdicts(self, limit: int) -> int:
        async with self.database.transaction() as conn:
            return await touch_next(conn, limit)

    async def _stale(self, limit: int) -> int:
        async with self.database.transaction() as conn:
            stored = await self._scores.stale(conn, limit)
            await self._score(conn, stored, watched=await self.watchlist.is_used(conn))
        return len(stored)

    async def _sweep(self, limit: int) -> int:
        async with self.database.transaction() as conn:
            watched = await self.watchlist.is_used(conn)
            stored = await self._scores.sweep(conn, self._basis(watched=watched), limit)
            await self._score(conn, stored or [], watched=watched)
        return len(stored or ())

    async def _score(self, conn: Conn, stored: Iterable[StoredScore], *, watched: bool) -> None:
        given = {one.article_id: one for one in stored}
        if not given:
            return
        basis = self._basis(watched=watched)
        facts = await self._scores.facts(conn, list(given), watched=watched)
        rows = [self._row(one, facts[number], basis) for number, one in given.items()]
        await self._scores.write(conn, rows)

    def _row(self, stored: StoredScore, facts: ScoreFacts, basis: str) -> ScoreRow:
        parts = joined_parts(stored.text_parts, facts, self._weights)
        return ScoreRow(
            article_id=stored.article_id,
            score=total(parts),
            parts=parts,
            text_parts=stored.text_parts,
            version=stored.version,
            basis=basis,
            fresh_days=stale_in(facts, parts),
        )
