"""What people make of articles: read and star, state, tags, notes, highlights, and the way back."""

from alembic import op

revision = "20261126_1830"
down_revision = "20261126_1820"
branch_labels = None
depends_on = None

STATEMENTS = (
    # All articles up to `read_through` are read, all beyond `new_after` came since the last visit,
    # which began after `new_since`; `seen_through` was the newest when he last looked.
    """
    CREATE TABLE reader (
        user_id bigint PRIMARY KEY REFERENCES app_user ON DELETE CASCADE,
        read_through bigint NOT NULL DEFAULT 0,
        new_after bigint NOT NULL DEFAULT 0,
        new_since timestamptz,
        seen_through bigint NOT NULL DEFAULT 0,
        seen_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    # Where `read` is NULL, the reader's `read_through` decides.
    """
    CREATE TABLE article_reader (
        user_id bigint NOT NULL REFERENCES app_user ON DELETE CASCADE,
        article_id bigint NOT NULL REFERENCES article ON DELETE CASCADE,
        read boolean,
        read_at timestamptz,
        starred_at timestamptz,
        PRIMARY KEY (user_id, article_id)
    )
    """,
    "CREATE INDEX article_reader_by_article ON article_reader (article_id)",
    """
    CREATE INDEX article_reader_unread ON article_reader (user_id, article_id) WHERE NOT read
    """,
    """
    CREATE INDEX article_reader_starred ON article_reader (user_id, article_id)
        WHERE starred_at IS NOT NULL
    """,
    # An article without a row is new, nobody's and without tags.
    """
    CREATE TABLE article_triage (
        article_id bigint PRIMARY KEY REFERENCES article ON DELETE CASCADE,
        state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'review', 'done', 'ignored')),
        assignee_id bigint REFERENCES app_user ON DELETE SET NULL,
        tags text[] NOT NULL DEFAULT '{}' COLLATE "C",
        changed_at timestamptz NOT NULL DEFAULT now(),
        changed_by text NOT NULL
    )
    """,
    """
    CREATE INDEX article_triage_state ON article_triage (state, article_id) WHERE state <> 'new'
    """,
    """
    CREATE INDEX article_triage_assignee ON article_triage (assignee_id, article_id)
        WHERE assignee_id IS NOT NULL
    """,
    "CREATE INDEX article_triage_tags ON article_triage USING gin (tags)",
    # `former` has what the changed articles were, so that `owner` can undo the change once.
    """
    CREATE TABLE triage_change (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        owner text NOT NULL,
        field text NOT NULL,
        value text NOT NULL,
        articles integer NOT NULL,
        former jsonb NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now(),
        undone_at timestamptz
    )
    """,
    "CREATE INDEX triage_change_made ON triage_change (made_at)",
    """
    CREATE TABLE article_note (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        article_id bigint NOT NULL REFERENCES article ON DELETE CASCADE,
        user_id bigint REFERENCES app_user ON DELETE SET NULL,
        author text NOT NULL,
        body text NOT NULL CHECK (body <> ''),
        version integer NOT NULL DEFAULT 1,
        made_at timestamptz NOT NULL DEFAULT now(),
        edited_at timestamptz,
        edited_by text
    )
    """,
    "CREATE INDEX article_note_article ON article_note (article_id, id)",
    "CREATE INDEX article_note_user ON article_note (user_id) WHERE user_id IS NOT NULL",
    # The words stood at `start_at` of the text of this revision, between `before` and `after`.
    """
    CREATE TABLE article_highlight (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        article_id bigint NOT NULL REFERENCES article ON DELETE CASCADE,
        user_id bigint REFERENCES app_user ON DELETE SET NULL,
        author text NOT NULL,
        revision integer NOT NULL,
        start_at integer NOT NULL CHECK (start_at >= 0),
        quote text NOT NULL CHECK (quote <> ''),
        before text NOT NULL,
        after text NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX article_highlight_article ON article_highlight (article_id, id)",
    "CREATE INDEX article_highlight_user ON article_highlight (user_id) WHERE user_id IS NOT NULL",
)

TABLES = (
    "article_highlight",
    "article_note",
    "triage_change",
    "article_triage",
    "article_reader",
    "reader",
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
