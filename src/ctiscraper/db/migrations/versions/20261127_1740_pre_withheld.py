"""Texts without passages because their marking keeps them from the model that makes vectors."""

from alembic import op

revision = "20261127_1740"
down_revision = "20261127_1030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Note beside a text that was withheld the marking that it bears itself."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("ALTER TABLE embedded_text ADD COLUMN withheld text")


def downgrade() -> None:
    """Forget it, and let those texts be looked at again."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("DELETE FROM embedded_text WHERE withheld IS NOT NULL")
    op.execute("ALTER TABLE embedded_text DROP COLUMN withheld")
