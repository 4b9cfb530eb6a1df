"""No migration holds `article` for as long as it takes to pass over a million rows."""

import itertools
from collections.abc import Iterable
from pathlib import Path

import psycopg
import pytest

from ctiscraper.db.migrate import downgrade, revisions, upgrade
from db.migration_steps import Step, watched
from db.test_migrate_locks import NEXT, add, filled, scripts

__all__ = ["scripts"]

# What a later step would pass over, from the revision on that has a place for it.
ROWS = {
    "20261126_1300": """
        INSERT INTO article_score (article_id, score, parts, version)
            SELECT id, 1, '[]', '1' FROM article;
        WITH told AS (INSERT INTO story (first_article, first_at, last_at, articles)
            SELECT min(id), now(), now(), count(*) FROM article RETURNING id)
        INSERT INTO story_article (article_id, story_id) SELECT a.id, told.id FROM article a, told
    """,
}
UNRELEASED = "the first release has this revision: nobody has rows in this table below it"
ONE_ROW = "a table of one row, made in the same transaction"
# Faults that stay, by revision and the beginning of the statement, each with why nobody waits.
ALLOWED = {
    ("20261126_1330", "INSERT INTO score_sweep"): ONE_ROW,
    ("20261126_1840", "INSERT INTO rollup_fill"): ONE_ROW,
    ("20261126_1320", "DELETE FROM story_article"): UNRELEASED,
    ("20261126_1320", "ALTER TABLE story_article ALTER COLUMN story_id SET"): UNRELEASED,
    ("20261126_1320", "CREATE INDEX story_article_story"): UNRELEASED,
    ("20261126_1330", "ALTER TABLE article_score ADD COLUMN day"): UNRELEASED,
    ("20261126_1330", "CREATE INDEX article_score_"): UNRELEASED,
}
# What env.py grants: to a lock, and to all statements of a transaction.
LOCK_MS, TRANSACTION_MS = 400, 800
# What alembic asks first, and what sets another limit for whatever comes next.
UNLIMITED = ("SELECT alembic_version.", "SELECT pg_catalog.pg_class.relname ", "SET LOCAL ")


def faults(revision: str, steps: Iterable[Step]) -> list[tuple[tuple[str, str] | None, str]]:
    """Return what somebody would wait for, by what it is allowed by."""
    return [
        (_allowed(revision, step), f"{revision}: {step.statement} {step.fault}")
        for step in steps
        if step.fault
    ]


def _allowed(revision: str, step: Step) -> tuple[str, str] | None:
    return next(
        (key for key in ALLOWED if key[0] == revision and step.statement.startswith(key[1])), None
    )


def fill(database: str, revision: str) -> None:
    if revision in ROWS:
        with psycopg.connect(database) as connection:
            connection.execute(ROWS[revision].encode())


@pytest.mark.timeout(240)
async def test_no_migration_holds_article_while_it_passes_over_rows(database: str) -> None:
    await filled(database)
    known = revisions()
    found: list[tuple[tuple[str, str] | None, str]] = []
    free: list[str] = []
    downgrade(database, known[0])
    for below, revision in itertools.pairwise(known):
        for way, to in ((upgrade, revision), (downgrade, below), (upgrade, revision)):
            with watched() as steps:
                way(database, to)
            assert steps.steps
            found += faults(revision, steps.steps)
            free += [step.statement for step in steps.steps if is_free(step)]
        fill(database, revision)
    assert "\n".join(fault for allowed, fault in found if allowed is None) == ""
    assert {allowed for allowed, _ in found} == set(ALLOWED), "and none that nothing needs"
    assert "\n".join(free) == "", "each has limits, whatever its migration sets itself"


def is_free(step: Step) -> bool:
    """Return whether a statement may wait, or be waited for, longer than others can."""
    if step.statement.startswith(UNLIMITED) or (step.alone and "CONCURRENTLY" in step.statement):
        return False
    lock, whole = step.limits
    return not (0 < lock <= LOCK_MS and 0 < whole <= TRANSACTION_MS)


BAD = {
    'op.execute("ALTER TABLE article ADD COLUMN extra int DEFAULT (random() * 9)::int")': (
        "rewrites article"
    ),
    'op.execute("ALTER TABLE article ALTER COLUMN word_count TYPE bigint")': "rewrites article",
    'op.execute("CREATE INDEX article_extra ON article (title)")': (
        "holds article by ShareLock, passes over article"
    ),
    'op.execute("ALTER TABLE article ADD CONSTRAINT extra CHECK (word_count >= 0)")': (
        "holds article by AccessExclusiveLock, passes over article"
    ),
    'op.execute("ALTER TABLE article ALTER COLUMN published_at SET NOT NULL")': (
        "holds article by AccessExclusiveLock, passes over article"
    ),
    "op.execute(\"UPDATE article SET title = title || '.'\")": "writes rows of article",
    """op.execute("ALTER TABLE article ADD COLUMN extra int")
    op.execute("SELECT count(*) FROM fetch_job")""": (
        "holds article by AccessExclusiveLock, passes over fetch_job"
    ),
    """with op.get_context().autocommit_block():
        op.execute("CREATE INDEX article_extra ON article (title)")""": (
        "holds article by whatever it takes, passes over article"
    ),
}


@pytest.mark.parametrize(("up", "fault"), BAD.items(), ids=range(len(BAD)))
async def test_a_migration_that_would_hold_article_long_is_seen(
    database: str, scripts: Path, up: str, fault: str
) -> None:
    await filled(database)
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE article SET published_at = now()")
    add(scripts, up)
    with watched() as steps:
        upgrade(database, scripts=scripts)
    [(_, found)] = faults(NEXT, steps.steps)
    assert fault in found


GOOD = (
    'op.execute("ALTER TABLE article ADD COLUMN extra int NOT NULL DEFAULT 7")',
    """op.execute("ALTER TABLE article ADD CONSTRAINT extra CHECK (word_count >= 0) NOT VALID")
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY article_extra ON article (title)")""",
    """op.execute("CREATE TABLE extra (article_id bigint PRIMARY KEY REFERENCES article)")
    op.execute("SELECT title FROM article WHERE id = 1")""",
)


@pytest.mark.parametrize("up", GOOD, ids=range(len(GOOD)))
async def test_a_migration_that_holds_article_for_a_moment_is_let_through(
    database: str, scripts: Path, up: str
) -> None:
    await filled(database)
    add(scripts, up)
    with watched() as steps:
        upgrade(database, scripts=scripts)
    assert len(steps.steps) > 1
    assert faults(NEXT, steps.steps) == []
