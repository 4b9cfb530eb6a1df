"""What is held back of budgets is found by itself, whatever became of the question it is for."""

from alembic import op

revision = "20261128_0140"
down_revision = "20261127_2120"
branch_labels = None
depends_on = None

_RESERVED, _NEXT = "model_analysis_reserved", "model_analysis_next"


def upgrade() -> None:
    """Create its index; drop one that turns by source and model took the place of."""
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_RESERVED}")
        op.execute(
            f"CREATE INDEX CONCURRENTLY {_RESERVED} ON model_analysis (source_id)"
            " WHERE reserved > 0"
        )
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_NEXT}")


def downgrade() -> None:
    """Drop the one and create the other."""
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_NEXT}")
        op.execute(
            f"CREATE INDEX CONCURRENTLY {_NEXT} ON model_analysis (source_id, rank, id)"
            " WHERE state = 'pending'"
        )
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_RESERVED}")
