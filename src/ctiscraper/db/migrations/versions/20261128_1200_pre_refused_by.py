"""By which rules a source refused an item, so that another one that wants it may have it."""

from alembic import op

revision = "20261128_1200"
down_revision = "20261128_0140"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Note beside who announced an item the key of the rules by which he refused it."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("ALTER TABLE sighting ADD COLUMN refused_by bytea")


def downgrade() -> None:
    """Forget it."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("ALTER TABLE sighting DROP COLUMN refused_by")
