"""Passages of texts with their vectors, and which texts have theirs."""

from alembic import op

revision = "20261127_1020"
down_revision = "20261127_1010"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE embedding_model (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL,
        version text NOT NULL,
        dimensions integer NOT NULL CHECK (dimensions > 0),
        made_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (name, version)
    )
    """,
    # A text whose `passages` is NULL is being worked at until `leased_until`.
    """
    CREATE TABLE embedded_text (
        article_id bigint NOT NULL REFERENCES article ON DELETE CASCADE,
        model_id integer NOT NULL REFERENCES embedding_model ON DELETE CASCADE,
        revision integer NOT NULL,
        passages integer,
        attempts smallint NOT NULL DEFAULT 1,
        owner uuid,
        leased_until timestamptz,
        failure text NOT NULL DEFAULT '',
        PRIMARY KEY (article_id, model_id)
    )
    """,
    "CREATE INDEX embedded_text_model ON embedded_text (model_id, article_id)",
    # The vector has two bytes for each number: binary16 of IEEE 754, the lower byte first.
    """
    CREATE TABLE passage (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        article_id bigint NOT NULL REFERENCES article ON DELETE CASCADE,
        model_id integer NOT NULL REFERENCES embedding_model ON DELETE CASCADE,
        revision integer NOT NULL,
        position integer NOT NULL,
        begins integer NOT NULL,
        ends integer NOT NULL,
        vector bytea NOT NULL,
        UNIQUE (article_id, model_id, position),
        CHECK (begins >= 0 AND ends > begins)
    )
    """,
    "CREATE INDEX passage_model ON passage (model_id, id)",
)


def upgrade() -> None:
    """Make the tables; what needs pgvector is made beside them (db/vector_index.py)."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    """Drop them, and the copy of their vectors that pgvector searches."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    op.execute("DROP TABLE IF EXISTS ctiscraper_vectors.passage_near")
    for name in ("passage", "embedded_text", "embedding_model"):
        op.execute(f"DROP TABLE {name}")
