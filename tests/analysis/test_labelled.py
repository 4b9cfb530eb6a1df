"""The bundled articles hold what is said to stand in them."""

import pytest

from ctiscraper.analysing import known_techniques
from ctiscraper.analysis.labelled import LabelledArticle, bundled_set
from ctiscraper.analysis.proof import evidence
from ctiscraper.analysis.shown import shown

ARTICLES = bundled_set().articles


@pytest.mark.parametrize("article", ARTICLES, ids=lambda one: one.name)
def test_labels_are_proved_by_the_text(article: LabelledArticle) -> None:
    text = evidence(article.text, shown(article.text).traced)
    for words in (*article.facts, *article.traces):
        assert words in article.text
        assert text.find(words) is not None
    whole = f"{article.title}\n{article.text}".casefold()
    for name in article.names:
        assert name.casefold() in whole
    assert article.techniques <= known_techniques()
    assert (article.language == "en") == (not article.english)
    assert set(article.watched.values()) <= {True, False}


def test_there_are_articles_of_which_little_is_to_be_said() -> None:
    names = [one.name for one in ARTICLES]
    assert len(set(names)) == len(names) >= 12
    assert sum(not one.techniques for one in ARTICLES) >= 5
    assert sum(bool(one.techniques) for one in ARTICLES) >= 6
    assert len({one.language for one in ARTICLES}) >= 3


def test_a_set_has_a_version_of_its_own() -> None:
    assert bundled_set().version == bundled_set().version
    assert bundled_set().version.startswith("bundled-")
