"""Forms that were sent by sessions which had ended, until their owners come by the provider."""

from alembic import op

revision = "20261127_0300"
down_revision = "20261126_1890"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    # One each: `typed` is sealed for its owner.
    op.execute(
        """
        CREATE TABLE lost_form (
            user_id bigint PRIMARY KEY REFERENCES app_user ON DELETE CASCADE,
            typed text NOT NULL,
            kept_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )


def downgrade() -> None:
    """Drop it."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("DROP TABLE lost_form")
