"""How often a check of a source was begun and not ended, in a row: it may end its worker."""

from alembic import op

revision = "20261128_1560"
down_revision = "20261128_1550"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Count it beside the lease."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("ALTER TABLE source_state ADD COLUMN tries smallint NOT NULL DEFAULT 0")


def downgrade() -> None:
    """Count it no more."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("ALTER TABLE source_state DROP COLUMN tries")
