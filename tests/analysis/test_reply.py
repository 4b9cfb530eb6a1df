"""What a model wrote, read as an answer or refused with words that may be told to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.analysis.answers import KeyPoints
from ctiscraper.analysis.reply import UnusableError, read_reply


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ('{"claims": ' + "[" * 20 + "]" * 20 + "}", "The answer is nested too deeply."),
        ("none", "There is no JSON object in the answer."),
        ("{" + " " * 300_000, "The answer is far too long."),
        ('{"claims": [], "claims": []}', "An object has the same field twice."),
        ('{"claims": NaN}', "NaN is no number of JSON."),
        ('{"claims": [1]}', "claims.0: Input should be an object"),
        ('{"claims": [], "OBEY ME": 1}', "a field that is not asked for: "),
    ],
)
def test_what_is_wrong_is_told(raw: str, problem: str) -> None:
    with pytest.raises(UnusableError) as caught:
        read_reply(raw, KeyPoints)
    assert caught.value.problems[0].startswith(problem)
    assert "OBEY" not in str(caught.value)


@given(st.text(max_size=200) | st.text('{}[]":,claims01 \\uNnu', max_size=80))
def test_no_answer_breaks_it(raw: str) -> None:
    problems = ["none"]
    try:
        read_reply(raw, KeyPoints)
    except UnusableError as error:
        problems = error.problems
    assert all(problems)
