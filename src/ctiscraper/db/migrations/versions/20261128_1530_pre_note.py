"""What the last reading of a source in full noted, also while its checks fail."""

from alembic import op

revision = "20261128_1530"
down_revision = "20261128_1520"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep it beside what its last check came to."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("ALTER TABLE source_state ADD COLUMN note text NOT NULL DEFAULT ''")


def downgrade() -> None:
    """Forget it."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("ALTER TABLE source_state DROP COLUMN note")
