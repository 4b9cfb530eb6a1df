"""The columns of articles that are read, and the values that rows of them become."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
from psycopg import sql

from ctiscraper.views import (
    ArticleDetail,
    ArticleSummary,
    DuplicateRef,
    ScoredPart,
    SnapshotRef,
    SourceRef,
)

EVIDENCE = 5
"""How much of the evidence of each part of a score stands in a list."""
SCORE_DIGITS = 4
"""With how many digits a score is kept."""

_decoder = msgspec.json.Decoder(tuple[ScoredPart, ...])

# The first brace takes the statement that chooses the articles, the second their order.
SUMMARY = sql.SQL(
    """
    SELECT a.id, a.title, a.url, s.key, s.name, a.tier, left(a.summary, 600), a.language,
        a.published_at, a.collected_at, a.sort_at, a.reading_minutes, a.word_count, a.tags,
        a.method, a.revision, a.duplicate_of, coalesce(f.folded, 0), f.sources,
        r.score, r.parts::text
    FROM ({}) a
    JOIN source s ON s.id = a.source_id
    LEFT JOIN article_score r ON r.article_id = a.id
    LEFT JOIN LATERAL (
        SELECT count(*) AS folded, array_agg(DISTINCT ARRAY[o.key, o.name]) AS sources
        FROM article d JOIN source o ON o.id = d.source_id
        WHERE d.duplicate_of = a.id
    ) f ON true
    ORDER BY {}
    """
)

DETAIL = """
    SELECT a.id, a.title, a.url, a.canonical_url, s.key, s.name, a.tier,
        coalesce(s.settings->>'tlp', 'clear'), a.authors, a.tags, a.language, a.summary,
        a.text, a.html, a.published_at, a.published_raw, a.published_from, a.modified_at,
        a.collected_at, a.updated_at, a.sort_at, a.word_count, a.reading_minutes, a.method,
        a.notes, a.revision, encode(a.text_sha256, 'hex'),
        o.id, o.title, os.key, os.name, o.sort_at, a.similarity,
        p.url, p.status, p.content_type, p.bytes, encode(p.sha256, 'hex'), p.fetched_at,
        r.score, r.parts::text
    FROM article a
    JOIN source s ON s.id = a.source_id
    LEFT JOIN article o ON o.id = a.duplicate_of
    LEFT JOIN source os ON os.id = o.source_id
    LEFT JOIN snapshot p ON p.id = a.snapshot_id
    LEFT JOIN article_score r ON r.article_id = a.id
    WHERE a.id = %(id)s
"""

Row = Sequence[Any]
# Where in a row of SUMMARY stands what lists are ordered by.
LISTED_AT = 10


def to_summary(row: Row) -> ArticleSummary:
    """Return the summary of a row of SUMMARY."""
    return ArticleSummary(
        id=row[0],
        title=row[1],
        url=row[2],
        source=SourceRef(key=row[3], name=row[4]),
        tier=row[5],
        summary=row[6],
        language=row[7],
        published_at=row[8],
        collected_at=row[9],
        listed_at=row[10],
        reading_minutes=row[11],
        word_count=row[12],
        tags=tuple(row[13]),
        method=row[14],
        revision=row[15],
        duplicate_of=row[16],
        folded=row[17],
        folded_sources=tuple(SourceRef(key=key, name=name) for key, name in row[18] or ()),
        score=kept_score(row[19]),
        parts=first_parts(row[20]),
    )


def to_detail(row: Row) -> ArticleDetail:
    """Return the article of a row of DETAIL, less what other tables hold."""
    return ArticleDetail(
        id=row[0],
        title=row[1],
        url=row[2],
        canonical_url=row[3],
        source=SourceRef(key=row[4], name=row[5]),
        tier=row[6],
        tlp=row[7],
        authors=tuple(row[8]),
        tags=tuple(row[9]),
        language=row[10],
        summary=row[11],
        text=row[12],
        html=row[13],
        published_at=row[14],
        published_raw=row[15],
        published_from=row[16],
        modified_at=row[17],
        collected_at=row[18],
        updated_at=row[19],
        listed_at=row[20],
        word_count=row[21],
        reading_minutes=row[22],
        method=row[23],
        notes=tuple(row[24]),
        revision=row[25],
        text_sha256=row[26],
        duplicate_of=_original(row[27:33]),
        duplicates=(),
        revisions=(),
        sightings=(),
        snapshot=_snapshot(row[33:39]),
        score=kept_score(row[39]),
        parts=_parts(row[40]),
    )


def first_parts(document: str | None) -> tuple[ScoredPart, ...]:
    """Return the parts of a score with the first of their evidence."""
    return tuple(map(_first_evidence, _parts(document)))


def kept_score(value: float | None) -> float | None:
    """Return a score with the digits that it was kept with."""
    return None if value is None else round(value, SCORE_DIGITS)


def _parts(document: str | None) -> tuple[ScoredPart, ...]:
    return _decoder.decode(document) if document else ()


def _first_evidence(part: ScoredPart) -> ScoredPart:
    if len(part.evidence) <= EVIDENCE and len(part.places) <= EVIDENCE:
        return part
    return replace(part, evidence=part.evidence[:EVIDENCE], places=part.places[:EVIDENCE])


def _original(row: Row) -> DuplicateRef | None:
    if row[0] is None:
        return None
    return DuplicateRef(
        id=row[0],
        title=row[1],
        source=SourceRef(key=row[2], name=row[3]),
        listed_at=row[4],
        similarity=row[5],
    )


def _snapshot(row: Row) -> SnapshotRef | None:
    if row[0] is None:
        return None
    return SnapshotRef(
        url=row[0],
        status=row[1],
        content_type=row[2],
        bytes=row[3],
        sha256=row[4],
        fetched_at=row[5],
    )
