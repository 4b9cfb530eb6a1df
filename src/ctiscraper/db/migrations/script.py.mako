"""${message}."""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply, waiting at most two seconds for any lock."""
    op.execute("SET LOCAL lock_timeout = '2s'")
    ${upgrades if upgrades else "raise NotImplementedError"}


def downgrade() -> None:
    """Undo."""
    op.execute("SET LOCAL lock_timeout = '2s'")
    ${downgrades if downgrades else "raise NotImplementedError"}
