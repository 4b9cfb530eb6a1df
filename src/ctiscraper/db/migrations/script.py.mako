"""${message}."""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply: in well under a second, or in parts; what is CONCURRENTLY comes first, by itself."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    ${upgrades if upgrades else "raise NotImplementedError"}


def downgrade() -> None:
    """Undo."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    ${downgrades if downgrades else "raise NotImplementedError"}
