"""What people log in with beside a password, and how often somebody tries."""

from alembic import op

revision = "20261126_1810"
down_revision = "20261126_1800"
branch_labels = None
depends_on = None

STATEMENTS = (
    # `id` is the SHA-256 of the secret.
    """
    CREATE TABLE one_time_secret (
        id bytea PRIMARY KEY CHECK (length(id) = 32),
        purpose text NOT NULL,
        user_id bigint REFERENCES app_user ON DELETE CASCADE,
        expires_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX one_time_secret_by_expiry ON one_time_secret (expires_at)",
    # Not logged: after a crash everybody may try again.
    """
    CREATE UNLOGGED TABLE attempt (
        key bytea PRIMARY KEY,
        hits timestamptz[] NOT NULL,
        last_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX attempt_by_time ON attempt (last_at)",
    # `secret` is sealed with the installation's key; a step of time is taken once.
    """
    CREATE TABLE user_totp (
        user_id bigint PRIMARY KEY REFERENCES app_user ON DELETE CASCADE,
        secret bytea NOT NULL,
        last_step bigint NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL DEFAULT now(),
        confirmed_at timestamptz
    )
    """,
    """
    CREATE TABLE recovery_code (
        user_id bigint NOT NULL REFERENCES app_user ON DELETE CASCADE,
        id bytea NOT NULL CHECK (length(id) = 32),
        PRIMARY KEY (user_id, id)
    )
    """,
    """
    CREATE TABLE passkey (
        id bytea PRIMARY KEY,
        user_id bigint NOT NULL REFERENCES app_user ON DELETE CASCADE,
        name text NOT NULL,
        public_key bytea NOT NULL,
        sign_count bigint NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        last_used_at timestamptz
    )
    """,
    "CREATE INDEX passkey_by_user ON passkey (user_id)",
)


def upgrade() -> None:
    """Create the tables."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for table in ("passkey", "recovery_code", "user_totp", "attempt", "one_time_secret"):
        op.execute(f"DROP TABLE {table}")
