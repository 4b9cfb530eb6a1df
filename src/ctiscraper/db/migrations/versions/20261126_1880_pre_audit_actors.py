"""Entries of the audit log are found by user and by token, whatever these are called."""

from alembic import op

revision = "20261126_1880"
down_revision = "20261126_1870"
branch_labels = None
depends_on = None

INDEXES = {
    "audit_entry_by_user": "(actor_id, id) WHERE actor_id IS NOT NULL",
    "audit_entry_by_token": "(actor_token, id) WHERE actor_token <> ''",
}


def upgrade() -> None:
    """Make the indexes beside those who add entries; what a failed try left is made anew."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    with op.get_context().autocommit_block():
        for name, columns in INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON audit_entry {columns}")


def downgrade() -> None:
    """Drop them."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    with op.get_context().autocommit_block():
        for name in INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
