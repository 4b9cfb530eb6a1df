"""The team's watchlist, where its entries stand, and what a score is made of anew from."""

from alembic import op

revision = "20261126_1330"
down_revision = "20261126_1320"
branch_labels = None
depends_on = None

STATEMENTS = (
    # A removed entry stays as its own record. Articles are held against an entry from the newest
    # on: those listed after (matched_at, matched_id) are done, none while that is NULL.
    """
    CREATE TABLE watchlist_entry (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kind text NOT NULL,
        term text NOT NULL,
        entity_id bigint REFERENCES entity ON DELETE SET NULL,
        weight real NOT NULL CHECK (weight > 0 AND weight <= 1),
        note text NOT NULL DEFAULT '',
        actor text NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now(),
        removed_at timestamptz,
        removed_by text,
        matched_at timestamptz,
        matched_id bigint,
        settled boolean NOT NULL DEFAULT false
    )
    """,
    """
    CREATE UNIQUE INDEX watchlist_entry_term ON watchlist_entry (kind, lower(term))
        WHERE removed_at IS NULL
    """,
    "CREATE INDEX watchlist_entry_unsettled ON watchlist_entry (id) WHERE NOT settled",
    """
    CREATE TABLE watch_hit (
        entry_id bigint NOT NULL REFERENCES watchlist_entry ON DELETE CASCADE,
        article_id bigint NOT NULL REFERENCES article ON DELETE CASCADE,
        count integer NOT NULL,
        prominent boolean NOT NULL,
        starts integer NOT NULL,
        ends integer NOT NULL,
        PRIMARY KEY (entry_id, article_id)
    )
    """,
    "CREATE INDEX watch_hit_article ON watch_hit (article_id)",
    # What the text alone gave, under which weights it was joined with the rest, and from when on
    # it has to be joined anew.
    """
    ALTER TABLE article_score
        ADD COLUMN text_parts jsonb NOT NULL DEFAULT '[]',
        ADD COLUMN basis text NOT NULL DEFAULT '',
        ADD COLUMN listed_at timestamptz NOT NULL DEFAULT now(),
        ADD COLUMN stale_at timestamptz
    """,
    """
    ALTER TABLE article_score ADD COLUMN day date NOT NULL
        GENERATED ALWAYS AS ((listed_at AT TIME ZONE 'UTC')::date) STORED
    """,
    # The best of each day: a list by score takes the first few of every day of its period.
    "CREATE INDEX article_score_day ON article_score (day, score DESC, article_id DESC)",
    "CREATE INDEX article_score_newest ON article_score (listed_at DESC, article_id DESC)",
    "CREATE INDEX article_score_stale ON article_score (stale_at) WHERE stale_at IS NOT NULL",
    # How far a change of the weights has come, from the newest article on.
    """
    CREATE TABLE score_sweep (
        single boolean PRIMARY KEY DEFAULT true CHECK (single),
        basis text NOT NULL DEFAULT '',
        swept_at timestamptz,
        swept_id bigint,
        done boolean NOT NULL DEFAULT true
    )
    """,
    "INSERT INTO score_sweep DEFAULT VALUES",
)


def upgrade() -> None:
    """Create the tables, and what scores need to be made anew."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them; scores stay as they were."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for table in ("score_sweep", "watch_hit", "watchlist_entry"):
        op.execute(f"DROP TABLE {table}")
    op.execute(
        "ALTER TABLE article_score DROP COLUMN day, DROP COLUMN stale_at, DROP COLUMN listed_at, "
        "DROP COLUMN basis, DROP COLUMN text_parts"
    )
