"""A database with sources, articles and ended items, written row by row."""

# ruff: noqa: ANN401 - columns take values of any kind

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ctiscraper.types import SourceSettings, Tier
from statements import connected

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def sha(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


@dataclass
class Shelf:
    """What fills a migrated database; times run backwards from START, a minute an article."""

    conninfo: str
    start: datetime = START
    count: int = 0
    sources: dict[str, int] = field(default_factory=dict)

    def run(
        self, statement: str, values: tuple[object, ...] | dict[str, object] = ()
    ) -> tuple[Any, ...]:
        with connected(self.conninfo) as connection:
            cursor = connection.execute(statement, values)
            return (cursor.fetchone() if cursor.description else None) or ()

    def source(self, key: str = "acme", **changes: Any) -> int:
        state = {
            name: changes.pop(name)
            for name in [
                "health",
                "reason",
                "detail",
                "failures",
                "items_per_day",
                "next_check_at",
                "last_checked_at",
                "last_success_at",
                "moved_to",
                "moved_count",
            ]
            if name in changes
        }
        values = {
            "key": key,
            "name": key.title(),
            "url": f"https://{key}.example/",
            "feed_url": f"https://{key}.example/feed.xml",
            "tier": Tier.STANDARD,
        }
        settings = SourceSettings(**{**values, **changes})
        row = self.run(
            "INSERT INTO source (key, settings) VALUES (%s, %s) RETURNING id",
            (key, msgspec.json.encode(settings).decode()),
        )
        self.sources[key] = row[0]
        names = ", ".join(["source_id", "host", *state])
        marks = ", ".join(["%s"] * (2 + len(state)))
        self.run(
            f"INSERT INTO source_state ({names}) VALUES ({marks})",
            (row[0], f"{key}.example", *state.values()),
        )
        return int(row[0])

    def _source_id(self, key: str) -> int:
        return self.sources.get(key) or self.source(key)

    def job(self, source: str, url: str, state: str = "stored", **changes: Any) -> int:
        source_id = self._source_id(source)
        entry = {"guid": url, "url": url, "title": changes.pop("title", "A title")}
        entry["summary"] = changes.pop("summary", "")
        values = {
            "url_hash": sha(url),
            "url": url,
            "host": f"{source}.example",
            "source_id": source_id,
            "state": state,
            "alias": state == "duplicate",
            "entry": json.dumps(entry),
            **changes,
        }
        names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
        row = self.run(
            f"INSERT INTO fetch_job ({names}) VALUES ({marks}) RETURNING id",
            tuple(values.values()),
        )
        self.sighting(row[0], source, first=True)
        return int(row[0])

    def sighting(self, job: int, source: str, *, first: bool = False) -> None:
        self.run(
            """
            INSERT INTO sighting (source_id, guid_hash, job_id, entry_hash, first, seen_at)
            VALUES (%s, %s, %s, %s, %s, %s)
            """,
            (self._source_id(source), sha(f"{source} {job}"), job, b"e", first, self.start),
        )

    def article(self, title: str = "A title", source: str = "acme", **changes: Any) -> int:
        self.count += 1
        at = self.start - timedelta(minutes=self.count)
        url = changes.pop("url", f"https://{source}.example/posts/{self.count}")
        text = changes.pop("text", f"The text of {title}.")
        source_id = self._source_id(source)
        job = self.job(source, url)
        tier = self.run("SELECT tier FROM source WHERE id = %s", (source_id,))[0]
        values = {
            "job_id": job,
            "url_hash": sha(url),
            "source_id": source_id,
            "tier": tier,
            "url": url,
            "canonical_url": url,
            "title": title,
            "language": "en",
            "summary": text[:200],
            "text": text,
            "html": f"<p>{text}</p>",
            "published_at": at,
            "published_from": "feed",
            "collected_at": at,
            "sort_at": at,
            "word_count": len(text.split()),
            "reading_minutes": 1 + len(text.split()) // 220,
            "method": "general",
            "text_sha256": sha(text),
            **changes,
        }
        names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
        row = self.run(
            f"""
            INSERT INTO article ({names}, search) VALUES ({marks},
                setweight(to_tsvector('english', %s), 'A') || to_tsvector('english', %s))
            RETURNING id
            """,
            (*values.values(), title, text),
        )
        self.run("UPDATE fetch_job SET article_id = %s WHERE id = %s", (row[0], job))
        return int(row[0])

    def snapshot(self, article: int, **changes: Any) -> None:
        job, url = self.run("SELECT id, url FROM fetch_job WHERE article_id = %s", (article,))
        row = self.run(
            """
            INSERT INTO snapshot (job_id, sha256, url, status, content_type, bytes, fetched_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id
            """,
            (job, sha(url), url, changes.get("status", 200), "text/html", 48_211, self.start),
        )
        self.run("UPDATE article SET snapshot_id = %s WHERE id = %s", (row[0], article))

    def revision(self, article: int, number: int, text: str, title: str = "A title") -> None:
        self.run(
            """
            INSERT INTO article_revision (article_id, number, title, text, html, text_sha256,
                stored_at, replaced_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
            """,
            (article, number, title, text, text, sha(text), self.start, self.start),
        )
        self.run(
            "UPDATE article SET revision = %s, updated_at = %s WHERE id = %s",
            (number + 1, self.start, article),
        )

    def check(self, source: str, **changes: Any) -> None:
        values = {"source_id": self._source_id(source), "checked_at": self.start, **changes}
        names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
        self.run(
            f"INSERT INTO source_check ({names}) VALUES ({marks})",
            tuple(values.values()),
        )
