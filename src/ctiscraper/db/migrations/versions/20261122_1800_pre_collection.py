"""Sources, hosts, the work queue, articles and what accounts for them."""

from alembic import op

revision = "20261122_1800"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    # Settings are one validated document; what queries need of it is generated from it.
    """
    CREATE TABLE source (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        key text NOT NULL UNIQUE,
        settings jsonb NOT NULL,
        name text NOT NULL GENERATED ALWAYS AS (settings->>'name') STORED,
        tier text NOT NULL GENERATED ALWAYS AS (settings->>'tier') STORED,
        active boolean NOT NULL GENERATED ALWAYS AS ((settings->>'active')::boolean) STORED,
        created_at timestamptz NOT NULL DEFAULT now(),
        removed_at timestamptz
    )
    """,
    # What every check rewrites stands apart, narrow and with room for in-place updates.
    """
    CREATE TABLE source_state (
        source_id bigint PRIMARY KEY REFERENCES source ON DELETE CASCADE,
        host text NOT NULL COLLATE "C",
        next_check_at timestamptz NOT NULL DEFAULT now(),
        enabled boolean NOT NULL DEFAULT true,
        etag text,
        last_modified text,
        body_sha256 bytea,
        health text NOT NULL DEFAULT 'new',
        reason text,
        detail text NOT NULL DEFAULT '',
        failures integer NOT NULL DEFAULT 0,
        items_per_day real,
        moved_to text,
        moved_count integer NOT NULL DEFAULT 0,
        last_checked_at timestamptz,
        last_success_at timestamptz,
        lease_owner uuid
    ) WITH (fillfactor = 60)
    """,
    "CREATE INDEX source_state_due ON source_state (host, next_check_at) WHERE enabled",
    """
    CREATE TABLE source_change (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        source_key text NOT NULL,
        changed_at timestamptz NOT NULL DEFAULT now(),
        actor text NOT NULL,
        action text NOT NULL,
        reason text NOT NULL DEFAULT '',
        before jsonb,
        after jsonb
    )
    """,
    "CREATE INDEX source_change_key ON source_change (source_key, id DESC)",
    """
    CREATE TABLE source_check (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        source_id bigint NOT NULL REFERENCES source ON DELETE CASCADE,
        checked_at timestamptz NOT NULL DEFAULT now(),
        status smallint,
        reason text,
        detail text NOT NULL DEFAULT '',
        announced integer NOT NULL DEFAULT 0,
        discovered integer NOT NULL DEFAULT 0,
        changed integer NOT NULL DEFAULT 0,
        unchanged boolean NOT NULL DEFAULT false,
        requests integer NOT NULL DEFAULT 0,
        wire_bytes bigint NOT NULL DEFAULT 0
    )
    """,
    "CREATE INDEX source_check_source ON source_check (source_id, id DESC)",
    # One row a host: pace, breaker and the lease that lets one worker at a time speak to it.
    """
    CREATE TABLE host (
        host text PRIMARY KEY COLLATE "C",
        next_allowed_at timestamptz NOT NULL DEFAULT '-infinity',
        work_at timestamptz NOT NULL DEFAULT now(),
        rank smallint NOT NULL DEFAULT 1,
        lease_owner uuid,
        worker uuid,
        lease_until timestamptz,
        failures integer NOT NULL DEFAULT 0,
        open_until timestamptz,
        reason text,
        detail text NOT NULL DEFAULT ''
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE robots (
        origin text PRIMARY KEY COLLATE "C",
        status smallint,
        body text,
        fetched_at timestamptz NOT NULL,
        good_body text,
        good_at timestamptz
    )
    """,
    """
    CREATE TABLE fetch_job (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        url_hash bytea NOT NULL UNIQUE,
        url text NOT NULL,
        host text NOT NULL COLLATE "C",
        source_id bigint NOT NULL REFERENCES source ON DELETE CASCADE,
        rank smallint NOT NULL DEFAULT 1,
        state text NOT NULL DEFAULT 'pending' CHECK (state IN
            ('pending', 'leased', 'stored', 'duplicate', 'filtered', 'failed', 'dead')),
        reason text,
        detail text NOT NULL DEFAULT '',
        attempts smallint NOT NULL DEFAULT 0,
        host_tries smallint NOT NULL DEFAULT 0,
        run_after timestamptz NOT NULL DEFAULT now(),
        lease_owner uuid,
        worker uuid,
        lease_until timestamptz,
        entry jsonb NOT NULL,
        article_id bigint,
        snapshot_id bigint,
        from_snapshot boolean NOT NULL DEFAULT false,
        released boolean NOT NULL DEFAULT false,
        alias boolean NOT NULL DEFAULT false,
        fruitless smallint NOT NULL DEFAULT 0,
        discovered_at timestamptz NOT NULL DEFAULT now(),
        finished_at timestamptz
    ) WITH (fillfactor = 80)
    """,
    "CREATE INDEX fetch_job_pending ON fetch_job (host, rank, id) WHERE state = 'pending'",
    "CREATE INDEX fetch_job_leased ON fetch_job (lease_until) WHERE state = 'leased'",
    """
    CREATE INDEX fetch_job_ended ON fetch_job (state, id DESC)
        WHERE state IN ('filtered', 'failed', 'dead', 'duplicate')
    """,
    "CREATE INDEX fetch_job_source ON fetch_job (source_id, state)",
    "CREATE INDEX fetch_job_article ON fetch_job (article_id) WHERE article_id IS NOT NULL",
    # An item as one source announced it; `first` marks the sighting that made the job.
    """
    CREATE TABLE sighting (
        source_id bigint NOT NULL REFERENCES source ON DELETE CASCADE,
        guid_hash bytea NOT NULL,
        job_id bigint NOT NULL REFERENCES fetch_job ON DELETE CASCADE,
        entry_hash bytea NOT NULL,
        first boolean NOT NULL,
        seen_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (source_id, guid_hash, job_id)
    )
    """,
    "CREATE INDEX sighting_first ON sighting (source_id) WHERE first",
    "CREATE INDEX sighting_job ON sighting (job_id)",
    # What a host answered; the bytes stand in the raw store under their hash.
    """
    CREATE TABLE snapshot (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        job_id bigint NOT NULL REFERENCES fetch_job ON DELETE CASCADE,
        sha256 bytea NOT NULL,
        url text NOT NULL,
        status smallint NOT NULL,
        content_type text NOT NULL DEFAULT '',
        bytes integer NOT NULL,
        fetched_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX snapshot_job ON snapshot (job_id)",
    """
    CREATE TABLE article (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        job_id bigint UNIQUE REFERENCES fetch_job,
        url_hash bytea NOT NULL UNIQUE,
        source_id bigint NOT NULL REFERENCES source ON DELETE CASCADE,
        tier text NOT NULL,
        url text NOT NULL,
        canonical_url text NOT NULL,
        title text NOT NULL,
        authors text[] NOT NULL DEFAULT '{}',
        tags text[] NOT NULL DEFAULT '{}',
        language text,
        summary text NOT NULL DEFAULT '',
        text text NOT NULL,
        html text NOT NULL,
        published_at timestamptz,
        published_raw text NOT NULL DEFAULT '',
        published_from text,
        modified_at timestamptz,
        collected_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz,
        sort_at timestamptz NOT NULL,
        word_count integer NOT NULL,
        reading_minutes integer NOT NULL,
        method text NOT NULL,
        notes text[] NOT NULL DEFAULT '{}',
        revision integer NOT NULL DEFAULT 1,
        text_sha256 bytea NOT NULL,
        snapshot_id bigint,
        duplicate_of bigint REFERENCES article ON DELETE SET NULL,
        similarity real,
        search tsvector NOT NULL
    )
    """,
    "CREATE INDEX article_newest ON article (sort_at DESC, id DESC) WHERE duplicate_of IS NULL",
    "CREATE INDEX article_source ON article (source_id, sort_at DESC, id DESC)",
    """
    CREATE INDEX article_tier ON article (tier, sort_at DESC, id DESC)
        WHERE duplicate_of IS NULL
    """,
    """
    CREATE INDEX article_language ON article (language, sort_at DESC, id DESC)
        WHERE duplicate_of IS NULL
    """,
    "CREATE INDEX article_tags ON article USING gin (tags)",
    "CREATE INDEX article_duplicates ON article (duplicate_of) WHERE duplicate_of IS NOT NULL",
    "CREATE INDEX article_search ON article USING gin (search)",
    """
    CREATE TABLE article_revision (
        article_id bigint NOT NULL REFERENCES article ON DELETE CASCADE,
        number integer NOT NULL,
        title text NOT NULL,
        text text NOT NULL,
        html text NOT NULL,
        text_sha256 bytea NOT NULL,
        snapshot_id bigint,
        cause text NOT NULL DEFAULT 'edited',
        stored_at timestamptz NOT NULL,
        replaced_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (article_id, number)
    )
    """,
    # A small pending list keeps inserts cheap at any size and look-ups short.
    """
    CREATE TABLE article_fingerprint (
        article_id bigint PRIMARY KEY REFERENCES article ON DELETE CASCADE,
        version smallint NOT NULL,
        shingles integer NOT NULL,
        signature bytea NOT NULL,
        bands integer[] NOT NULL
    )
    """,
    "ALTER TABLE article_fingerprint ALTER COLUMN signature SET STORAGE PLAIN",
    """
    CREATE INDEX article_fingerprint_bands ON article_fingerprint USING gin (bands)
        WITH (fastupdate = on, gin_pending_list_limit = 256)
    """,
    """
    CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        topic text NOT NULL,
        article_id bigint NOT NULL REFERENCES article ON DELETE CASCADE,
        revision integer NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (topic, article_id, revision)
    )
    """,
    """
    CREATE TABLE analysis (
        article_id bigint NOT NULL REFERENCES article ON DELETE CASCADE,
        revision integer NOT NULL,
        stage text NOT NULL,
        version integer NOT NULL,
        result jsonb NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (article_id, revision, stage, version)
    )
    """,
    """
    CREATE TABLE worker_heartbeat (
        worker uuid PRIMARY KEY,
        pid integer NOT NULL,
        started_at timestamptz NOT NULL DEFAULT now(),
        seen_at timestamptz NOT NULL DEFAULT now(),
        progressed_at timestamptz NOT NULL DEFAULT now(),
        done bigint NOT NULL DEFAULT 0
    )
    """,
    # `discovered` counts what sources announced; the parts are counted where they are kept,
    # a second look at a kept article where the article is,
    # so an item that fell between two tables shows as an imbalance.
    """
    CREATE VIEW accounting AS
    SELECT s.id AS source_id, s.key,
        coalesce(d.discovered, 0) AS discovered,
        coalesce(k.stored, 0) AS stored,
        coalesce(k.folded, 0) + coalesce(j.aliases, 0) AS duplicate,
        coalesce(j.filtered, 0) AS filtered,
        coalesce(j.failed, 0) AS failed,
        coalesce(j.dead, 0) AS dead,
        coalesce(j.pending, 0) AS pending
    FROM source s
    LEFT JOIN (SELECT source_id, count(*) AS discovered FROM sighting WHERE first
        GROUP BY source_id) d ON d.source_id = s.id
    LEFT JOIN (SELECT source_id,
            count(*) FILTER (WHERE alias) AS aliases,
            count(*) FILTER (WHERE state = 'filtered' AND article_id IS NULL) AS filtered,
            count(*) FILTER (WHERE state = 'failed' AND article_id IS NULL) AS failed,
            count(*) FILTER (WHERE state = 'dead' AND article_id IS NULL) AS dead,
            count(*) FILTER (WHERE state IN ('pending', 'leased') AND article_id IS NULL)
                AS pending
        FROM fetch_job GROUP BY source_id) j ON j.source_id = s.id
    LEFT JOIN (SELECT source_id,
            count(*) FILTER (WHERE duplicate_of IS NULL) AS stored,
            count(duplicate_of) AS folded
        FROM article GROUP BY source_id) k ON k.source_id = s.id
    """,
)


def upgrade() -> None:
    """Create the schema."""
    op.execute("SET LOCAL lock_timeout = '2s'")
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    """Drop the schema."""
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("DROP VIEW accounting")
    for table in (
        "worker_heartbeat",
        "analysis",
        "outbox",
        "article_fingerprint",
        "article_revision",
        "article",
        "snapshot",
        "sighting",
        "fetch_job",
        "robots",
        "host",
        "source_check",
        "source_change",
        "source_state",
        "source",
    ):
        op.execute(f"DROP TABLE {table}")
