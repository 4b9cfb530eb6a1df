"""Searches that people keep, their feeds, and the words that articles are written in."""

from alembic import op

revision = "20261126_1860"
down_revision = "20261126_1850"
branch_labels = None
depends_on = None

STATEMENTS = (
    # What a misspelt word may have been meant for. `letters` is a bit for each letter that the
    # word has: two words that differ in little differ in few of them.
    """
    CREATE TABLE known_word (
        word text PRIMARY KEY COLLATE "C",
        letters integer NOT NULL,
        articles integer NOT NULL
    ) WITH (fillfactor = 70)
    """,
    # Up to which article they were counted, and of how many.
    """
    CREATE TABLE known_word_progress (
        single boolean PRIMARY KEY DEFAULT true CHECK (single),
        last_article bigint NOT NULL,
        articles bigint NOT NULL
    )
    """,
    # `uid` names its feed wherever it is read, whatever token its address has.
    """
    CREATE TABLE saved_search (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        uid uuid NOT NULL DEFAULT gen_random_uuid(),
        user_id bigint NOT NULL REFERENCES app_user ON DELETE CASCADE,
        name text NOT NULL CHECK (name <> ''),
        query text NOT NULL CHECK (query <> ''),
        sort text NOT NULL CHECK (sort IN ('newest', 'relevance')),
        shared boolean NOT NULL DEFAULT false,
        place integer NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now(),
        changed_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (user_id, name)
    )
    """,
    "CREATE INDEX saved_search_shared ON saved_search (name) WHERE shared",
    # Up to which article somebody had looked at what it finds.
    """
    CREATE TABLE saved_search_seen (
        search_id bigint NOT NULL REFERENCES saved_search ON DELETE CASCADE,
        user_id bigint NOT NULL REFERENCES app_user ON DELETE CASCADE,
        last_article bigint NOT NULL,
        seen_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (search_id, user_id)
    )
    """,
    "CREATE INDEX saved_search_seen_by_user ON saved_search_seen (user_id)",
    # `key` is the SHA-256 of the token in the address.
    """
    CREATE TABLE saved_search_feed (
        key bytea PRIMARY KEY CHECK (length(key) = 32),
        search_id bigint NOT NULL REFERENCES saved_search ON DELETE CASCADE,
        user_id bigint NOT NULL REFERENCES app_user ON DELETE CASCADE,
        made_at timestamptz NOT NULL DEFAULT now(),
        last_used_at timestamptz,
        UNIQUE (search_id, user_id)
    )
    """,
    "CREATE INDEX saved_search_feed_by_user ON saved_search_feed (user_id)",
)
TABLES = (
    "saved_search_feed",
    "saved_search_seen",
    "saved_search",
    "known_word_progress",
    "known_word",
)


def upgrade() -> None:
    """Create the tables."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
