"""What operations are watched by: how work ended minute by minute, requests made, bytes saved."""

from alembic import op

revision = "20261126_0700"
down_revision = "20261122_1800"
branch_labels = None
depends_on = None

STEPS = (
    # Each request takes its slot in its host's row anyway: counting there costs no further write.
    "ALTER TABLE host ADD COLUMN requests bigint NOT NULL DEFAULT 0",
    "CREATE TABLE request_mark (hour timestamptz PRIMARY KEY, requests bigint NOT NULL)",
    # What a full answer of the source weighed last: a 304 saves as much.
    "ALTER TABLE source_state ADD COLUMN full_bytes bigint",
    "ALTER TABLE source_check ADD COLUMN saved_bytes bigint NOT NULL DEFAULT 0",
    # Checks are only ever appended, so their times need no more than the bounds of their blocks.
    """
    CREATE INDEX source_check_time ON source_check USING brin (checked_at)
        WITH (pages_per_range = 32, autosummarize = on)
    """,
    "CREATE INDEX fetch_job_waiting ON fetch_job (rank, run_after) WHERE state = 'pending'",
    # A lane is a connection: no two transactions ever want the same row of the same minute.
    """
    CREATE TABLE work_count (
        minute timestamptz NOT NULL,
        lane integer NOT NULL,
        stored bigint NOT NULL DEFAULT 0,
        duplicate bigint NOT NULL DEFAULT 0,
        filtered bigint NOT NULL DEFAULT 0,
        failed bigint NOT NULL DEFAULT 0,
        dead bigint NOT NULL DEFAULT 0,
        refunds bigint NOT NULL DEFAULT 0,
        burnt bigint NOT NULL DEFAULT 0,
        pages bigint NOT NULL DEFAULT 0,
        page_bytes bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (minute, lane)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE FUNCTION count_work() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        refund boolean := coalesce(NEW.attempts < OLD.attempts, false);
        paged bigint;
    BEGIN
        IF NEW.snapshot_id IS DISTINCT FROM OLD.snapshot_id THEN
            SELECT bytes INTO paged FROM snapshot WHERE id = NEW.snapshot_id;
        END IF;
        INSERT INTO work_count AS w (minute, lane, stored, duplicate, filtered, failed, dead,
            refunds, burnt, pages, page_bytes)
        VALUES (date_trunc('minute', now()), pg_backend_pid(), (NEW.state = 'stored')::int,
            (NEW.state = 'duplicate')::int, (NEW.state = 'filtered')::int,
            (NEW.state = 'failed')::int, (NEW.state = 'dead')::int, refund::int,
            (NOT refund AND NEW.state IN ('pending', 'dead'))::int, (paged IS NOT NULL)::int,
            coalesce(paged, 0))
        ON CONFLICT (minute, lane) DO UPDATE SET stored = w.stored + excluded.stored,
            duplicate = w.duplicate + excluded.duplicate,
            filtered = w.filtered + excluded.filtered, failed = w.failed + excluded.failed,
            dead = w.dead + excluded.dead, refunds = w.refunds + excluded.refunds,
            burnt = w.burnt + excluded.burnt, pages = w.pages + excluded.pages,
            page_bytes = w.page_bytes + excluded.page_bytes;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER fetch_job_let_go AFTER UPDATE OF state ON fetch_job FOR EACH ROW
        WHEN (OLD.state = 'leased' AND NEW.state <> 'leased') EXECUTE FUNCTION count_work()
    """,
    # Some items are over when they are announced: shut out by a gate, or without an address.
    """
    CREATE TRIGGER fetch_job_refused AFTER INSERT ON fetch_job FOR EACH ROW
        WHEN (NEW.state IN ('filtered', 'failed')) EXECUTE FUNCTION count_work()
    """,
)

BACK = (
    "DROP TRIGGER fetch_job_refused ON fetch_job",
    "DROP TRIGGER fetch_job_let_go ON fetch_job",
    "DROP FUNCTION count_work()",
    "DROP TABLE work_count",
    "DROP INDEX fetch_job_waiting",
    "DROP INDEX source_check_time",
    "ALTER TABLE source_check DROP COLUMN saved_bytes",
    "ALTER TABLE source_state DROP COLUMN full_bytes",
    "DROP TABLE request_mark",
    "ALTER TABLE host DROP COLUMN requests",
)


def upgrade() -> None:
    """Add the counters and what they are read by."""
    op.execute("SET LOCAL lock_timeout = '2s'")
    for statement in STEPS:
        op.execute(statement)


def downgrade() -> None:
    """Take the counters away."""
    op.execute("SET LOCAL lock_timeout = '2s'")
    for statement in BACK:
        op.execute(statement)
