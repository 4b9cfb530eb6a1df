"""How often each token has asked of late, for all web processes together."""

from alembic import op

revision = "20261127_1030"
down_revision = "20261127_1020"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Not logged: after a crash each may ask anew. A slot is five seconds of the server's clock.
    """
    CREATE UNLOGGED TABLE token_use (
        token_id text COLLATE "C",
        slot bigint,
        asked integer NOT NULL,
        PRIMARY KEY (token_id, slot)
    ) WITH (fillfactor = 50)
    """,
    "CREATE INDEX token_use_by_slot ON token_use (slot)",
)


def upgrade() -> None:
    """Create the table."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the table."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("DROP TABLE token_use")
