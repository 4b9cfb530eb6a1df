"""Articles with what they name, as tests of the things they name need them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

import make
from ctiscraper.db.enrichments import Finding, StoredText
from ctiscraper.intelligence import Enrichment, Extractor, Mention, Verdict
from ctiscraper.types import SourceSettings
from db.stage import Stage

URL = "https://{host}/a/{name}"


def never(_one: object, _other: object) -> float | None:
    return None


def mention(
    value: str,
    kind: str = "domain",
    *,
    verdict: Verdict | None = Verdict.MENTIONED,
    extractor: Extractor = Extractor.OBSERVABLES,
    **changes: object,
) -> Mention:
    values: dict[str, object] = {
        "kind": kind,
        "value": value,
        "extractor": extractor,
        "places": ((0, 3), (4, 8)),
        "count": 2,
        "host": value if kind == "domain" else "",
        "verdict": verdict,
        "reasons": ("defanged",),
    }
    return Mention(**{**values, **changes})  # type: ignore[arg-type]  # a builder


def enrichment(mentions: Sequence[Mention], *extractors: Extractor) -> Enrichment:
    asked = extractors or (Extractor.OBSERVABLES, Extractor.NAMES)
    return Enrichment(
        mentions=tuple(mentions), parts=(), versions=dict.fromkeys((e.value for e in asked), "1")
    )


async def store(
    stage: Stage,
    name: str,
    text: str = "The text of it.",
    *,
    settings: SourceSettings | None = None,
    published: datetime = make.NOW,
) -> int:
    """Keep an article and have it compared, so that it waits to be looked through."""
    settings = settings or make.settings()
    host = settings.url.split("/")[2]
    url = URL.format(host=host, name=name)
    await stage.announce([make.announced(url, host)], settings)
    content = make.content(url, text, published=published)
    kept = await stage.keep(await stage.claim(host), content, settings=settings)
    assert kept is not None
    await stage.links.link_next(never)
    return kept.article_id


async def claim(stage: Stage, limit: int = 10) -> list[StoredText]:
    return await stage.enrichments.claim(uuid4(), limit=limit)


async def tell(stage: Stage, *mentions: Mention) -> int:
    """Let the texts that wait name these; return how many there were."""
    texts = await claim(stage)
    found = [Finding(text=text, enrichment=enrichment(mentions)) for text in texts]
    return await stage.enrichments.keep(found) if found else 0


async def article(
    stage: Stage,
    name: str,
    *mentions: Mention,
    settings: SourceSettings | None = None,
    published: datetime = make.NOW,
    text: str = "The text of it.",
) -> int:
    """Keep an article that names these."""
    number = await store(stage, name, text, settings=settings, published=published)
    assert await tell(stage, *mentions) == 1
    return number
