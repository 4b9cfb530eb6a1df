"""Models that a server lacks, so that those who name another one do not wait for them."""

from alembic import op

revision = "20261127_2120"
down_revision = "20261127_2110"
branch_labels = None
depends_on = None

_INDEX = "model_analysis_turns"


def upgrade() -> None:
    """Create the table, then the index by which turns go by source and model.

    The table is committed before the index is made, and is there when that has to be made again.
    """
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS model_missing (
            server text NOT NULL,
            model text NOT NULL,
            tries integer NOT NULL DEFAULT 1,
            rest_until timestamptz NOT NULL,
            detail text NOT NULL DEFAULT '',
            PRIMARY KEY (server, model)
        ) WITH (fillfactor = 70)
        """
    )
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_INDEX}")
        op.execute(
            f"CREATE INDEX CONCURRENTLY {_INDEX} ON model_analysis (source_id, model, rank, id)"
            " WHERE state = 'pending'"
        )


def downgrade() -> None:
    """Drop both."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("DROP TABLE IF EXISTS model_missing")
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_INDEX}")
