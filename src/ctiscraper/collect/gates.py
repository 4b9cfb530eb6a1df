"""The gates an operator set for a source: what they hold back is quarantined, never dropped."""

import re

from ctiscraper.errors import Reason
from ctiscraper.types import ArticleContent, SourceSettings


def held_back(settings: SourceSettings, content: ArticleContent) -> tuple[Reason, str] | None:
    """Return why an article is held back and the words for it, None when it may pass."""
    if len(content.text) < settings.min_length:
        return (
            Reason.TOO_SHORT,
            f"{len(content.text)} characters, the source asks for {settings.min_length}",
        )
    searched = f"{content.title}\n{content.text}"
    for word in settings.exclude_words:
        if _has_word(searched, word):
            return Reason.WORD_EXCLUDED, f"contains {word!r}"
    if settings.include_words and not any(
        _has_word(searched, word) for word in settings.include_words
    ):
        return Reason.WORD_NOT_INCLUDED, "contains none of the source's include words"
    return None


def _has_word(text: str, word: str) -> bool:
    """Return whether the word stands in the text on its own, whatever its case."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None
