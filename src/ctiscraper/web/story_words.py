"""Why articles are told of as one event, in words."""

from ctiscraper.defang import defang
from ctiscraper.story_views import StoryWhy
from ctiscraper.web.kind_words import kind_words

_NAMED = {"shares": "Both name", "also_shares": "Both name as well"}
_WORDS = {
    "both": "They share both what is rare and a vulnerability",
    "near_duplicate": "Nearly the same text",
    "same_list": "The same list of events",
    "title": "Their titles say the same",
    "text": "Their texts say the same",
    "days_apart": "Days apart",
}
_SHARES = frozenset({"near_duplicate", "same_list", "text"})


def why_words(reason: StoryWhy) -> str:
    """Return a reason in words; one that this version does not know by its own name."""
    if reason.name in _NAMED:
        kind, _, value = reason.detail.partition(" ")
        return f"{_NAMED[reason.name]}: {kind_words(kind)} {defang(kind, value)}"
    words = _WORDS.get(reason.name) or reason.name.replace("_", " ").capitalize()
    if reason.name in _SHARES:
        return f"{words} ({_percent(reason.detail)})"
    return f"{words}: {reason.detail}" if reason.detail else words


def later(hours: float) -> str:
    """Return how much later than the first an article came."""
    if hours < _MINUTE:
        return "first"
    if hours < 1:
        return f"{hours * 60:.0f} min later"
    return f"{hours:.0f} h later" if hours < _DAYS else f"{hours / 24:.0f} days later"


def next_words(hours: float) -> str:
    """Return when the second source told of a story, after "the next"."""
    return later(hours) if hours >= _MINUTE else "at the same time"


_MINUTE = 1 / 60
_DAYS = 48


def _percent(share: str) -> str:
    try:
        return f"{float(share) * 100:.0f} % alike"
    except ValueError:
        return share
