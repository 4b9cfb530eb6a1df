"""Which items sources wait for that others have, so that none is lost when those give them up."""

from alembic import op

revision = "20261128_1510"
down_revision = "20261128_1200"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Who waits for what is known of whole readings alone. Before the table is made: who holds a
    # source announces items next, and would wait for the tables that this one refers to.
    """
    UPDATE source_state SET etag = NULL, last_modified = NULL, body_sha256 = NULL
    WHERE num_nonnulls(etag, last_modified, body_sha256) > 0
    """,
    """
    CREATE TABLE awaited_item (
        source_id bigint NOT NULL REFERENCES source ON DELETE CASCADE,
        job_id bigint NOT NULL REFERENCES fetch_job ON DELETE CASCADE,
        PRIMARY KEY (source_id, job_id)
    )
    """,
)


def upgrade() -> None:
    """Have each source read whole once, then create the table."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the table."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("DROP TABLE awaited_item")
