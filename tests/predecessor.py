"""A database as the first CTIScraper made it, of its first version or of a later one."""

from dataclasses import dataclass, field

import psycopg
from psycopg.types.json import Json

FIRST = """
CREATE TABLE sources (id serial PRIMARY KEY, identifier varchar(255) NOT NULL UNIQUE,
    name varchar(500) NOT NULL, url text NOT NULL, rss_url text,
    check_frequency integer NOT NULL, active boolean NOT NULL, config json NOT NULL,
    last_check timestamp, consecutive_failures integer NOT NULL DEFAULT 0,
    created_at timestamp NOT NULL DEFAULT now());
CREATE TABLE articles (id serial PRIMARY KEY, source_id integer NOT NULL REFERENCES sources,
    canonical_url text NOT NULL, title text NOT NULL, published_at timestamp NOT NULL,
    modified_at timestamp, authors json NOT NULL, tags json NOT NULL, content text NOT NULL,
    content_hash varchar(64) NOT NULL UNIQUE, article_metadata json NOT NULL,
    simhash numeric(20, 0), discovered_at timestamp NOT NULL DEFAULT now(), word_count integer);
CREATE TABLE text_highlights (id serial PRIMARY KEY, article_id integer REFERENCES articles,
    selected_text text NOT NULL, is_huntable boolean NOT NULL);
CREATE TABLE simhash_buckets (id serial PRIMARY KEY, article_id integer REFERENCES articles);
"""
LATER = """
ALTER TABLE sources ADD COLUMN lookback_days integer NOT NULL DEFAULT 180;
ALTER TABLE sources ADD COLUMN tier integer NOT NULL DEFAULT 2;
ALTER TABLE articles ADD COLUMN summary text, ADD COLUMN archived boolean NOT NULL DEFAULT false,
    ADD COLUMN embedding real[];
"""


@dataclass
class Old:
    """The other program's database, to be filled."""

    conninfo: str
    later: bool = False
    count: int = 0
    numbers: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.run(FIRST)
        if self.later:
            self.run(LATER)

    def run(self, statements: str) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as conn:
            conn.execute(statements.encode())

    def source(self, identifier: str, url: str, **more: object) -> int:
        """The number of a new source."""
        row = {
            "identifier": identifier,
            "name": identifier.replace("_", " ").title(),
            "url": url,
            "rss_url": f"{url}feed/",
            "check_frequency": 1800,
            "active": True,
            "config": {},
            **more,
        }
        self.numbers[identifier] = self._insert("sources", row)
        return self.numbers[identifier]

    def article(self, source: int, url: str, content: str, **more: object) -> int:
        """The number of a new article."""
        self.count += 1
        row = {
            "source_id": source,
            "canonical_url": url,
            "title": f"Article {self.count}",
            "published_at": "2025-09-01 10:00:00",
            "authors": ["Ann Example"],
            "tags": ["ransomware"],
            "content": content,
            "content_hash": f"{self.count:064x}",
            "article_metadata": {"threat_hunting_score": 71, "keywords": ["lsass"]},
            **more,
        }
        return self._insert("articles", row)

    def _insert(self, table: str, row: dict[str, object]) -> int:
        values = [Json(v) if isinstance(v, dict | list) else v for v in row.values()]
        statement = (
            f"INSERT INTO {table} ({', '.join(row)}) "
            f"VALUES ({', '.join('%s' for _ in row)}) RETURNING id"
        )
        with psycopg.connect(self.conninfo, autocommit=True) as conn:
            found = conn.execute(statement.encode(), values).fetchone()
        assert found is not None
        return int(found[0])


def story(number: int) -> str:
    """A text that no other is near to, of two paragraphs."""
    words = " ".join(f"word{number}x{n}" for n in range(60))
    first = f"The actor moved laterally, report {number}.\nIt used {words}."
    return f"{first}\n\nSecond paragraph {number}."
