"""Articles of which readers judged what models said, as sets to evaluate models by."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.rows import TupleRow

from ctiscraper.analysis.analysed import Claim, Quote, TaskName
from ctiscraper.analysis.judged import Thumbed, ThumbedText
from ctiscraper.db.session import Database
from ctiscraper.types import Tlp


class JudgedTexts:
    """What thumbs were given to, with the articles as they are now."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(self, most: int) -> tuple[ThumbedText, ...]:
        """Return so many articles at most, those that were judged last first."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(_ARTICLES, (most,))
            articles = await cursor.fetchall()
            cursor = await conn.execute(
                _THUMBS, {"ids": [row[0] for row in articles], "tasks": [*TaskName]}
            )
            thumbs = await cursor.fetchall()
        return tuple(_text(row, [one for one in thumbs if one[0] == row[0]]) for row in articles)


def _text(row: TupleRow, thumbs: Sequence[TupleRow]) -> ThumbedText:
    return ThumbedText(
        number=row[0],
        title=row[1],
        text=row[2],
        language=row[3],
        least=Tlp(row[4]),
        thumbed=tuple(
            Thumbed(task=TaskName(one[1]), claim=_claim(one[2]), good=one[3], bad=one[4])
            for one in thumbs
        ),
    )


def _claim(stored: Mapping[str, Any]) -> Claim:
    return Claim(
        text=stored["text"],
        quotes=tuple(Quote(**quote) for quote in stored["quotes"]),
        fields=stored.get("fields") or {},
    )


_ARTICLES = """
SELECT a.id, a.title, a.text, coalesce(a.language, ''), coalesce(s.settings->>'tlp', 'clear')
FROM (
    SELECT m.article_id, max(f.made_at) AS judged_at
    FROM model_feedback f JOIN model_analysis m ON m.id = f.analysis_id
    GROUP BY m.article_id ORDER BY judged_at DESC, m.article_id DESC LIMIT %s
) j JOIN article a ON a.id = j.article_id JOIN source s ON s.id = a.source_id
ORDER BY j.judged_at DESC, a.id DESC
"""
_THUMBS = """
SELECT m.article_id, m.task, f.claim,
    count(*) FILTER (WHERE f.good), count(*) FILTER (WHERE NOT f.good)
FROM model_feedback f JOIN model_analysis m ON m.id = f.analysis_id
WHERE m.article_id = ANY(%(ids)s) AND m.task = ANY(%(tasks)s)
GROUP BY m.article_id, m.task, f.claim ORDER BY m.article_id, m.task, min(f.id)
"""
