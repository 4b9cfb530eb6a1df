"""What retention needs, and indexes that let every check and renewal update its row in place.

PostgreSQL updates a row in place, without touching any index, only when no indexed column changes.
`next_check_at` changes with every check and `lease_until` with every renewal; few rows share a
host or a worker, so an index without them finds as much.
"""

from alembic import op

revision = "20261126_0720"
down_revision = "20261126_0710"
branch_labels = None
depends_on = None

MADE = {
    "snapshot_sha256": "snapshot (sha256)",
    "source_state_host": "source_state (host) WHERE enabled",
    "fetch_job_held": "fetch_job (worker) WHERE state = 'leased'",
}
GONE = {
    "source_state_due": "source_state (host, next_check_at) WHERE enabled",
    "fetch_job_leased": "fetch_job (lease_until) WHERE state = 'leased'",
}


def upgrade() -> None:
    """Change the indexes beside writers, then the small rest."""
    replace(MADE, GONE)
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute(
        """
        CREATE TABLE retention_position (
            part text PRIMARY KEY,
            after text NOT NULL,
            moved_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )


def downgrade() -> None:
    """Put the indexes back, drop the rest."""
    replace(GONE, MADE)
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("DROP TABLE retention_position")


def replace(made: dict[str, str], gone: dict[str, str]) -> None:
    """Make and drop indexes beside writers; what a failed try left is made anew."""
    with op.get_context().autocommit_block():
        for name, what in made.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {what}")
        for name in gone:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
