"""When the last turn of a host was over, so that nobody keeps it from its next one for long."""

from alembic import op

revision = "20261128_1550"
down_revision = "20261128_1545"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep it beside the lease."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("ALTER TABLE host ADD COLUMN turn_at timestamptz NOT NULL DEFAULT '-infinity'")


def downgrade() -> None:
    """Forget it."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("ALTER TABLE host DROP COLUMN turn_at")
