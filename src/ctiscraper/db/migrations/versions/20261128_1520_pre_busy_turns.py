"""How often in a row a host on an item's way had no turn for it, so that it waits longer."""

from alembic import op

revision = "20261128_1520"
down_revision = "20261128_1510"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Count beside an item what costs it nothing."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("ALTER TABLE fetch_job ADD COLUMN busy_turns smallint NOT NULL DEFAULT 0")


def downgrade() -> None:
    """Forget it."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("ALTER TABLE fetch_job DROP COLUMN busy_turns")
