"""What language models said of articles, what waits for them, what they cost, what people think."""

from alembic import op

revision = "20261127_1000"
down_revision = "20261127_0430"
branch_labels = None
depends_on = None

STATEMENTS = (
    # When a source was last served, so that each has its turn, and until when its budget is spent.
    """
    CREATE TABLE model_source (
        source_id bigint PRIMARY KEY,
        served_at timestamptz,
        rest_until timestamptz
    ) WITH (fillfactor = 70)
    """,
    # What was spent, by day, source and model; `estimated` is of answers that nobody saw end.
    """
    CREATE TABLE model_spent (
        day date NOT NULL,
        source_id bigint NOT NULL,
        model text NOT NULL,
        calls integer NOT NULL DEFAULT 0,
        prompt_tokens bigint NOT NULL DEFAULT 0,
        answer_tokens bigint NOT NULL DEFAULT 0,
        estimated bigint NOT NULL DEFAULT 0,
        cost double precision NOT NULL DEFAULT 0,
        PRIMARY KEY (day, source_id, model)
    ) WITH (fillfactor = 80)
    """,
    # What is known of a server of models: whether it rests after failures, and what it has.
    """
    CREATE TABLE model_server (
        name text PRIMARY KEY,
        failures integer NOT NULL DEFAULT 0,
        rest_until timestamptz,
        fault text,
        detail text NOT NULL DEFAULT '',
        version text NOT NULL DEFAULT '',
        models text[] NOT NULL DEFAULT '{}',
        remote boolean NOT NULL DEFAULT false,
        seen_at timestamptz
    ) WITH (fillfactor = 80)
    """,
    """
    CREATE TABLE model_evaluation (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        made_at timestamptz NOT NULL DEFAULT now(),
        model text NOT NULL,
        actor text NOT NULL DEFAULT '',
        result jsonb NOT NULL
    )
    """,
    # One row for what one model makes of one text by one task and prompt; it is its own job.
    """
    CREATE TABLE model_analysis (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        article_id bigint NOT NULL REFERENCES article ON DELETE CASCADE,
        source_id bigint NOT NULL,
        revision integer NOT NULL,
        text_key bytea NOT NULL,
        task text NOT NULL,
        prompt_version text NOT NULL,
        model text NOT NULL,
        state text NOT NULL DEFAULT 'pending'
            CHECK (state IN ('pending', 'running', 'done', 'failed', 'cancelled')),
        rank smallint NOT NULL DEFAULT 1,
        again boolean NOT NULL DEFAULT false,
        asked_by text NOT NULL DEFAULT '',
        asked_at timestamptz NOT NULL DEFAULT now(),
        run_after timestamptz NOT NULL DEFAULT now(),
        attempts smallint NOT NULL DEFAULT 0,
        lease uuid,
        lease_until timestamptz,
        reserved integer NOT NULL DEFAULT 0,
        said integer NOT NULL DEFAULT 0,
        fault text,
        detail text NOT NULL DEFAULT '',
        raw text NOT NULL DEFAULT '',
        claims jsonb NOT NULL DEFAULT '[]',
        dropped integer NOT NULL DEFAULT 0,
        hidden integer NOT NULL DEFAULT 0,
        unread integer NOT NULL DEFAULT 0,
        parts integer NOT NULL DEFAULT 0,
        why jsonb NOT NULL DEFAULT '{}',
        repaired boolean NOT NULL DEFAULT false,
        prompt_tokens bigint NOT NULL DEFAULT 0,
        answer_tokens bigint NOT NULL DEFAULT 0,
        seconds real NOT NULL DEFAULT 0,
        cost double precision NOT NULL DEFAULT 0,
        copied_from bigint,
        started_at timestamptz,
        ended_at timestamptz,
        UNIQUE (article_id, text_key, task, prompt_version, model)
    ) WITH (fillfactor = 80)
    """,
    """
    CREATE INDEX model_analysis_next ON model_analysis (source_id, rank, id)
        WHERE state = 'pending'
    """,
    "CREATE INDEX model_analysis_held ON model_analysis (lease_until) WHERE state = 'running'",
    """
    CREATE INDEX model_analysis_cached ON model_analysis (text_key, task, prompt_version, model)
        WHERE state = 'done'
    """,
    "CREATE INDEX model_analysis_failed ON model_analysis (id DESC) WHERE state = 'failed'",
    """
    CREATE TABLE model_feedback (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        analysis_id bigint NOT NULL REFERENCES model_analysis ON DELETE CASCADE,
        claim_key bytea NOT NULL,
        claim jsonb NOT NULL,
        good boolean NOT NULL,
        note text NOT NULL DEFAULT '',
        actor text NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (analysis_id, claim_key, actor)
    )
    """,
)
TABLES = (
    "model_feedback", "model_analysis", "model_evaluation", "model_server", "model_spent",
    "model_source",
)  # fmt: skip


def upgrade() -> None:
    """Create the tables; the one that refers to articles comes last but one."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
