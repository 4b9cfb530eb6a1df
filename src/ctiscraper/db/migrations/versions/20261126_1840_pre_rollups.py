"""Articles by tier and source, and what they name, counted by week and day as they are written."""
# ruff: noqa: S608 - every statement is put together from constants of this module

from alembic import op

revision = "20261126_1840"
down_revision = "20261126_1830"
branch_labels = None
depends_on = None

# As in db/rollups.py and db/mentions.py.
FILLING = 0x726F6C6C
COUNTING = 0x656E7469

DAYS = ", ".join(f"d{day}" for day in range(1, 8))
COLUMNS = "\n        ".join(f"d{day} integer NOT NULL DEFAULT 0," for day in range(1, 8))
SUMS = ",\n        ".join(
    f"coalesce(sum(n) FILTER (WHERE day = {day}), 0)::integer" for day in range(1, 8)
)
ADDED = ",\n        ".join(f"d{day} = t.d{day} + excluded.d{day}" for day in range(1, 8))

TABLES = (
    # A row has the seven days of a week, which begins on Monday: few rows are read for months. A
    # lane is a connection, so that no two transactions ever want the same row; 0 has the sums.
    f"""
    CREATE TABLE tier_week (
        week date NOT NULL,
        tier text NOT NULL,
        lane integer NOT NULL,
        {COLUMNS}
        articles integer NOT NULL,
        copies integer NOT NULL,
        PRIMARY KEY (week, tier, lane)
    ) WITH (fillfactor = 50)
    """,
    f"""
    CREATE TABLE source_week (
        week date NOT NULL,
        source_id bigint NOT NULL,
        lane integer NOT NULL,
        {COLUMNS}
        articles integer NOT NULL,
        copies integer NOT NULL,
        PRIMARY KEY (week, source_id, lane)
    ) WITH (fillfactor = 50)
    """,
    # Who writes mentions does so one at a time: these need no lanes.
    f"""
    CREATE TABLE entity_week (
        week date NOT NULL,
        kind text NOT NULL COLLATE "C",
        entity_id bigint NOT NULL,
        {COLUMNS}
        articles integer NOT NULL,
        PRIMARY KEY (week, kind, entity_id)
    ) WITH (fillfactor = 80)
    """,
    # What is counted whose mentions come and go by the thousand says nothing of a trend.
    "CREATE TABLE rolled_kind (kind text PRIMARY KEY)",
    """
    INSERT INTO rolled_kind VALUES ('technique'), ('actor'), ('malware'), ('ransomware'), ('tool'),
        ('cve'), ('sector'), ('country'), ('vendor'), ('product')
    """,
    # Of the articles up to `last`, which were stored before, those up to `filled` are counted.
    """
    CREATE TABLE rollup_fill (
        single boolean PRIMARY KEY DEFAULT true CHECK (single),
        filled bigint NOT NULL,
        last bigint NOT NULL
    )
    """,
)

# `delta` has a row for each article that came (n = 1) or went (n = -1).
PLACED = """
    SELECT date_trunc('week', at)::date AS week, extract(isodow FROM at)::integer AS day, n, {}
    FROM delta
"""
ADD_ARTICLES = f"""
    INSERT INTO {{table}} AS t (week, {{key}}, lane, {DAYS}, articles, copies)
    SELECT week, {{key}}, pg_backend_pid(), {SUMS}, sum(n), sum(n * copy)
    FROM ({PLACED.format("{key}, copy")}) p GROUP BY week, {{key}} ORDER BY week, {{key}}
    ON CONFLICT (week, {{key}}, lane) DO UPDATE SET {ADDED},
        articles = t.articles + excluded.articles, copies = t.copies + excluded.copies
"""
BY_TIER = ADD_ARTICLES.format(table="tier_week", key="tier")
BY_SOURCE = ADD_ARTICLES.format(table="source_week", key="source_id")
ADD_ENTITIES = f"""
    INSERT INTO entity_week AS t (week, kind, entity_id, {DAYS}, articles)
    SELECT week, kind, entity_id, {SUMS}, sum(n)
    FROM ({PLACED.format("kind, entity_id")}) p
    GROUP BY week, kind, entity_id ORDER BY week, kind, entity_id
    ON CONFLICT (week, kind, entity_id) DO UPDATE SET {ADDED},
        articles = t.articles + excluded.articles
"""

# What is filled in a moment from now must be known to all who change it: the lock that they share
# is taken alone by who fills, before he looks.
FILLED = f"""
    SELECT * INTO f FROM rollup_fill;
    IF f.filled < f.last THEN
        PERFORM pg_advisory_xact_lock_shared({FILLING});
        SELECT * INTO f FROM rollup_fill;
    END IF
"""
IS_COUNTED = "({0} <= f.filled OR {0} > f.last)"


