"""Searching by meaning: what is asked becomes a vector, and what lies near it is found."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import structlog

from ctiscraper.db.article_filters import articles_by_ids, bounded
from ctiscraper.db.fusing import fuse
from ctiscraper.db.meaning import MeaningSearch, Mode
from ctiscraper.db.nearest import Asked, Nearest
from ctiscraper.db.passages import EmbeddingProgress
from ctiscraper.db.retrieving import RetrievedPassage, as_question, retrieve
from ctiscraper.db.session import Database
from ctiscraper.db.similar import MOST as MOST_SIMILAR
from ctiscraper.db.similar import Similar
from ctiscraper.embedding import Embedding
from ctiscraper.entity_views import SimilarArticle
from ctiscraper.errors import ModelError, QueryError, UnavailableError
from ctiscraper.patience import Patience
from ctiscraper.query.meant import meant
from ctiscraper.query.tree import Question
from ctiscraper.views import ArticlePage, ArticleQuery, SearchNote

Value = TypeVar("Value")

log = structlog.get_logger()

_AWAY = "the model of vectors does not answer"
_NO_VECTORS = (
    "no article has vectors yet, so that none is found by meaning: they are made by a running"
    " installation little by little, and by 'ctiscraper embed' at once"
)

# Articles that have less to do with one than this are not shown beside it.
_ALIKE = 0.5
# What it is worth that all words of a question stand in a passage: a cosine of so much. Fitted as
# the least that is asked for of the model that comes along.
_ALL_WORDS = 0.5


@dataclass(frozen=True, slots=True)
class FoundPassages:
    """Passages that may answer a question; `unmeant` is why they were found by words alone."""

    passages: tuple[RetrievedPassage, ...]
    unmeant: str = ""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one process asks by meaning; without `embedding` it knows words alone.

    Where a server makes the vectors, `patience` is how long it is waited for.
    """

    database: Database
    embedding: Embedding | None
    nearest: Nearest
    patience: Patience | None = None

    async def page(
        self,
        query: ArticleQuery,
        mode: Mode,
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> ArticlePage:
        """Return the articles that mean what is asked, narrowed by the fields of the search.

        Where no article has vectors yet a note says so. A search by both goes by words where the
        model of vectors is away, and a note says so too. Raises UnavailableError without a model,
        QueryError where no word is left to mean anything, else as `MeaningSearch.page`, and
        ModelError for a search by meaning alone.
        """
        if query.q is None or not (words := meant(query.q)[0]):
            raise QueryError("a search by meaning needs words: fields alone have no meaning")
        search = MeaningSearch(self.database, self.nearest)
        try:
            asked = await self._asked(words)
        except ModelError as error:
            if mode is Mode.MEANING:
                raise
            log.warning("searched_by_words_alone", detail=str(error))
            page = await search.page(query, None, mode, cursor=cursor, limit=limit)
            return _noted(page, query.q, f"{_AWAY} ({error}): found by words alone")
        page = await search.page(query, asked, mode, cursor=cursor, limit=limit)
        if cursor is not None or (page.articles and mode is Mode.MEANING):
            return page
        if self.embedding is None or await self.embedding.passages.has_any(asked.model):
            return page
        found = page.found if page.articles else None
        return _noted(replace(page, found=found), query.q, _NO_VECTORS)

    async def similar(
        self, article_id: int, *, limit: int = MOST_SIMILAR
    ) -> tuple[SimilarArticle, ...]:
        """Return the articles that have to do with one: by what both name, and by what they mean.

        Where the model of vectors is away, by what both name alone. Raises NotFoundError.
        """
        shared = await Similar(self.database).to_article(article_id, limit=limit)
        if self.embedding is None:
            return shared
        try:
            model = await self._in_time(self.embedding.known)
        except ModelError as error:
            log.warning("similar_by_names_alone", detail=str(error))
            return shared
        if model is None:
            return shared
        search = MeaningSearch(self.database, self.nearest)
        vectors = await search.vectors_of(article_id, model.id)
        if not vectors:
            return shared
        matrix = np.array([np.frombuffer(one, "<f2") for one in vectors], np.float32)
        mean = np.asarray(matrix.mean(axis=0), np.float32)
        asked = Asked(model=model, vector=mean / np.float32(np.linalg.norm(mean)), floor=_ALIKE)
        near = await search.near_article(article_id, asked, limit=limit)
        return await self._together(shared, {one.article: one.closeness for one in near}, limit)

    async def _together(
        self, shared: tuple[SimilarArticle, ...], near: dict[int, float], limit: int
    ) -> tuple[SimilarArticle, ...]:
        known = {one.article.id: one for one in shared}
        chosen = [number for number, _ in fuse([list(known), list(near)])][:limit]
        async with self.database.transaction() as conn:
            new = await articles_by_ids(conn, [one for one in chosen if one not in known])
        known |= {one.id: SimilarArticle(article=one, things=(), words=()) for one in new}
        return tuple(
            replace(known[number], closeness=near.get(number))
            for number in chosen
            if number in known
        )

    async def progress(self) -> EmbeddingProgress | None:
        """Return how far vectors of texts are, None where there are none. Raises ModelError."""
        if self.embedding is None:
            return None
        return await self._in_time(self.embedding.progress)

    async def passages(self, question: str, query: ArticleQuery, *, limit: int) -> FoundPassages:
        """Return the passages that may answer a question, best first. Raises QueryError.

        Where the model of vectors is away they are those that have the words of the question.
        """
        asked, unmeant = None, ""
        if self.embedding is not None:
            try:
                asked = await self._asked(question)
            except ModelError as error:
                log.warning("passages_by_words_alone", detail=str(error))
                unmeant = str(error)
        async with bounded(self.database) as conn:
            found = await retrieve(
                conn, replace(query, q=as_question(question)), asked, self.nearest, limit=limit
            )
        return FoundPassages(found, unmeant)

    def bears_out(self, found: Sequence[RetrievedPassage]) -> bool:
        """Whether any passage is near enough to a question to answer it.

        Where nothing is known of the model, or there is none, each that was found is.
        """
        least = self.embedding.embedder.support if self.embedding is not None else None
        if least is None:
            return bool(found)
        known = [support for one in found if (support := support_of(one)) is not None]
        # Passages without vectors are those of articles that have none yet.
        return len(known) < len(found) or any(one >= least for one in known)

    async def _asked(self, words: str) -> Asked:
        if self.embedding is None:
            raise UnavailableError(
                "there is no search by meaning here: CTISCRAPER_EMBEDDING is none;"
                " set it to builtin, or search by words"
            )
        embedding = self.embedding

        async def asked() -> Asked:
            model = await embedding.model()
            seeker = embedding.seeker or embedding.embedder
            (vector,) = await seeker.embed([words])
            return Asked(model=model, vector=vector, floor=embedding.embedder.floor)

        return await self._in_time(asked)

    async def _in_time(self, asked: Callable[[], Coroutine[object, object, Value]]) -> Value:
        """Return what is asked of the model of vectors, as long as a reader waits."""
        return await (asked() if self.patience is None else self.patience.wait_for(asked))


def _noted(page: ArticlePage, asked: Question, words: str) -> ArticlePage:
    """Return a page with one more note, on the whole of what was asked."""
    note = SearchNote(message=words, position=0, length=len(asked.text))
    return replace(page, notes=(*page.notes, note))


def support_of(passage: RetrievedPassage, all_words: float = _ALL_WORDS) -> float | None:
    """Return how well a passage bears out an answer, None where it has no vector."""
    if passage.closeness is None:
        return None
    return passage.closeness + all_words * passage.share
