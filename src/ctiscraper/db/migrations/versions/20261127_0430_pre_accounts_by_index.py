"""The account of a source is counted in indexes, without looking at its articles."""

from alembic import op

revision = "20261127_0430"
down_revision = "20261127_0300"
branch_labels = None
depends_on = None

_INDEX = "article_folded"
_BEFORE = """
    CREATE OR REPLACE VIEW accounting AS
    SELECT s.id AS source_id, s.key,
        coalesce(d.discovered, 0) AS discovered,
        coalesce(k.stored, 0) AS stored,
        coalesce(k.folded, 0) + coalesce(j.aliases, 0) AS duplicate,
        coalesce(j.filtered, 0) AS filtered,
        coalesce(j.failed, 0) AS failed,
        coalesce(j.dead, 0) AS dead,
        coalesce(j.pending, 0) AS pending
    FROM source s
    LEFT JOIN (SELECT source_id, count(*) AS discovered FROM sighting WHERE first
        GROUP BY source_id) d ON d.source_id = s.id
    LEFT JOIN (SELECT source_id,
            count(*) FILTER (WHERE alias) AS aliases,
            count(*) FILTER (WHERE state = 'filtered' AND article_id IS NULL) AS filtered,
            count(*) FILTER (WHERE state = 'failed' AND article_id IS NULL) AS failed,
            count(*) FILTER (WHERE state = 'dead' AND article_id IS NULL) AS dead,
            count(*) FILTER (WHERE state IN ('pending', 'leased') AND article_id IS NULL)
                AS pending
        FROM fetch_job GROUP BY source_id) j ON j.source_id = s.id
    LEFT JOIN (SELECT source_id,
            count(*) FILTER (WHERE duplicate_of IS NULL) AS stored,
            count(duplicate_of) AS folded
        FROM article GROUP BY source_id) k ON k.source_id = s.id
"""
# An item that is stored made its article, and is counted as that; it is no alias of another.
_NOW = """
    CREATE OR REPLACE VIEW accounting AS
    SELECT s.id AS source_id, s.key,
        coalesce(d.discovered, 0) AS discovered,
        coalesce(k.articles, 0) - coalesce(f.folded, 0) AS stored,
        coalesce(f.folded, 0) + coalesce(j.aliases, 0) AS duplicate,
        coalesce(j.filtered, 0) AS filtered,
        coalesce(j.failed, 0) AS failed,
        coalesce(j.dead, 0) AS dead,
        coalesce(j.pending, 0) AS pending
    FROM source s
    LEFT JOIN (SELECT source_id, count(*) AS discovered FROM sighting WHERE first
        GROUP BY source_id) d ON d.source_id = s.id
    LEFT JOIN (SELECT source_id,
            count(*) FILTER (WHERE alias) AS aliases,
            count(*) FILTER (WHERE state = 'filtered' AND article_id IS NULL) AS filtered,
            count(*) FILTER (WHERE state = 'failed' AND article_id IS NULL) AS failed,
            count(*) FILTER (WHERE state = 'dead' AND article_id IS NULL) AS dead,
            count(*) FILTER (WHERE state IN ('pending', 'leased') AND article_id IS NULL)
                AS pending
        FROM fetch_job
        WHERE state IN ('pending', 'leased', 'duplicate', 'filtered', 'failed', 'dead')
        GROUP BY source_id) j ON j.source_id = s.id
    LEFT JOIN (SELECT source_id, count(*) AS articles FROM article
        GROUP BY source_id) k ON k.source_id = s.id
    LEFT JOIN (SELECT source_id, count(*) AS folded FROM article
        WHERE duplicate_of IS NOT NULL GROUP BY source_id) f ON f.source_id = s.id
"""


def upgrade() -> None:
    """Make the index beside those who store articles, then the view."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_INDEX}")
        op.execute(
            f"CREATE INDEX CONCURRENTLY {_INDEX} ON article (source_id)"
            " WHERE duplicate_of IS NOT NULL"
        )
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute(_NOW)


def downgrade() -> None:
    """Bring the view back, and drop the index."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute(_BEFORE)
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_INDEX}")
