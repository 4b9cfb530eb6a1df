"""How far the vectors of all texts are, as whoever looks after an installation sees it."""

from ctiscraper.db.session import Conn
from ctiscraper.db.vector_index import VectorModel, whole_index_of
from ctiscraper.operations import COUNTED_MOST, NO_VECTORS, Vectors

# The model in use is the one that made vectors last: others are removed a day after their last use.
_IN_USE = """
SELECT m.id, m.name, m.version, m.dimensions FROM embedding_model m
ORDER BY m.id = (SELECT model_id FROM passage ORDER BY id DESC LIMIT 1) DESC NULLS LAST,
    m.id DESC
LIMIT 1
"""
_PROGRESS = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM embedded_text WHERE model_id = %(model)s
        AND passages IS NOT NULL AND failure = '' AND withheld IS NULL LIMIT %(most)s) t),
    (SELECT count(*) FROM (SELECT 1 FROM article a LEFT JOIN embedded_text e
            ON e.article_id = a.id AND e.model_id = %(model)s
        WHERE a.duplicate_of IS NULL AND (e.article_id IS NULL OR e.revision <> a.revision
            OR e.passages IS NULL) LIMIT %(most)s) w),
    (SELECT count(*) FROM (SELECT 1 FROM embedded_text WHERE model_id = %(model)s
        AND failure <> '' LIMIT %(most)s) f),
    (SELECT count(*) FROM (SELECT 1 FROM embedded_text WHERE model_id = %(model)s
        AND withheld IS NOT NULL LIMIT %(most)s) h)
"""


async def vectors_now(conn: Conn) -> Vectors:
    """Return how many texts have vectors and how many wait, each counted up to a most."""
    row = await (await conn.execute(_IN_USE)).fetchone()
    if row is None:
        return NO_VECTORS
    model = VectorModel(id=row[0], name=row[1], version=row[2], dimensions=row[3])
    values = {"model": model.id, "most": COUNTED_MOST}
    counted = await (await conn.execute(_PROGRESS, values)).fetchone()
    assert counted is not None, "a count is one row"
    return Vectors(
        model=model.name,
        texts=counted[0],
        waiting=counted[1],
        failed=counted[2],
        withheld=counted[3],
        indexed=await whole_index_of(conn, model) is not None,
    )
