"""Every name that things are known by, so that a search for one finds them under the others."""

from alembic import op

revision = "20261126_1700"
down_revision = "20261126_1340"
branch_labels = None
depends_on = None

STATEMENTS = (
    # `label` is the letters and digits of a name, in lower case.
    """
    CREATE TABLE known_name (
        label text NOT NULL COLLATE "C",
        kind text NOT NULL COLLATE "C",
        value text NOT NULL COLLATE "C",
        name text NOT NULL,
        PRIMARY KEY (label, kind, value)
    )
    """,
    # Of which pack they are.
    """
    CREATE TABLE known_name_pack (
        single boolean PRIMARY KEY DEFAULT true CHECK (single),
        sha256 bytea NOT NULL
    )
    """,
)


def upgrade() -> None:
    """Create the tables."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("DROP TABLE known_name_pack")
    op.execute("DROP TABLE known_name")
