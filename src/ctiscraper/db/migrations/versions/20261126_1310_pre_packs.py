"""Data packs in their versions, and what the one in use says of each vulnerability."""

from alembic import op

revision = "20261126_1310"
down_revision = "20261126_1300"
branch_labels = None
depends_on = None

STATEMENTS = (
    # `build` is what a default was made of; nothing for what an operator brought.
    """
    CREATE TABLE pack (
        name text NOT NULL COLLATE "C",
        sha256 bytea NOT NULL,
        version text NOT NULL,
        licence text NOT NULL,
        source text NOT NULL,
        notice text NOT NULL DEFAULT '',
        records bigint NOT NULL,
        build text,
        active boolean NOT NULL DEFAULT false,
        installed_at timestamptz NOT NULL DEFAULT now(),
        body bytea NOT NULL,
        PRIMARY KEY (name, sha256)
    )
    """,
    "CREATE UNIQUE INDEX pack_active ON pack (name) WHERE active",
    # The bytes are compressed as they come.
    "ALTER TABLE pack ALTER COLUMN body SET STORAGE EXTERNAL",
    # Scores change from day to day: room on the page spares the index.
    """
    CREATE TABLE cve (
        id text PRIMARY KEY COLLATE "C",
        cvss real,
        cvss_version text,
        cvss_vector text,
        epss real,
        epss_percentile real,
        kev_added date,
        kev_due date,
        kev_ransomware boolean,
        kev_vendor text,
        kev_product text,
        kev_name text
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX cve_kev ON cve (kev_added DESC) WHERE kev_added IS NOT NULL",
)


def upgrade() -> None:
    """Create the tables."""
    op.execute("SET LOCAL lock_timeout = '2s'")
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("DROP TABLE cve")
    op.execute("DROP TABLE pack")
