"""Drafts of Sigma rules, every text that they had, and what was found out about them."""

from alembic import op

revision = "20261127_1010"
down_revision = "20261127_1000"
branch_labels = None
depends_on = None

STATEMENTS = (
    # `grade` and the columns beside it repeat what `checked` says, so that lists can be narrowed.
    """
    CREATE TABLE detection (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        article_id bigint NOT NULL REFERENCES article ON DELETE CASCADE,
        revision integer NOT NULL,
        rule_id uuid NOT NULL,
        origin text NOT NULL CHECK (origin IN ('template', 'model')),
        model text NOT NULL DEFAULT '',
        prompt text NOT NULL DEFAULT '',
        state text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'accepted', 'rejected')),
        version integer NOT NULL DEFAULT 1,
        title text NOT NULL,
        level text NOT NULL,
        category text NOT NULL,
        product text NOT NULL,
        techniques text[] NOT NULL,
        grade text CHECK (grade IN ('new', 'extends', 'covered')),
        is_valid boolean NOT NULL,
        positives integer NOT NULL,
        matched integer NOT NULL,
        benign_matched integer NOT NULL,
        evidence jsonb NOT NULL,
        events jsonb NOT NULL,
        checked jsonb NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now(),
        edited_at timestamptz,
        edited_by text NOT NULL DEFAULT '',
        decided_at timestamptz,
        decided_by text NOT NULL DEFAULT '',
        UNIQUE (article_id, rule_id)
    )
    """,
    "CREATE INDEX detection_state ON detection (state, id)",
    """
    CREATE TABLE detection_version (
        detection_id bigint NOT NULL REFERENCES detection ON DELETE CASCADE,
        number integer NOT NULL,
        yaml text NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now(),
        made_by text NOT NULL,
        PRIMARY KEY (detection_id, number)
    )
    """,
)

TABLES = ("detection_version", "detection")


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
