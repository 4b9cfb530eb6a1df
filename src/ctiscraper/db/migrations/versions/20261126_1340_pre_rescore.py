"""Things whose articles are to be scored anew, since the team decided otherwise of them."""

from alembic import op

revision = "20261126_1340"
down_revision = "20261126_1330"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Articles are gone through from the newest on: those seen after (seen_at, article_id) are done.
    """
    CREATE TABLE entity_rescore (
        entity_id bigint PRIMARY KEY REFERENCES entity ON DELETE CASCADE,
        seen_at timestamptz,
        article_id bigint
    )
    """,
)


def upgrade() -> None:
    """Create the table."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop it."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("DROP TABLE entity_rescore")
