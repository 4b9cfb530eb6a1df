"""Numbers fit PostgreSQL's `real`, whatever they are."""

from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.db.reals import real
from db.stage import Stage


@given(st.floats(0, 1e-46))
def test_the_smallest_become_nothing(small: float) -> None:
    assert real(small) == 0


async def test_the_server_takes_what_is_left(stage: Stage) -> None:
    numbers = [0.0, 5e-324, 1e-45, 1e-40, 0.1, 0.9, 1.0]
    for number in numbers:
        assert await stage.value(f"SELECT {real(number)!r}::float8::real IS NOT NULL")
    assert [round(real(number), 6) for number in numbers[-3:]] == [0.1, 0.9, 1.0]
