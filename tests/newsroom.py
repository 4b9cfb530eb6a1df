"""A database whose articles name what a test says, and the stage that makes stories of them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import planted
from ctiscraper.db.session import Database
from ctiscraper.db.stories import Stories
from ctiscraper.enrich.listed import host_in
from ctiscraper.enrich.stories import Stories as Judge
from ctiscraper.intelligence import Extractor, Mention
from planted import Planted
from statements import connected

START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
FILLER = "Nothing of this stands anywhere else: "


@dataclass
class Newsroom:
    conninfo: str
    database: Database
    count: int = 0
    sources: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stories = Stories(self.database)
        self.judge = Judge(planted.alike)

    def tell(
        self,
        *named: str,
        source: str = "acme",
        hours: float = 0,
        title: str = "",
        text: str = "",
        language: str = "en",
    ) -> int:
        """The number of a new article; what it names is given as `kind value`."""
        self.count += 1
        one = Planted(
            title=title or f"Item {self.count * 7919:x}",
            text=text or FILLER + " ".join(f"w{self.count}x{n}" for n in range(60)),
            source=source,
            at=START + timedelta(hours=hours),
            language=language,
        )
        with connected(self.conninfo) as conn:
            return planted.store(conn, one, [_named(words) for words in named])

    def again(self, *articles: int) -> None:
        """Let articles come once more, as after an edit or when all is read anew."""
        with connected(self.conninfo) as conn:
            for number in articles:
                conn.execute(
                    "INSERT INTO outbox (topic, article_id, revision) VALUES ('story', %s, 2)",
                    (number,),
                )

    def renamed(self, article: int, *named: str) -> None:
        """Let an article name other things than it did."""
        with connected(self.conninfo) as conn:
            conn.execute("DELETE FROM mention WHERE article_id = %s", (article,))
            row = conn.execute(
                "SELECT source_id, sort_at FROM article WHERE id = %s", (article,)
            ).fetchone()
            assert row is not None
            planted.name_in(conn, article, row[0], row[1], [_named(words) for words in named])
        self.again(article)

    async def assign(self, limit: int = 50) -> int:
        """Put all that waits into stories; how many there were."""
        done = 0
        while count := await self.stories.assign_next(self.judge, limit=limit):
            done += count
        return done

    async def groups(self) -> set[frozenset[int]]:
        """The articles that are together, by their numbers."""
        rows = await self.rows(
            """
            SELECT array_agg(article_id) FROM story_article
            WHERE story_id IS NOT NULL GROUP BY story_id
            """
        )
        return {frozenset(row[0]) for row in rows}  # type: ignore[call-overload]  # an array

    async def story_of(self, article: int) -> int | None:
        rows = await self.rows(f"SELECT story_id FROM story_article WHERE article_id = {article}")
        return rows[0][0] if rows else None  # type: ignore[return-value]  # a number

    async def rows(self, query: str) -> list[tuple[object, ...]]:
        async with self.database.connection() as conn:
            cursor = await conn.execute(query)
            return [tuple(row) for row in await cursor.fetchall()]


def _named(words: str) -> Mention:
    kind, _, value = words.partition(" ")
    return Mention(
        kind=kind,
        value=value,
        host=host_in(kind, value),
        extractor=Extractor.OBSERVABLES,
        places=((0, 1),),
        count=1,
    )
