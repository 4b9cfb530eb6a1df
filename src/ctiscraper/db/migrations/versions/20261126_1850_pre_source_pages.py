"""What a source announced, newest first, however much it is."""

from alembic import op

revision = "20261126_1850"
down_revision = "20261126_1840"
branch_labels = None
depends_on = None

NAME = "fetch_job_newest"


def upgrade() -> None:
    """Make the index beside writers; what a failed try left is made anew."""
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")
        op.execute(f"CREATE INDEX CONCURRENTLY {NAME} ON fetch_job (source_id, id)")
    op.execute("SET LOCAL lock_timeout = '400ms'")


def downgrade() -> None:
    """Drop it."""
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")
    op.execute("SET LOCAL lock_timeout = '400ms'")
