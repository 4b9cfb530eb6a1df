"""How often an analysis was let off for a fault that said more of the server of models."""

from alembic import op

revision = "20261127_2100"
down_revision = "20261127_1740"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Count it beside the attempts."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("ALTER TABLE model_analysis ADD COLUMN spared smallint NOT NULL DEFAULT 0")


def downgrade() -> None:
    """Count it no more."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("ALTER TABLE model_analysis DROP COLUMN spared")
