"""Drafts are handed on only with the proof: valid, matching what they are for, nothing ordinary."""

from collections.abc import Mapping

from ctiscraper.detect.checking import check
from ctiscraper.detect.drafted import Checked, Draft, Drafted, Material, Refused
from ctiscraper.detect.drafting import drafts_of

_SHOWN = 120


def assess(material: Material, techniques: Mapping[str, str] | None = None) -> Drafted:
    """Return the drafts of an article that hold, and why the others do not."""
    made, refused = drafts_of(material)
    held: list[tuple[Draft, Checked]] = []
    for draft in made:
        found = check(draft.yaml, draft.events, techniques)
        reason = why_not(found)
        if reason:
            first = draft.evidence[0]
            refused.append(
                Refused(quote=first.quote, start=first.start, end=first.end, reason=reason)
            )
        else:
            held.append((draft, found))
    return Drafted(drafts=tuple(held), refused=tuple(refused))


def why_not(found: Checked) -> str:
    """Return why a rule is not to be used, empty where nothing stands against it."""
    fatal = [issue.what for issue in found.issues if issue.fatal]
    if fatal:
        return fatal[0]
    if found.replay.benign_matched:
        return f"it matches ordinary events as well: {found.replay.false_hits[0][:_SHOWN]}"
    if not found.replay.positives:
        return "there is nothing of the article that it could be tried on"
    if not found.replay.matched:
        return "it matches nothing of what the article shows"
    return ""
