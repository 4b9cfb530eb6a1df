"""What a server says to whom it lets not in; real ones say it in cli/test_engine_refused.py."""

import pytest

from ctiscraper.db.refusals import explain_refusal


@pytest.mark.parametrize(
    ("words", "advice", "lasting"),
    [
        ("FATAL:  the database system is starting up", "try again in a moment", False),
        ("FATAL:  the database system is shutting down", "try again in a moment", False),
        ("FATAL:  the database system is in recovery mode", "try again in a moment", False),
        ("FATAL:  sorry, too many clients already", "raise max_connections", False),
        ('FATAL:  too many connections for role "me"', "raise max_connections", False),
        ('FATAL:  role "me" is not permitted to log in', "mend the user", True),
        ('FATAL:  database "x" is not currently accepting connections', "connect to this", True),
        ("failed to resolve host 'db.invalid': [Errno -2] Name or s", "mend the host in D", False),
        ("something that no server says yet", "start it, or mend DATABASE_URL", False),
    ],
)
def test_the_way_out_fits_the_words(words: str, advice: str, *, lasting: bool) -> None:
    refusal = explain_refusal(f"connection failed: {words}")
    assert advice in refusal.advice
    assert refusal.lasting is lasting


@pytest.mark.parametrize(
    "words",
    [
        'FATAL:  password authentication failed for user "cti"',
        "fe_sendauth: no password supplied",
        'FATAL:  role "cti" does not exist',
    ],
)
def test_a_login_that_is_refused_is_mended_where_its_password_stands(words: str) -> None:
    assert explain_refusal(words).advice == "mend the user or the password in DATABASE_URL"
    refusal = explain_refusal(words, password_in_file=True)
    assert "the password in the file of DATABASE_PASSWORD_FILE" in refusal.advice
    assert "the user in DATABASE_URL" in refusal.advice
    assert refusal.lasting
