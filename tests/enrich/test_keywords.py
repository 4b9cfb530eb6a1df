"""The keyword score: every word gives, each of a list less than the one before."""

from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.enrich.keywords import keyword_score

HUNTED = (
    "The loader spawned rundll32.exe, dumped lsass.exe with procdump, and set a run key below "
    "HKCU; the parent process was winword.exe, and sysmon logged event id 1."
)
SOLD = "Sign up for our webinar to learn more about pricing: our platform serves customers."


def test_accounts_of_intrusions_score_and_adverts_do_not() -> None:
    assert keyword_score(HUNTED).score > 50
    assert keyword_score(SOLD).score == 0
    assert keyword_score("").score == 0


def test_it_names_its_words_and_where_they_stand() -> None:
    done = keyword_score(HUNTED)
    assert {"lsass.exe", "rundll32.exe", "loader"} <= {word for word, _ in done.words}
    assert all(HUNTED[start:end].lower() == word for word, (start, end) in done.words)
    assert {"webinar", "pricing"} <= set(keyword_score(SOLD).against)


def test_a_word_again_gives_nothing_and_another_less_than_the_first() -> None:
    one, two, three = (
        keyword_score(text).score
        for text in ("lsass", "lsass and ntds.dit", "lsass and ntds.dit and dcsync")
    )
    assert keyword_score("lsass lsass lsass").score == one
    assert 0 < three - two < two - one < one


@given(st.text(max_size=200))
def test_any_text_has_a_score(text: str) -> None:
    assert 0 <= keyword_score(text).score <= 100
