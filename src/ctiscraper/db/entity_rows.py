"""The columns of things that articles name, and the values that rows of them become."""

from collections.abc import Sequence
from typing import Any

from psycopg import sql

from ctiscraper.entity_views import EntitySummary, MentionView, TeamVerdict
from ctiscraper.intelligence import freshness
from ctiscraper.views import SourceRef

Row = Sequence[Any]

_DAY = 86_400.0
_LEVELS = ("benign", "mentioned", "suspicious", "malicious")
# Names are not judged: neither is a technique malicious nor a country benign.
_UNJUDGED = frozenset(
    {
        "technique", "actor", "malware", "ransomware", "tool", "sector", "country", "vendor",
        "product",
    }
)  # fmt: skip

# Longest values are cut for lists; the whole one stands in the thing's own answer.
COLUMNS = sql.SQL(
    """e.id, e.kind, left(e.value, 2000), e.name, e.team, e.level, e.articles, e.sources,
    e.first_seen, e.last_seen, now()"""
)
WIDTH = 11

MENTION = sql.SQL(
    """
    SELECT {}, m.count, m.starts, m.ends, coalesce(v.verdict, e.team, m.verdict), m.verdict,
        m.reasons, m.alias, m.rule, m.extractor, m.version
    FROM mention m JOIN entity e ON e.id = m.entity_id
    LEFT JOIN LATERAL (
        SELECT v.verdict FROM verdict v
        WHERE v.key = e.key AND v.scope = 'source' AND v.source_id = m.source_id
            AND v.undone_at IS NULL
        ORDER BY v.id DESC LIMIT 1
    ) v ON true
    WHERE m.article_id = %(article)s
    ORDER BY m.starts[1], e.id
    """
).format(COLUMNS)

VERDICT = sql.SQL(
    """
    SELECT v.id, v.scope, v.kind, v.value, v.verdict, v.reason, v.actor, v.made_at, s.key, s.name,
        v.undone_at, v.undone_by
    FROM verdict v LEFT JOIN source s ON s.id = v.source_id
    """
)


def to_entity(row: Row) -> EntitySummary:
    """Return the thing of a row of COLUMNS."""
    last, now = row[9], row[10]
    days = (now - last).total_seconds() / _DAY if last else 0.0
    found = None if row[1] in _UNJUDGED else _LEVELS[row[5]]
    return EntitySummary(
        id=row[0],
        kind=row[1],
        value=row[2],
        name=row[3],
        verdict=row[4] or found,
        team=row[4],
        articles=row[6],
        sources=row[7],
        first_seen=row[8],
        last_seen=last,
        freshness=round(freshness(row[1], days), 4),
    )


def to_mention(row: Row) -> MentionView:
    """Return the mention of a row of MENTION."""
    return MentionView(
        entity=to_entity(row),
        count=row[WIDTH],
        starts=tuple(row[WIDTH + 1]),
        ends=tuple(row[WIDTH + 2]),
        verdict=row[WIDTH + 3],
        found_verdict=row[WIDTH + 4],
        reasons=tuple(row[WIDTH + 5]),
        alias=row[WIDTH + 6],
        rule=row[WIDTH + 7],
        extractor=row[WIDTH + 8],
        version=row[WIDTH + 9],
    )


def to_verdict(row: Row) -> TeamVerdict:
    """Return the decision of a row of VERDICT; a domain reads forwards again."""
    scope = row[1]
    value = ".".join(reversed(row[3].split("."))) if scope == "domain" else row[3]
    return TeamVerdict(
        id=row[0],
        scope=scope,
        kind=row[2],
        value=value,
        verdict=row[4],
        reason=row[5],
        actor=row[6],
        made_at=row[7],
        source=SourceRef(key=row[8], name=row[9]) if row[8] else None,
        undone_at=row[10],
        undone_by=row[11],
    )
