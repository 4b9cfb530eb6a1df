"""Changes of packs whose texts are still to be looked through again."""

from alembic import op

revision = "20261128_2250"
down_revision = "20261128_1620"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make a table of them: one row a pack, from the one before the first such change."""
    op.execute(
        """
        CREATE TABLE pack_change (
            name text PRIMARY KEY,
            old_sha256 bytea NOT NULL,
            new_sha256 bytea NOT NULL,
            changed_at timestamptz NOT NULL DEFAULT now(),
            held_until timestamptz
        )
        """
    )


def downgrade() -> None:
    """Forget them."""
    op.execute("DROP TABLE pack_change")