ARTICLE = (
    "SELECT {sign} AS n, {row}.tier, {row}.source_id, {row}.sort_at AT TIME ZONE 'UTC' AS at, "
    "({row}.duplicate_of IS NOT NULL)::integer AS copy"
)
FUNCTION = """
    CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE f rollup_fill;
    BEGIN
        {steps};
        RETURN NULL;
    END $$
"""
ARTICLES = f"WITH delta AS MATERIALIZED ({{delta}}), tiers AS ({BY_TIER}) {BY_SOURCE}"
MENTIONS = f"""
    WITH delta AS MATERIALIZED (
        SELECT {{sign}} AS n, e.kind, m.entity_id, m.seen_at AT TIME ZONE 'UTC' AS at
        FROM {{rows}} m JOIN entity e ON e.id = m.entity_id
        WHERE {IS_COUNTED.format("m.article_id")} AND e.kind IN (SELECT kind FROM rolled_kind)
    ) {ADD_ENTITIES}
"""
CHANGED = f"""
    {ARTICLE.format(sign="d.sign", row="r")} FROM now_rows n JOIN was_rows w ON w.id = n.id
    CROSS JOIN LATERAL (VALUES (1), (-1)) AS d (sign)
    CROSS JOIN LATERAL (
        SELECT n.tier, n.source_id, n.sort_at, n.duplicate_of WHERE d.sign = 1
        UNION ALL
        SELECT w.tier, w.source_id, w.sort_at, w.duplicate_of WHERE d.sign = -1) r
    WHERE {IS_COUNTED.format("n.id")} AND (n.tier, n.source_id, n.sort_at,
        n.duplicate_of IS NULL) <> (w.tier, w.source_id, w.sort_at, w.duplicate_of IS NULL)
"""
# What is stored from now on was not stored before: nobody fills it.
CAME = f"{ARTICLE.format(sign='1', row='a')} FROM now_rows a"
WENT = f"{ARTICLE.format(sign='-1', row='a')} FROM was_rows a WHERE {IS_COUNTED.format('a.id')}"
ONE_AT_A_TIME = f"PERFORM pg_advisory_xact_lock({COUNTING})"
STEPS = {
    "count_new_articles": (ARTICLES.format(delta=CAME),),
    "count_changed_articles": (FILLED, ARTICLES.format(delta=CHANGED)),
    "count_gone_articles": (FILLED, ARTICLES.format(delta=WENT)),
    "count_new_mentions": (ONE_AT_A_TIME, FILLED, MENTIONS.format(sign="1", rows="now_rows")),
    "count_gone_mentions": (ONE_AT_A_TIME, FILLED, MENTIONS.format(sign="-1", rows="was_rows")),
}
FUNCTIONS = tuple(
    FUNCTION.format(name=name, steps=";\n".join(steps)) for name, steps in STEPS.items()
)

NOW, WAS = "NEW TABLE AS now_rows", "OLD TABLE AS was_rows"
TRIGGERS = (
    ("article", "rollup_new", "INSERT", NOW, "count_new_articles"),
    ("article", "rollup_changed", "UPDATE", f"{NOW} {WAS}", "count_changed_articles"),
    ("article", "rollup_gone", "DELETE", WAS, "count_gone_articles"),
    ("mention", "rollup_new", "INSERT", NOW, "count_new_mentions"),
    ("mention", "rollup_gone", "DELETE", WAS, "count_gone_mentions"),
)


def upgrade() -> None:
    """Count from now on; what is stored already is counted by workers, a little at a time."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for statement in (*TABLES, *FUNCTIONS):
        op.execute(statement)
    for table, name, event, rows, function in TRIGGERS:
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event} ON {table} REFERENCING {rows} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        )
    # With the triggers made nobody writes an article until this is committed.
    op.execute("INSERT INTO rollup_fill (filled, last) SELECT 0, coalesce(max(id), 0) FROM article")


def downgrade() -> None:
    """Count no more."""
    op.execute("SET LOCAL lock_timeout = '400ms'")
    for table, name, *_ in TRIGGERS:
        op.execute(f"DROP TRIGGER {name} ON {table}")
    for *_, function in TRIGGERS:
        op.execute(f"DROP FUNCTION {function}()")
    for table in ("rollup_fill", "rolled_kind", "entity_week", "source_week", "tier_week"):
        op.execute(f"DROP TABLE {table}")
