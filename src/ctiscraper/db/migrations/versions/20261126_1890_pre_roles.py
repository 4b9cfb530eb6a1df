"""The roles that parts of the program have in the database, so that their rights are renewed."""

from alembic import op

revision = "20261126_1890"
down_revision = "20261126_1880"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    # Roles belong to the server and may be gone, or be another's, where this is restored.
    op.execute(
        """
        CREATE TABLE database_role (
            name text PRIMARY KEY COLLATE "C",
            part text NOT NULL CHECK (part IN ('web', 'worker'))
        )
        """
    )


def downgrade() -> None:
    """Drop the table; the roles stay."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("DROP TABLE database_role")
