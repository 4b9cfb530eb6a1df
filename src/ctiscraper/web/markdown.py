"""An article as a file of Markdown, with what is known of it before its words."""

from collections.abc import Iterator, Sequence

import msgspec

from ctiscraper.defang import defang
from ctiscraper.entity_views import MentionView
from ctiscraper.extract.sanitise import sanitise
from ctiscraper.intelligence import Verdict
from ctiscraper.share.markdown import escaped, to_markdown
from ctiscraper.views import ArticleDetail

INDICATORS_MOST = 1_000
"""How many indicators stand before the words; more are left to the export of entities."""

_SHOWN = frozenset({Verdict.MALICIOUS.value, Verdict.SUSPICIOUS.value})


def markdown_of(article: ArticleDetail, mentions: Sequence[MentionView]) -> str:
    """Return an article as Markdown: front matter, title, and the text with tables and code.

    Indicators of the front matter are those held malicious or suspicious, defanged.
    """
    front = "\n".join(_front(article, mentions))
    body = to_markdown(sanitise(article.html)) if article.html else f"{escaped(article.text)}\n"
    return f"---\n{front}\n---\n\n# {escaped(article.title or 'Untitled')}\n\n{body}"


def _front(article: ArticleDetail, mentions: Sequence[MentionView]) -> Iterator[str]:
    """Yield the lines of the front matter: YAML whose values are written as JSON."""
    values: dict[str, object] = {
        "title": article.title,
        "source": article.source.name,
        "source_key": article.source.key,
        "url": article.url,
        "authors": list(article.authors),
        "published": article.published_at,
        "modified": article.modified_at,
        "collected": article.collected_at,
        "revision": article.revision,
        "language": article.language,
        "tlp": article.tlp,
        "score": None if article.score is None else round(article.score * 100),
        "tags": list(article.tags),
        "sha256": article.text_sha256,
    }
    for name, value in values.items():
        yield f"{name}: {_json(value)}"
    held = [one for one in mentions if one.verdict in _SHOWN]
    yield "indicators:" if held else "indicators: []"
    for one in held[:INDICATORS_MOST]:
        kind, value = one.entity.kind, defang(one.entity.kind, one.entity.value)
        yield f"  - {{kind: {_json(kind)}, value: {_json(value)}, verdict: {_json(one.verdict)}}}"
    if len(held) > INDICATORS_MOST:
        yield f"indicators_left_out: {len(held) - INDICATORS_MOST}"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
