"""What was done by whom, in a chain that is only added to; and who came from where else."""

from alembic import op

revision = "20261126_1820"
down_revision = "20261126_1810"
branch_labels = None
depends_on = None

# "audi" and "t"; it is held from a new link of the chain to the end of its transaction.
LOCK = 0x6175646974

STATEMENTS = (
    # A user, a token or an object may be gone one day, its entries are not: nothing refers to it.
    """
    CREATE TABLE audit_entry (
        id bigint PRIMARY KEY,
        at timestamptz NOT NULL,
        actor_kind text NOT NULL
            CHECK (actor_kind IN ('user', 'token', 'command', 'program', 'nobody')),
        actor_id bigint,
        actor_token text NOT NULL DEFAULT '',
        actor_name text NOT NULL,
        action text NOT NULL COLLATE "C" CHECK (action <> ''),
        object_kind text NOT NULL DEFAULT '' COLLATE "C",
        object_id text NOT NULL DEFAULT '' COLLATE "C",
        before_hash bytea CHECK (length(before_hash) = 32),
        after_hash bytea CHECK (length(after_hash) = 32),
        changes json NOT NULL DEFAULT '{}',
        ip text NOT NULL DEFAULT '',
        request_id text NOT NULL DEFAULT '',
        previous_hash bytea NOT NULL CHECK (length(previous_hash) = 32),
        hash bytea NOT NULL CHECK (length(hash) = 32),
        CHECK (actor_token || actor_name || action || object_kind || object_id || changes::text
            || ip || request_id !~ '[\\x01-\\x1f\\x7f]')
    )
    """,
    "CREATE INDEX audit_entry_by_actor ON audit_entry (lower(actor_name), id)",
    "CREATE INDEX audit_entry_by_action ON audit_entry (action, id)",
    "CREATE INDEX audit_entry_by_object ON audit_entry (object_kind, object_id, id)",
    "CREATE INDEX audit_entry_by_time ON audit_entry (at, id)",
    # Number, time and hashes are the database's: whoever may only insert cannot choose them, and
    # needs no right to read what is there. One link at a time: the lock ends with its transaction.
    f"""
    CREATE FUNCTION audit_chain() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
        chain text := format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME);
        last_id bigint;
        last_hash bytea;
    BEGIN
        PERFORM pg_advisory_xact_lock({LOCK});
        EXECUTE 'SELECT id, hash FROM ' || chain || ' ORDER BY id DESC LIMIT 1'
            INTO last_id, last_hash;
        NEW.id := coalesce(last_id, 0) + 1;
        NEW.at := clock_timestamp();
        NEW.previous_hash := coalesce(last_hash, decode(repeat('00', 32), 'hex'));
        NEW.hash := sha256(convert_to(concat_ws(E'\\n',
            encode(NEW.previous_hash, 'hex'),
            NEW.id::text,
            to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            NEW.actor_kind, coalesce(NEW.actor_id::text, ''), NEW.actor_token, NEW.actor_name,
            NEW.action, NEW.object_kind, NEW.object_id,
            coalesce(encode(NEW.before_hash, 'hex'), ''),
            coalesce(encode(NEW.after_hash, 'hex'), ''),
            NEW.changes::text, NEW.ip, NEW.request_id), 'UTF8'));
        RETURN NEW;
    END
    $$
    """,  # noqa: S608 - a constant
    """
    CREATE TRIGGER audit_entry_chain BEFORE INSERT ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION audit_chain()
    """,
    """
    CREATE FUNCTION audit_refuse() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
        RAISE EXCEPTION 'entries of the audit log are added, never changed or removed'
            USING ERRCODE = 'insufficient_privilege';
    END
    $$
    """,
    """
    CREATE TRIGGER audit_entry_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()
    """,
    # A session that plays back another server's changes is no exception.
    "ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_stays",
    # Who a user is at the provider that vouches for him; logins may change there, subjects do not.
    # `shut_out` is whoever was disabled because the provider gives him no role any more.
    """
    CREATE TABLE user_identity (
        issuer text NOT NULL COLLATE "C",
        subject text NOT NULL COLLATE "C",
        user_id bigint NOT NULL REFERENCES app_user ON DELETE CASCADE,
        created_at timestamptz NOT NULL DEFAULT now(),
        seen_at timestamptz NOT NULL DEFAULT now(),
        shut_out boolean NOT NULL DEFAULT false,
        PRIMARY KEY (issuer, subject)
    )
    """,
    "CREATE INDEX user_identity_by_user ON user_identity (user_id)",
    # A way to a provider that somebody is on; `browser` is the hash of what his cookie holds.
    """
    CREATE TABLE sign_on (
        state bytea PRIMARY KEY CHECK (length(state) = 32),
        browser bytea NOT NULL CHECK (length(browser) = 32),
        nonce text NOT NULL,
        verifier text NOT NULL,
        target text NOT NULL,
        begun_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX sign_on_by_time ON sign_on (begun_at)",
)


def upgrade() -> None:
    """Create the tables."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables, the log with them."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for table in ("sign_on", "user_identity", "audit_entry"):
        op.execute(f"DROP TABLE {table}")
    for function in ("audit_refuse", "audit_chain"):
        op.execute(f"DROP FUNCTION {function}")
