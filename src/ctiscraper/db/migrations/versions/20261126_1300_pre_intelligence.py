"""What articles name, what the team decided of it, scores, and the stories that articles tell."""

from alembic import op

revision = "20261126_1300"
down_revision = "20261126_0730"
branch_labels = None
depends_on = None

STATEMENTS = (
    # One row a value or name; `key` is a hash of kind and value, which may be long. Its counts
    # follow the mentions in the transactions that write them.
    """
    CREATE TABLE entity (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        key bytea NOT NULL UNIQUE,
        kind text NOT NULL,
        value text NOT NULL,
        name text NOT NULL DEFAULT '',
        host text COLLATE "C",
        articles integer NOT NULL DEFAULT 0,
        sources integer NOT NULL DEFAULT 0,
        first_seen timestamptz,
        last_seen timestamptz,
        level smallint NOT NULL DEFAULT 0,
        team text,
        team_verdict bigint
    ) WITH (fillfactor = 80)
    """,
    # None of what is counted is indexed, so that counting updates rows in place. What is held of
    # a thing changes rarely; the list of a kind is put together from those of its verdicts.
    """
    CREATE INDEX entity_held ON entity (kind, (coalesce(team, CASE level WHEN 3 THEN 'malicious'
        WHEN 2 THEN 'suspicious' WHEN 1 THEN 'mentioned' ELSE 'benign' END)), id DESC)
    """,
    """
    CREATE INDEX entity_label ON entity
        (lower(left(coalesce(nullif(name, ''), value), 100)) text_pattern_ops)
    """,
    # A domain and all below it: the labels of a host, the last first.
    "CREATE INDEX entity_host ON entity (host) WHERE host IS NOT NULL",
    # Which sources named a thing, and when each did first and last.
    """
    CREATE TABLE entity_source (
        entity_id bigint NOT NULL REFERENCES entity ON DELETE CASCADE,
        source_id bigint NOT NULL,
        articles integer NOT NULL,
        first_seen timestamptz NOT NULL,
        last_seen timestamptz NOT NULL,
        PRIMARY KEY (entity_id, source_id)
    ) WITH (fillfactor = 85)
    """,
    "CREATE INDEX entity_source_source ON entity_source (source_id, first_seen)",
    "CREATE INDEX entity_source_newest ON entity_source (source_id, entity_id DESC)",
    # What the team decided; an undone verdict stays as its own record.
    """
    CREATE TABLE verdict (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        scope text NOT NULL CHECK (scope IN ('value', 'domain', 'source')),
        kind text NOT NULL DEFAULT '',
        value text NOT NULL,
        key bytea NOT NULL,
        source_id bigint REFERENCES source ON DELETE CASCADE,
        verdict text NOT NULL CHECK (verdict IN ('malicious', 'suspicious', 'mentioned', 'benign')),
        reason text NOT NULL DEFAULT '',
        actor text NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now(),
        undone_at timestamptz,
        undone_by text
    )
    """,
    "CREATE INDEX verdict_key ON verdict (key)",
    # Looked up by a host and by each domain above it.
    "CREATE INDEX verdict_domain ON verdict (value) WHERE scope = 'domain'",
    "CREATE INDEX verdict_newest ON verdict (id DESC)",
    """
    CREATE TABLE story (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        first_article bigint NOT NULL,
        first_at timestamptz NOT NULL,
        last_at timestamptz NOT NULL,
        articles integer NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now(),
        merged_into bigint REFERENCES story
    ) WITH (fillfactor = 85)
    """,
    "CREATE INDEX story_newest ON story (last_at DESC, id DESC) WHERE articles > 1",
    # Those that refer to articles come last: from the first of them on nobody writes an article
    # until all of this is committed.
    # A text whose claims are to be found, or found anew by the extractors named; one row an
    # article, claimed for a time as items are.
    """
    CREATE TABLE enrichment_job (
        article_id bigint PRIMARY KEY REFERENCES article ON DELETE CASCADE,
        revision integer NOT NULL,
        extractors text[],
        rank smallint NOT NULL DEFAULT 0,
        attempts smallint NOT NULL DEFAULT 0,
        claim uuid,
        claimed_until timestamptz,
        queued_at timestamptz NOT NULL DEFAULT now()
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX enrichment_job_next ON enrichment_job (rank, article_id DESC)",
    # Which could not be looked through, until somebody asks for it again or a new revision can.
    """
    CREATE TABLE enrichment_failure (
        article_id bigint PRIMARY KEY REFERENCES article ON DELETE CASCADE,
        revision integer NOT NULL,
        failure text NOT NULL,
        failed_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE INDEX enrichment_failure_newest
        ON enrichment_failure (failed_at DESC, article_id DESC)
    """,
    """
    CREATE TABLE mention (
        article_id bigint NOT NULL REFERENCES article ON DELETE CASCADE,
        entity_id bigint NOT NULL REFERENCES entity,
        source_id bigint NOT NULL,
        seen_at timestamptz NOT NULL,
        count integer NOT NULL,
        starts integer[] NOT NULL,
        ends integer[] NOT NULL,
        verdict text,
        reasons text[] NOT NULL DEFAULT '{}',
        alias text NOT NULL DEFAULT '',
        rule text NOT NULL DEFAULT '',
        extractor text NOT NULL,
        version text NOT NULL,
        PRIMARY KEY (article_id, entity_id)
    )
    """,
    # With the source, so that when one named a thing first is read from the index alone.
    """
    CREATE INDEX mention_entity ON mention (entity_id, seen_at DESC, article_id DESC)
        INCLUDE (source_id)
    """,
    # How grave the gravest mention of a thing is, whatever number of harmless ones there are.
    "CREATE INDEX mention_verdict ON mention (entity_id, verdict) WHERE verdict <> 'benign'",
    # Parts of a score with their evidence; what it depends on beside the text is joined in later.
    """
    CREATE TABLE article_score (
        article_id bigint PRIMARY KEY REFERENCES article ON DELETE CASCADE,
        score real NOT NULL,
        parts jsonb NOT NULL,
        version text NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now()
    ) WITH (fillfactor = 85)
    """,
    "CREATE INDEX article_score_best ON article_score (score DESC, article_id DESC)",
    """
    CREATE TABLE story_article (
        article_id bigint PRIMARY KEY REFERENCES article ON DELETE CASCADE,
        story_id bigint NOT NULL REFERENCES story,
        why jsonb NOT NULL DEFAULT '{}',
        by_hand boolean NOT NULL DEFAULT false,
        joined_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX story_article_story ON story_article (story_id)",
)
TABLES = (
    "story_article", "story", "article_score", "verdict", "entity_source", "mention", "entity",
    "enrichment_failure", "enrichment_job",
)  # fmt: skip


def upgrade() -> None:
    """Create the tables."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
