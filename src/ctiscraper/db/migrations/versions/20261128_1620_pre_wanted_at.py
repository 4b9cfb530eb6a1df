"""When vectors by a model were wanted last, so that those of one that is in use are kept."""

from alembic import op

revision = "20261128_1620"
down_revision = "20261128_1610"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Note it beside each model; those that are here count from now."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute(
        "ALTER TABLE embedding_model ADD COLUMN wanted_at timestamptz NOT NULL DEFAULT now()"
    )


def downgrade() -> None:
    """Forget it."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("ALTER TABLE embedding_model DROP COLUMN wanted_at")
