"""Which faults parts of a long article met, told apart from what had no room."""

from alembic import op

revision = "20261128_1545"
down_revision = "20261128_1540"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Count them beside what was not read."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("ALTER TABLE model_analysis ADD COLUMN failed_parts jsonb NOT NULL DEFAULT '{}'")


def downgrade() -> None:
    """Forget them."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("ALTER TABLE model_analysis DROP COLUMN failed_parts")
