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
    cursor = await conn.execute(_KEYS, {"ids": list(article_ids)})
    texts = await cursor.fetchall()
    values = {
        "ids": [number for number, _, _ in texts],
        # Read and hashed once here, however many statements and tasks go by them.
        "keys": [key for _, key, _ in texts],
        "model": wanted.model,
        "tasks": [str(task) for task, _ in wanted.prompts],
        "versions": [version for _, version in wanted.prompts],
        "by": asked.by,
        "rank": asked.rank,
        "again": asked.again,
    }
    # Most are new, and nothing was ever asked about them.
    if any(was_asked for _, _, was_asked in texts):
        await conn.execute(_SUPERSEDE, {**values, "why": REVISED})
        await conn.execute(_ONCE_MORE, values)
    cursor = await conn.execute(_QUEUE, values)
    return [int(row[0]) for row in await cursor.fetchall()]


TEXT_KEY = r"sha256(convert_to(a.title || E'\n' || a.text, 'UTF8'))"
REVISED = "the text was revised before it was its turn"
# What holds an answer from before keeps it; the words in `detail` tell what we withdrew ourselves
# from what somebody cancelled, which has none.
WITHDRAW = """
UPDATE model_analysis m SET ended_at = now(), detail = %(why)s, fault = NULL, raw = '',
    state = CASE WHEN m.claims = '[]' THEN 'cancelled' ELSE 'done' END,
    lease = NULL, lease_until = NULL, reserved = 0, said = 0
"""
_KEYS = f"""
SELECT a.id, {TEXT_KEY}, EXISTS (SELECT 1 FROM model_analysis m WHERE m.article_id = a.id)
FROM article a WHERE a.id = ANY(%(ids)s)
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
_QUEUE = f"""
INSERT INTO model_analysis AS m
    (article_id, source_id, revision, text_key, task, prompt_version, model, asked_by, rank, again)
SELECT a.id, a.source_id, a.revision, k.text_key, w.task, w.version, %(model)s, %(by)s, %(rank)s,
    %(again)s
FROM {_TEXTS} JOIN article a ON a.id = k.id
CROSS JOIN unnest(%(tasks)s::text[], %(versions)s::text[]) AS w (task, version)
WHERE a.text <> ''
ON CONFLICT (article_id, text_key, task, prompt_version, model) DO UPDATE
    SET rank = least(m.rank, excluded.rank)
RETURNING m.id
"""  # noqa: S608 - a constant of this module
