"""What articles of a shelf name, written as the stage that finds it does."""

import json
from datetime import datetime

from ctiscraper.db.mentions import Claims, write_mentions
from ctiscraper.db.session import Database
from ctiscraper.intelligence import Extractor, Mention, Verdict
from web.shelf import Shelf


def mention(value: str, kind: str = "domain", **changes: object) -> Mention:
    values: dict[str, object] = {
        "kind": kind,
        "value": value,
        "extractor": Extractor.OBSERVABLES,
        "places": ((0, 3),),
        "count": 1,
        "host": value if kind == "domain" else "",
        "verdict": Verdict.MALICIOUS,
        "reasons": ("defanged",),
    }
    return Mention(**{**values, **changes})  # type: ignore[arg-type]  # a builder


def at(text: str, words: str, kind: str = "domain", **changes: object) -> Mention:
    """A mention of these words where the text has them."""
    start = text.index(words)
    changes.setdefault("value", words.replace("[.]", "."))
    value = str(changes.pop("value"))
    return mention(value, kind, places=((start, start + len(words)),), **changes)


async def name(
    database: str, shelf: Shelf, article: int, *mentions: Mention, seen: datetime | None = None
) -> dict[str, int]:
    """Let an article name these; give the numbers of the things by their values."""
    source, at = shelf.run("SELECT source_id, sort_at FROM article WHERE id = %s", (article,))
    async with Database(database, size=1) as opened:
        async with opened.transaction() as conn:
            claims = Claims(
                article_id=article,
                source_id=source,
                seen_at=seen or at,
                mentions=mentions,
                versions=dict.fromkeys(("observables", "names", "attack"), "1"),
            )
            await write_mentions(conn, [claims])
        async with opened.connection() as conn:
            cursor = await conn.execute("SELECT value, id FROM entity")
            return {row[0]: row[1] for row in await cursor.fetchall()}


def looked(shelf: Shelf, article: int, **result: object) -> None:
    """Record how an article was looked through."""
    kept = {"failure": "", "versions": {"observables": "1"}, "notes": [], **result}
    shelf.run(
        """
        INSERT INTO analysis (article_id, revision, stage, version, result)
        SELECT id, revision, 'enrichment', 1, %s FROM article WHERE id = %s
        """,
        (json.dumps(kept), article),
    )
