"""What pages say of changes, states and people."""

from ctiscraper.db.changing import CHANGED_MOST
from ctiscraper.db.triage import TAGS_MOST
from ctiscraper.triage_views import Change, PersonRef, Undone
from ctiscraper.types import TriageState

STATES = {
    TriageState.NEW: "New",
    TriageState.REVIEW: "In review",
    TriageState.DONE: "Done",
    TriageState.IGNORED: "Ignored",
}

_DONE = {
    ("read", "true"): "marked as read",
    ("read", "false"): "marked as unread",
    ("star", "true"): "starred",
    ("star", "false"): "no longer starred",
}


def change_words(change: Change, person: PersonRef | None = None) -> str:
    """Return what a change did; `person` is to whom articles were given."""
    if change.field == "read_through":
        return "Everything up to now is marked as read."
    if not change.articles and not change.full:
        return "Nothing had to be changed: it was so already."
    cap = f", the most that are changed at once ({CHANGED_MOST:,})" if change.capped else ""
    done = f"{_counted(change.articles)} {_what(change, person)}{cap}."
    said = done if change.articles else "Nothing was changed."
    return f"{said} {_full_words(change.full)}" if change.full else said


def _full_words(number: int) -> str:
    if number == 1:
        return f"1 has {TAGS_MOST} tags already: take one off first."
    return f"{number:,} have {TAGS_MOST} tags already: take one off each first."


def undone_words(undone: Undone) -> str:
    """Return what became of an undone change."""
    if undone.change.field == "read_through":
        return "Undone: what was unread before is unread again."
    said = f"Undone: {_counted(undone.restored)} as before."
    if not undone.left:
        return said
    stay, it = ("stays", "it") if undone.left == 1 else ("stay", "them")
    left = f"{undone.left:,} {stay}: somebody changed {it} since."
    return f"{said if undone.restored else 'Nothing was undone.'} {left}"


def _what(change: Change, person: PersonRef | None) -> str:
    if (said := _DONE.get((change.field, change.value))) is not None:
        return said
    if change.field == "state":
        return f"put into \u201c{STATES[TriageState(change.value)]}\u201d"
    if change.field == "assignee":
        return f"given to {person.name if person else 'somebody'}" if change.value else "given back"
    tag = f"\u201c{change.value}\u201d"
    return f"tagged {tag}" if change.field == "tag" else f"no longer tagged {tag}"


def _counted(number: int) -> str:
    return "1 article" if number == 1 else f"{number:,} articles"
