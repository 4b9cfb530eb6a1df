"""Articles with what they mention and their scores, as tests of several rooms need them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ctiscraper.enrich.text_score import text_parts
from ctiscraper.intelligence import Extractor, Mention
from ctiscraper.scoring import ScoredText, Scoring

if TYPE_CHECKING:
    from ctiscraper.db.session import Database
    from web.shelf import Shelf


def mention(kind: str, value: str, **changes: object) -> Mention:
    values: dict[str, object] = {
        "kind": kind,
        "value": value,
        "extractor": Extractor.NAMES,
        "places": ((0, len(value)),),
        "count": 1,
    }
    return Mention(**{**values, **changes})  # type: ignore[arg-type]  # a builder


@dataclass
class ScoredShelf:
    """Stores articles as the pipeline does: what they mention, then their scores."""

    shelf: Shelf
    texts: list[ScoredText] = field(default_factory=list)

    def article(
        self,
        title: str,
        text: str,
        *mentions: Mention,
        days_ago: float = 0.0,
        source: str = "acme",
        **changes: object,
    ) -> int:
        """The number of a stored article, whose score is still to be made."""
        at = datetime.now(UTC) - timedelta(days=days_ago)
        number = self.shelf.article(
            title, source, text=text, sort_at=at, published_at=at, collected_at=at, **changes
        )
        for one in mentions:
            self._mention(number, at, one)
        self.texts.append(
            ScoredText(
                article_id=number,
                title=title,
                text=text,
                mentions=mentions,
                parts=text_parts(text, title, mentions),
            )
        )
        return number

    def _mention(self, number: int, at: datetime, one: Mention) -> None:
        [entity] = self.shelf.run(
            """
            INSERT INTO entity (key, kind, value, name, articles, first_seen, last_seen)
            VALUES (sha256(convert_to(%(kind)s || ' ' || %(value)s, 'UTF8')), %(kind)s, %(value)s,
                %(name)s, 1, %(at)s, %(at)s)
            ON CONFLICT (key) DO UPDATE SET articles = entity.articles + 1,
                first_seen = least(entity.first_seen, excluded.first_seen)
            RETURNING id
            """,
            {"kind": one.kind, "value": one.value, "name": one.name, "at": at},
        )
        self.shelf.run(
            """
            INSERT INTO mention (article_id, entity_id, source_id, seen_at, count, starts, ends,
                verdict, alias, extractor, version)
            SELECT id, %s, source_id, %s, %s, %s, %s, %s, %s, %s, '1' FROM article WHERE id = %s
            """,
            (
                entity,
                at,
                one.count,
                [start for start, _ in one.places],
                [end for _, end in one.places],
                one.verdict,
                one.alias,
                one.extractor,
                number,
            ),
        )

    async def join(self, database: Database, scoring: Scoring | None = None) -> None:
        """Score what was stored since."""
        scoring = scoring or Scoring(database)
        async with database.transaction() as conn:
            await scoring.join(conn, self.texts)
        self.texts.clear()

    def score(self, number: int) -> float:
        [score] = self.shelf.run(
            "SELECT score::float8 FROM article_score WHERE article_id = %s", (number,)
        )
        return float(score)

    def part(self, number: int, name: str) -> dict[str, object]:
        [found] = self.shelf.run(
            """
            SELECT p FROM article_score, jsonb_array_elements(parts) p
            WHERE article_id = %s AND p->>'name' = %s
            """,
            (number, name),
        )
        assert isinstance(found, dict)
        return found
