"""People, their sessions and the tokens of their programs."""

from alembic import op

revision = "20261126_1800"
down_revision = "20261126_1700"
branch_labels = None
depends_on = None

STATEMENTS = (
    # `login` is kept in lower case; without a hash he comes by another way than a password.
    """
    CREATE TABLE app_user (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        login text NOT NULL UNIQUE COLLATE "C" CHECK (login = lower(login) AND login <> ''),
        name text NOT NULL,
        role text NOT NULL CHECK (role IN ('viewer', 'analyst', 'curator', 'admin')),
        password_hash text,
        created_at timestamptz NOT NULL DEFAULT now(),
        password_changed_at timestamptz,
        last_login_at timestamptz,
        disabled_at timestamptz
    )
    """,
    # `id` is the SHA-256 of what the cookie holds.
    """
    CREATE TABLE user_session (
        id bytea PRIMARY KEY CHECK (length(id) = 32),
        user_id bigint NOT NULL REFERENCES app_user ON DELETE CASCADE,
        created_at timestamptz NOT NULL DEFAULT now(),
        seen_at timestamptz NOT NULL DEFAULT now(),
        sudo_until timestamptz,
        ip inet,
        agent text NOT NULL DEFAULT ''
    )
    """,
    "CREATE INDEX user_session_by_user ON user_session (user_id)",
    # `secret` is the SHA-256 of the token's secret part.
    """
    CREATE TABLE api_token (
        id text PRIMARY KEY COLLATE "C",
        user_id bigint REFERENCES app_user ON DELETE CASCADE,
        name text NOT NULL,
        secret bytea NOT NULL CHECK (length(secret) = 32),
        scopes text[] NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz,
        last_used_at timestamptz,
        revoked_at timestamptz
    )
    """,
    "CREATE INDEX api_token_by_user ON api_token (user_id)",
)


def upgrade() -> None:
    """Create the tables."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for table in ("api_token", "user_session", "app_user"):
        op.execute(f"DROP TABLE {table}")
