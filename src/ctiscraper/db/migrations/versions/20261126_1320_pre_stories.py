"""What stories need: articles that stand alone, round-ups, and what was decided by hand."""

from alembic import op

revision = "20261126_1320"
down_revision = "20261126_1310"
branch_labels = None
depends_on = None

UP = (
    # Most articles have a story of their own: one narrow row says that they were judged.
    "ALTER TABLE story_article ALTER COLUMN story_id DROP NOT NULL",
    "ALTER TABLE story_article ADD COLUMN roundup boolean NOT NULL DEFAULT false",
    "ALTER TABLE story_article ADD COLUMN breadth integer NOT NULL DEFAULT 0",
    "DROP INDEX story_article_story",
    """
    CREATE INDEX story_article_story ON story_article (story_id, article_id)
        WHERE story_id IS NOT NULL
    """,
    "CREATE INDEX story_merged ON story (merged_into) WHERE merged_into IS NOT NULL",
    # A round-up touches many stories and belongs to none.
    """
    CREATE TABLE story_also (
        story_id bigint NOT NULL REFERENCES story ON DELETE CASCADE,
        article_id bigint NOT NULL REFERENCES article ON DELETE CASCADE,
        PRIMARY KEY (story_id, article_id)
    )
    """,
    "CREATE INDEX story_also_article ON story_also (article_id)",
    # `one` and `other` were parted; `before` says where each article was, to undo it.
    """
    CREATE TABLE story_decision (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        action text NOT NULL CHECK (action IN ('split', 'merge', 'move')),
        story_id bigint NOT NULL REFERENCES story,
        other_story bigint REFERENCES story,
        articles bigint[] NOT NULL,
        one bigint[] NOT NULL DEFAULT '{}',
        other bigint[] NOT NULL DEFAULT '{}',
        before jsonb NOT NULL,
        actor text NOT NULL,
        reason text NOT NULL DEFAULT '',
        made_at timestamptz NOT NULL DEFAULT now(),
        undone_at timestamptz,
        undone_by text
    )
    """,
    """
    CREATE INDEX story_decision_articles ON story_decision USING gin (articles)
        WHERE undone_at IS NULL
    """,
    "CREATE INDEX story_decision_story ON story_decision (story_id)",
    "CREATE INDEX story_decision_other ON story_decision (other_story)",
)
DOWN = (
    "DROP TABLE story_decision",
    "DROP TABLE story_also",
    "DROP INDEX story_merged",
    "DROP INDEX story_article_story",
    "DELETE FROM story_article WHERE story_id IS NULL",
    "ALTER TABLE story_article DROP COLUMN breadth, DROP COLUMN roundup",
    "ALTER TABLE story_article ALTER COLUMN story_id SET NOT NULL",
    "CREATE INDEX story_article_story ON story_article (story_id)",
)


def upgrade() -> None:
    """Widen what was laid out for stories, and add the tables."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    """Undo it; which articles stand alone is forgotten."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for statement in DOWN:
        op.execute(statement)
