"""The order in which the items of a host are asked for: what was never seen before what was."""

from alembic import op

revision = "20261128_1540"
down_revision = "20261128_1530"
branch_labels = None
depends_on = None

_NEXT, _BEFORE = "fetch_job_next", "fetch_job_pending"


def upgrade() -> None:
    """Create its index; drop the one that it takes the place of."""
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_NEXT}")
        op.execute(
            f"CREATE INDEX CONCURRENTLY {_NEXT} ON fetch_job"
            " (host, rank, (finished_at IS NOT NULL), id) WHERE state = 'pending'"
        )
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_BEFORE}")


def downgrade() -> None:
    """Drop the one and create the other."""
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_BEFORE}")
        op.execute(
            f"CREATE INDEX CONCURRENTLY {_BEFORE} ON fetch_job (host, rank, id)"
            " WHERE state = 'pending'"
        )
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_NEXT}")
