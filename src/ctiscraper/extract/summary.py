"""The first sentences of a text."""

import re

from ctiscraper.extract.clean import clean_line

_END = re.compile(
    r"(?<=[.!?\u3002\uff01\uff1f])[\"'\u201d\u2019)]?\s+(?=[\"'\u201c(]?[A-Z0-9\u00c0-\uffff])"
)
_PROSE = 60


def first_sentences(text: str, limit: int) -> str:
    """Whole sentences of the first prose block up to `limit` characters, at least one."""
    blocks = [b for b in text[:20_000].split("\n\n") if b.strip()]
    prose = next((b for b in blocks if len(b) >= _PROSE and not b.startswith("- ")), None)
    start = clean_line(prose if prose is not None else " ".join(blocks[:3]))
    said = ""
    for sentence in _END.split(start):
        if said and len(said) + 1 + len(sentence) > limit:
            break
        said = f"{said} {sentence}".strip()
    return clean_line(said, limit)
