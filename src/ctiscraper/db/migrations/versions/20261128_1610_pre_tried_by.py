"""With which question a server of models is tried, since other servers answer at the same time."""

from alembic import op

revision = "20261128_1610"
down_revision = "20261128_1560"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Note beside a server the lease of the text that it is tried with."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("ALTER TABLE model_server ADD COLUMN tried_by uuid")


def downgrade() -> None:
    """Forget it."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("ALTER TABLE model_server DROP COLUMN tried_by")
