"""What the newest matches of a search have in common."""

from collections.abc import Sequence

from ctiscraper.db.paging import Position
from ctiscraper.db.resolving import KINDS
from ctiscraper.db.session import Conn
from ctiscraper.query.tree import FieldName
from ctiscraper.query.write import written_term
from ctiscraper.views import Facets, FacetValue

FACETS_OF = 1_000
"""Of how many matches facets are counted."""
MOST_VALUES = 10

_FIELDS = """
WITH f AS MATERIALIZED (
    SELECT a.source_id, a.tier FROM article a WHERE a.id = ANY(%(ids)s))
(SELECT 'source', s.key, s.settings->>'name', count(*) AS articles
    FROM f JOIN source s ON s.id = f.source_id GROUP BY s.id
    ORDER BY articles DESC, s.key LIMIT %(most)s)
UNION ALL
(SELECT 'tier', tier, tier, count(*) AS articles FROM f GROUP BY tier ORDER BY articles DESC, tier)
"""
# The mentions of each article along their key, and of these the names that are asked for.
_NAMED = """
WITH counted AS MATERIALIZED (
    SELECT m.entity_id, count(*) AS articles
    FROM unnest(%(ids)s::bigint[]) AS f (id) JOIN mention m ON m.article_id = f.id
    WHERE m.extractor <> 'observables' GROUP BY m.entity_id),
known AS (
    SELECT e.kind, e.value, coalesce(nullif(e.name, ''), e.value) AS name, c.articles,
        row_number() OVER (PARTITION BY CASE WHEN e.kind = ANY(%(malware)s) THEN 'malware'
            ELSE e.kind END ORDER BY c.articles DESC, e.id) AS place
    FROM counted c JOIN entity e ON e.id = c.entity_id WHERE e.kind = ANY(%(kinds)s))
SELECT kind, value, name, articles FROM known WHERE place <= %(most)s
ORDER BY articles DESC, value
"""


async def facets_of(conn: Conn, ids: Sequence[int], *, stopped: Position | None = None) -> Facets:
    """Return what these articles have in common, of `FACETS_OF` of them at most."""
    chosen = list(ids[:FACETS_OF])
    await conn.execute("SET LOCAL enable_indexscan = on; SET LOCAL enable_bitmapscan = on")
    cursor = await conn.execute(_FIELDS, {"ids": chosen, "most": MOST_VALUES})
    fields = await cursor.fetchall()
    by_kind = {kind: name for name, kinds in KINDS.items() for kind in kinds}
    cursor = await conn.execute(
        _NAMED,
        {
            "ids": chosen,
            "kinds": list(by_kind),
            "malware": list(KINDS[FieldName.MALWARE]),
            "most": MOST_VALUES,
        },
        prepare=False,
    )
    values: dict[FieldName, list[FacetValue]] = {name: [] for name in FieldName}
    for field, key, label, articles in fields:
        name = FieldName(field)
        values[name].append(_value(name, key, label or key, articles))
    for kind, key, label, articles in await cursor.fetchall():
        name = by_kind[kind]
        given = key if name is FieldName.ATTACK else label
        shown = f"{key} {label}" if name is FieldName.ATTACK and label != key else label
        values[name].append(_value(name, given, shown, articles))
    return Facets(
        counted=len(chosen),
        capped=len(ids) > FACETS_OF or stopped is not None,
        source=tuple(values[FieldName.SOURCE]),
        tier=tuple(values[FieldName.TIER]),
        actor=tuple(values[FieldName.ACTOR]),
        malware=tuple(values[FieldName.MALWARE]),
        technique=tuple(values[FieldName.ATTACK]),
    )


def _value(name: FieldName, value: str, label: str, articles: int) -> FacetValue:
    term = written_term(name, ":", value)
    return FacetValue(value=value, label=label, term=term, articles=articles)
