"""Drafts are handed on only with the proof: valid, matching what they are for, nothing ordinary."""

from collections.abc import Mapping

from ctiscraper.detect.checking import check
from ctiscraper.detect.drafted import Checked, Draft, Drafted, Material, Refused
from ctiscraper.detect.drafting import drafts_of
from ctiscraper.detect.flaws import flaw_of


def assess(material: Material, techniques: Mapping[str, str] | None = None) -> Drafted:
    """Return the drafts of an article that hold, and why the others do not."""
    made, refused = drafts_of(material)
    held: list[tuple[Draft, Checked]] = []
    for draft in made:
        found = check(draft.yaml, draft.events, techniques)
        flaw = flaw_of(found)
        if flaw:
            first = draft.evidence[0]
            refused.append(
                Refused(quote=first.quote, start=first.start, end=first.end, reason=flaw[1])
            )
        else:
            held.append((draft, found))
    return Drafted(drafts=tuple(held), refused=tuple(refused))
