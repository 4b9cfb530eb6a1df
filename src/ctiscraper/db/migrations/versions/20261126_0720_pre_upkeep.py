"""What retention needs: references to raw bytes by their hash, and where it went on."""

from alembic import op

revision = "20261126_0720"
down_revision = "20261122_1800"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index beside writers, then the small rest; begun anew after a failed try."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS snapshot_sha256")
        op.execute("CREATE INDEX CONCURRENTLY snapshot_sha256 ON snapshot (sha256)")
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
    """Drop them."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS snapshot_sha256")
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("DROP TABLE retention_position")
