"""Columns go to PostgreSQL as one text each, and arrive as they were."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import DataError

from ctiscraper.db.arrays import array
from db.stage import Stage


async def _rows(stage: Stage, query: str, *columns: str) -> list[tuple[object, ...]]:
    async with stage.database.connection() as conn:
        cursor = await conn.execute(query, columns)
        return [tuple(row) for row in await cursor.fetchall()]


# Whatever a text may hold that PostgreSQL takes.
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(WORDS | st.sampled_from(("NULL", "null", "{}", "a,b", "\\n", '\\"', " "))),
    numbers=st.lists(st.integers(-(2**63), 2**63 - 1) | st.none()),
    measures=st.lists(st.floats(allow_nan=False, allow_infinity=False)),
)
async def test_what_is_sent_arrives_as_it_was(
    stage: Stage, words: list[str], numbers: list[int | None], measures: list[float]
) -> None:
    given_back = await _rows(
        stage,
        "SELECT %s::text[], %s::bigint[], %s::float8[]",
        array(words),
        array(numbers),
        array(measures),
    )
    assert given_back == [(words, numbers, measures)]


async def test_nothing_is_not_an_empty_word(stage: Stage) -> None:
    rows = await _rows(stage, "SELECT %s::text[]", array(["", None, "NULL"]))
    assert rows == [(["", None, "NULL"],)]


async def test_arrays_may_stand_in_arrays(stage: Stage) -> None:
    nested = array([array(["a\n\\", '"b"']), array([])])
    rows = await _rows(stage, "SELECT w::text[] FROM unnest(%s::text[]) w", nested)
    assert rows == [(["a\n\\", '"b"'],), ([],)]


async def test_what_no_text_may_hold_is_refused(stage: Stage) -> None:
    with pytest.raises(DataError):
        await _rows(stage, "SELECT %s::text[]", array(["a\0b"]))
