"""What questions and vectors that are under way may still cost, so that no budget is passed."""

from alembic import op

revision = "20261127_2110"
down_revision = "20261127_2100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; a row is there for as long as somebody asks."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute(
        """
        CREATE TABLE model_reserved (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            model text NOT NULL,
            tokens bigint NOT NULL,
            held_until timestamptz NOT NULL
        ) WITH (fillfactor = 70)
        """
    )


def downgrade() -> None:
    """Drop it."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("DROP TABLE model_reserved")
