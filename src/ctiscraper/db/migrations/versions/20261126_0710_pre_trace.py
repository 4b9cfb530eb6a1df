"""The trace of the check that announced an item."""

from alembic import op

revision = "20261126_0710"
down_revision = "20261126_0700"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; without a default it costs no rewrite, and old programs pass over it."""
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE fetch_job ADD COLUMN IF NOT EXISTS trace text")


def downgrade() -> None:
    """Forget the traces."""
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE fetch_job DROP COLUMN IF EXISTS trace")
