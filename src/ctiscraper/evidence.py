"""What an article names with the words that say so: sentences and sections, from its places."""

import asyncio
from collections.abc import Sequence

from ctiscraper.db.articles import Articles
from ctiscraper.db.enrichment_records import EnrichmentRecords
from ctiscraper.db.entities import Entities
from ctiscraper.db.session import Database
from ctiscraper.enrich.context import Sections, sentence_at
from ctiscraper.entity_views import ArticleEvidence, Evidence, MentionView, Place

PLACES_SHOWN = 3


async def evidence_of(
    database: Database,
    article_id: int,
    *,
    kinds: Sequence[str] = (),
    places: int = PLACES_SHOWN,
) -> ArticleEvidence:
    """Return what an article names, each thing with its first places. Raises NotFoundError."""
    article = await Articles(database).get(article_id)
    mentions = [
        one
        for one in await Entities(database).of_article(article_id)
        if not kinds or one.entity.kind in kinds
    ]
    record = await EnrichmentRecords(database).of_article(article_id)
    found = await asyncio.to_thread(described, article.text, article.html, mentions, places)
    return ArticleEvidence(
        article=article_id, revision=article.revision, record=record, entities=found
    )


def described(
    text: str, html: str, mentions: Sequence[MentionView], most: int
) -> tuple[Evidence, ...]:
    """Return mentions with the first `most` of their places and what stands around each."""
    sections = Sections(text, html)
    return tuple(
        Evidence(
            mention=one,
            places=tuple(
                _place(text, sections, start, end)
                for start, end in list(zip(one.starts, one.ends, strict=True))[:most]
                if start < end <= len(text)
            ),
        )
        for one in mentions
    )


def _place(text: str, sections: Sections, start: int, end: int) -> Place:
    first, last = sentence_at(text, start, end)
    return Place(
        start=start,
        end=end,
        words=text[start:end],
        sentence=text[first:last],
        sentence_start=first,
        section=sections.at(start),
    )
