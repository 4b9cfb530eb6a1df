"""Answers to writes that carried an Idempotency-Key, so that a second try gets the first one's."""

from alembic import op

revision = "20261126_0730"
down_revision = "20261126_0720"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE written_once (
        key text PRIMARY KEY COLLATE "C",
        request bytea NOT NULL,
        claim uuid NOT NULL,
        claimed_at timestamptz NOT NULL DEFAULT now(),
        status smallint,
        headers jsonb,
        body bytea
    )
    """,
    "CREATE INDEX written_once_age ON written_once (claimed_at)",
)


def upgrade() -> None:
    """Create the table."""
    op.execute("SET LOCAL lock_timeout = '2s'")
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the table."""
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("DROP TABLE written_once")
