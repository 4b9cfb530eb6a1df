"""What models are to be asked: each text once, withdrawn where the text is another by now."""

from collections.abc import Sequence
from dataclasses import dataclass

from ctiscraper.db.session import Conn


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a model is asked of each new text: tasks, each with the version of its prompt."""

    model: str
    prompts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks, before whom (the lower `rank` comes first), and whether what ended is asked too.

    What nobody asked for himself is by nobody.
    """

    by: str = ""
    rank: int = 1
    again: bool = False


_BY_ITSELF = Asked()


async def queue_texts(
    conn: Conn, article_ids: Sequence[int], wanted: Wanted, asked: Asked = _BY_ITSELF
) -> list[int]:
    """Have a model asked about articles as they stand, once for each text; return the numbers.

    In the transaction of `conn`. What waits for a text that an article has no more is withdrawn;
    what was withdrawn for another text or prompt than are in use now waits again. What somebody
    cancelled stays so.
    """
    values = {
        "ids": list(article_ids),
        "model": wanted.model,
        "tasks": [str(task) for task, _ in wanted.prompts],
        "versions": [version for _, version in wanted.prompts],
        "by": asked.by,
        "rank": asked.rank,
        "again": asked.again,
    }
    cursor = await conn.execute(_QUEUE, values)
    row = await cursor.fetchone()
    assert row is not None, "a query of aggregates has one row"
    numbers, known, keys = row
    # Most are new, and nothing was ever asked about them.
    if known:
        values = {**values, "ids": known, "keys": keys, "why": REVISED, "held": 0}
        await conn.execute(_SUPERSEDE, values)
        await conn.execute(_ONCE_MORE, values)
    return list(numbers)


TEXT_KEY = r"sha256(convert_to(a.title || E'\n' || a.text, 'UTF8'))"
REVISED = "the text was revised before it was its turn"
# Who was cancelled may be at it yet, and what is held back for him stays until he tells its cost,
# or until it would be lost: the time for that is kept.
LET_GO = """lease = NULL, reserved = greatest(reserved - %(held)s, 0),
    lease_until = CASE WHEN reserved > %(held)s THEN lease_until END"""
# What holds an answer from before keeps it; the words in `detail` tell what we withdrew ourselves
# from what somebody cancelled, which has none.
WITHDRAW = f"""
UPDATE model_analysis m SET ended_at = now(), detail = %(why)s, fault = NULL, raw = '',
    state = CASE WHEN m.claims = '[]' THEN 'cancelled' ELSE 'done' END, said = 0, {LET_GO}
"""  # noqa: S608 - a constant of this module
_TEXTS = "unnest(%(ids)s::bigint[], %(keys)s::bytea[]) AS k (id, text_key)"
_SUPERSEDE = f"""
{WITHDRAW} FROM {_TEXTS}
WHERE m.article_id = k.id AND m.state = 'pending' AND m.text_key <> k.text_key
"""
_ONCE_MORE = f"""
UPDATE model_analysis m SET state = 'pending', attempts = 0, spared = 0, run_after = now(),
    asked_at = now(), asked_by = %(by)s, rank = %(rank)s, again = m.again OR %(again)s, said = 0,
    fault = NULL, detail = '', ended_at = NULL
FROM {_TEXTS} CROSS JOIN unnest(%(tasks)s::text[], %(versions)s::text[]) AS w (task, version)
WHERE m.article_id = k.id AND m.text_key = k.text_key
    AND m.task = w.task AND m.prompt_version = w.version AND m.model = %(model)s
    AND (m.state IN ('done', 'cancelled') AND m.detail <> ''
        OR %(again)s AND m.state IN ('done', 'failed', 'cancelled'))
"""  # noqa: S608 - a constant of this module
# A text is read and hashed once, however many tasks there are.
_QUEUE = f"""
WITH k AS MATERIALIZED (
    SELECT a.id, a.source_id, a.revision, a.text <> '' AS has_text, {TEXT_KEY} AS text_key,
        EXISTS (SELECT 1 FROM model_analysis m WHERE m.article_id = a.id) AS was_asked
    FROM article a WHERE a.id = ANY(%(ids)s)
), queued AS (
    INSERT INTO model_analysis AS m (article_id, source_id, revision, text_key, task,
        prompt_version, model, asked_by, rank, again)
    SELECT k.id, k.source_id, k.revision, k.text_key, w.task, w.version, %(model)s, %(by)s,
        %(rank)s, %(again)s
    FROM k CROSS JOIN unnest(%(tasks)s::text[], %(versions)s::text[]) AS w (task, version)
    WHERE k.has_text
    ON CONFLICT (article_id, text_key, task, prompt_version, model) DO UPDATE
        SET rank = least(m.rank, excluded.rank)
    RETURNING m.id
)
SELECT ARRAY(SELECT id FROM queued ORDER BY id),
    ARRAY(SELECT id FROM k WHERE was_asked ORDER BY id),
    ARRAY(SELECT text_key FROM k WHERE was_asked ORDER BY id)
"""  # noqa: S608 - a constant of this module
