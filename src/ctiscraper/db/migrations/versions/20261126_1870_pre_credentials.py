"""What a token has made, forms that wait for a confirmation, and logins that were finished."""

from alembic import op

revision = "20261126_1870"
down_revision = "20261126_1860"
branch_labels = None
depends_on = None

STATEMENTS = (
    # The token by which it was made: it ends with it.
    """
    ALTER TABLE api_token
        ADD COLUMN made_by text COLLATE "C" REFERENCES api_token ON DELETE SET NULL
    """,
    "CREATE INDEX api_token_by_maker ON api_token (made_by) WHERE made_by IS NOT NULL",
    """
    ALTER TABLE saved_search_feed
        ADD COLUMN made_by text COLLATE "C" REFERENCES api_token ON DELETE SET NULL
    """,
    """
    CREATE INDEX saved_search_feed_by_maker ON saved_search_feed (made_by)
        WHERE made_by IS NOT NULL
    """,
    # What somebody sent before he was asked who he is once more: `typed` is sealed for him.
    """
    CREATE TABLE session_form (
        session_id bytea PRIMARY KEY REFERENCES user_session ON DELETE CASCADE,
        typed text NOT NULL,
        kept_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    # A state that somebody came back from the provider with: it is good no more.
    """
    CREATE TABLE sign_on_used (
        state bytea PRIMARY KEY CHECK (length(state) = 32),
        used_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX sign_on_used_by_time ON sign_on_used (used_at)",
)


def upgrade() -> None:
    """Add the columns and create the tables."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for table in ("sign_on_used", "session_form"):
        op.execute(f"DROP TABLE {table}")
    for table in ("saved_search_feed", "api_token"):
        op.execute(f"ALTER TABLE {table} DROP COLUMN made_by")
