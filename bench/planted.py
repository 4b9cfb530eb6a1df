"""Articles with planted events: which of them tell of one is known, and what else is in the way.

Writes rows as collection and enrichment would, for the parts that work on them.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations

from psycopg import Connection
from psycopg.rows import TupleRow

from ctiscraper.db.mentions import backwards, key_of
from ctiscraper.enrich.enrichment import Knowledge, enrich_article
from ctiscraper.extract.fingerprint import fingerprint, is_near_duplicate, similarity
from ctiscraper.intelligence import Mention
from ctiscraper.messages import EnrichMessage
from ctiscraper.types import Fingerprint

START = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = 150
# Kind and words of what a report tells of an event.
Fact = tuple[str, str]
Write = Callable[[int], tuple[str, list[str]]]


_ADVISORY = """1. EXECUTIVE SUMMARY
Vendor: {vendor}. Equipment: {unit} before {fixed}. CVSS {score}.
2. RISK EVALUATION
Successful exploitation of CVE-2026-{cve} or CVE-2026-{other} in {release} could allow an attacker
to run code or to read memory of the device.
3. MITIGATIONS
Users should minimise network exposure, place control system networks behind firewalls, and use
virtual private networks. Organisations should perform impact analysis before they deploy defences.
Update {unit} from {release} to {fixed}. Report to report@advisories-of-agency.org, see
advisories-of-agency.org for recommended practices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """An article; `event` names the event that it tells of, None where it is its own."""

    title: str
    text: str
    source: str
    at: datetime
    event: str | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Event:
    """What articles on one event have in common; each tells a part of it."""

    name: str
    at: datetime
    actor: str
    malware: str
    vendor: str
    values: tuple[Fact, ...]


@dataclass
class Pairs:
    """How many pairs of articles are together rightly, wrongly, and are apart wrongly."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    wrong_pairs: list[tuple[int, int]] = field(default_factory=list)
    missed_pairs: list[tuple[int, int]] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0


def named_in(one: Planted, knowledge: Knowledge) -> tuple[Mention, ...]:
    """Return what an article names, as the program finds it."""
    message = EnrichMessage(
        title=one.title,
        text=one.text,
        html="",
        url=f"https://{one.source}.example/",
        source_url=f"https://{one.source}.example/",
    )
    return enrich_article(message, knowledge).mentions


def alike(one: Fingerprint, other: Fingerprint) -> tuple[float, bool]:
    return similarity(one, other), is_near_duplicate(one, other)


def scored(articles: Sequence[Planted], stories: Sequence[int | None]) -> Pairs:
    """Compare the stories of articles with their events, pair by pair."""
    found = Pairs()
    for one, other in combinations(range(len(articles)), 2):
        same = articles[one].event is not None and articles[one].event == articles[other].event
        together = stories[one] is not None and stories[one] == stories[other]
        if same and together:
            found.right += 1
        elif together:
            found.wrong += 1
            found.wrong_pairs.append((one, other))
        elif same:
            found.missed += 1
            found.missed_pairs.append((one, other))
    return found


@dataclass(frozen=True, slots=True)
class World:
    """Where articles come from: a writer of filler, and the names that it uses."""

    write: Write
    malware: Sequence[str]
    actors: Sequence[str]
    vendors: Sequence[str]
    hosts: int = 40

    def make(self, count: int, seed: int = 1) -> list[Planted]:
        """Return articles in order of time, about half of them on events that others tell too."""
        chance = random.Random(seed)
        made: list[Planted] = []
        events: list[Event] = []
        while len(made) < count * 0.5:
            event = self._event(f"event-{len(events)}", chance)
            events.append(event)
            made += self._told(event, chance)
        made += [self._roundup(events, chance) for _ in range(count // 60)]
        made += [self._echo(event, chance) for event in chance.sample(events, len(events) // 4)]
        made += self._advisories(count // 40, chance)
        while len(made) < count:
            made.append(self._alone(chance))
        return sorted(made[:count], key=lambda one: one.at)

    def _event(self, name: str, chance: random.Random) -> Event:
        sort = ["sha256"] * chance.randint(1, 4) + ["domain"] * chance.randint(1, 5)
        sort += ["ipv4"] * chance.randint(0, 3) + ["cve"] * (chance.random() < 0.6)
        values = [(kind, _value(kind, chance)) for kind in sort]
        return Event(
            name,
            START + timedelta(days=chance.random() * DAYS),
            chance.choice(self.actors),
            chance.choice(self.malware),
            chance.choice(self.vendors),
            tuple(values),
        )

    def _told(self, event: Event, chance: random.Random) -> list[Planted]:
        made: list[Planted] = []
        hosts = chance.sample(range(self.hosts), min(self.hosts, chance.randint(2, 8)))
        at = event.at
        for host in hosts:
            at += timedelta(hours=chance.expovariate(1 / 14))
            if made and chance.random() < 0.2:
                copy = chance.choice(made)
                text = copy.text.replace(" the ", " this ", 2)
                made.append(replace(copy, source=f"host-{host}", at=at, text=text))
                continue
            made.append(self._report(event, at, f"host-{host}", chance))
        return made

    def _report(self, event: Event, at: datetime, host: str, chance: random.Random) -> Planted:
        least = min(len(event.values), 2)
        part = chance.sample(event.values, chance.randint(least, len(event.values)))
        facts = [_sentence(value, event, chance) for value in part]
        if chance.random() < 0.8:
            facts.append(
                f"The activity is attributed to {event.actor}, who deployed {event.malware}."
            )
        title, paragraphs = self.write(chance.getrandbits(40))
        if chance.random() < 0.6:
            title = chance.choice(
                (
                    f"{event.actor} uses {event.malware} to target {event.vendor} customers",
                    f"{event.malware}: anatomy of a new campaign",
                    f"{event.vendor} users hit by {event.malware}",
                )
            )
        return Planted(
            title=title,
            text=_mixed(paragraphs, facts, chance),
            source=host,
            at=at,
            event=event.name,
        )

    def _roundup(self, events: Sequence[Event], chance: random.Random) -> Planted:
        """A digest of a week, with a word or two on each of its events."""
        at = chance.choice(events).at + timedelta(days=chance.uniform(2, 6))
        past = [one for one in events if one.at < at]
        near = sorted(past, key=lambda one: at - one.at)[: chance.randint(5, 9)]
        facts = [_sentence(chance.choice(one.values), one, chance) for one in near]
        facts += [f"{one.actor} was seen with {one.malware}." for one in near]
        return Planted(
            title=chance.choice(
                (
                    "The week in review: what happened in security",
                    f"What {near[0].actor} and others were up to lately",
                )
            ),
            text="\n\n".join(facts),
            source=f"host-{chance.randrange(self.hosts)}",
            at=at,
        )

    def _echo(self, event: Event, chance: random.Random) -> Planted:
        """An article that names the same actor, malware and vulnerability long after."""
        cves = [one for one in event.values if one[0] == "cve"]
        facts = [_sentence(one, event, chance) for one in cves]
        facts.append(f"{event.actor} is known for {event.malware}.")
        title, paragraphs = self.write(chance.getrandbits(40))
        return Planted(
            title=title,
            text=_mixed(paragraphs, facts, chance),
            source=f"host-{chance.randrange(self.hosts)}",
            at=event.at + timedelta(days=chance.randint(70, 140)),
        )

    def _advisories(self, count: int, chance: random.Random) -> list[Planted]:
        """Advisories from one template, a few days apart: other products, other numbers."""
        made = []
        for number in range(count):
            vendor = chance.choice(self.vendors)
            made.append(
                Planted(
                    title=f"{vendor} product security advisory {number}",
                    text=_ADVISORY.format(
                        vendor=vendor,
                        unit=f"U{chance.randint(100, 9999)}",
                        cve=chance.randint(1, 60000),
                        other=chance.randint(1, 60000),
                        score=f"{chance.randint(40, 98) / 10}",
                        release=f"{chance.randint(1, 9)}.{chance.randint(0, 99)}.{number}",
                        fixed=f"{chance.randint(10, 19)}.{chance.randint(0, 99)}.{number}",
                    ),
                    source="host-0",
                    at=START + timedelta(days=60, hours=number * 7),
                )
            )
        return made

    def _alone(self, chance: random.Random) -> Planted:
        title, paragraphs = self.write(chance.getrandbits(40))
        return Planted(
            title=title,
            text="\n\n".join(paragraphs),
            source=f"host-{chance.randrange(self.hosts)}",
            at=START + timedelta(days=chance.random() * DAYS),
        )


def _label(chance: random.Random) -> str:
    return "".join(chance.choice("bcdfghklmnprstvz") + chance.choice("aeiou") for _ in range(3))


def _value(kind: str, chance: random.Random) -> str:
    if kind == "sha256":
        return f"{chance.getrandbits(256):064x}"
    if kind == "domain":
        return f"{_label(chance)}-{_label(chance)}{chance.randrange(10)}.com"
    if kind == "ipv4":
        return ".".join(str(chance.randint(1, 250)) for _ in range(4))
    return f"CVE-{chance.choice((2025, 2026))}-{chance.randint(1, 60000)}"


def _sentence(fact: Fact, event: Event, chance: random.Random) -> str:
    kind, words = fact
    shown = words.replace(".", "[.]") if chance.random() < 0.6 else words
    return {
        "sha256": f"The sample has the SHA256 hash {words}.",
        "domain": f"The implant asks {shown} for orders.",
        "ipv4": f"Traffic was seen to {shown} on port 443.",
        "cve": f"The intruders exploit {words} in {event.vendor} appliances.",
    }[kind]


def _mixed(paragraphs: list[str], facts: Iterable[str], chance: random.Random) -> str:
    mixed = list(paragraphs)
    for fact in facts:
        place = chance.randrange(len(mixed))
        mixed[place] = f"{mixed[place]} {fact}"
    return "\n\n".join(mixed)


_ARTICLE = """
INSERT INTO article (url_hash, source_id, tier, url, canonical_url, title, text, html, language,
    published_at, sort_at, word_count, reading_minutes, method, text_sha256, search)
VALUES (sha256(convert_to(%(url)s, 'UTF8')), %(source)s, 'standard', %(url)s, %(url)s, %(title)s,
    %(text)s, '', %(language)s, %(at)s, %(at)s, %(words)s, 1, 'general', %(sha)s, '')
RETURNING id
"""
_PRINT = """
INSERT INTO article_fingerprint (article_id, version, shingles, signature, bands)
VALUES (%s, %s, %s, %s, %s)
"""
_NAMED = """
WITH given AS (
    SELECT * FROM unnest(%(keys)s::bytea[], %(kinds)s::text[], %(values)s::text[],
        %(names)s::text[], %(hosts)s::text[], %(verdicts)s::text[], %(extractors)s::text[])
        AS g (key, kind, value, name, host, verdict, extractor)),
made AS (
    INSERT INTO entity AS e (key, kind, value, name, host, articles, first_seen, last_seen)
    SELECT key, kind, value, name, host, 1, %(at)s, %(at)s FROM given ORDER BY key
    ON CONFLICT (key) DO UPDATE SET articles = e.articles + 1,
        first_seen = least(e.first_seen, excluded.first_seen),
        last_seen = greatest(e.last_seen, excluded.last_seen)
    RETURNING id, key),
sourced AS (
    INSERT INTO entity_source AS s (entity_id, source_id, articles, first_seen, last_seen)
    SELECT id, %(source)s, 1, %(at)s, %(at)s FROM made
    ON CONFLICT (entity_id, source_id) DO UPDATE SET articles = s.articles + 1,
        first_seen = least(s.first_seen, excluded.first_seen),
        last_seen = greatest(s.last_seen, excluded.last_seen))
INSERT INTO mention (article_id, entity_id, source_id, seen_at, count, starts, ends, verdict,
    extractor, version)
SELECT %(article)s, id, %(source)s, %(at)s, 1, '{0}', '{1}', verdict, extractor, '1'
FROM made JOIN given USING (key)
RETURNING entity_id
"""
_SOURCES = """
UPDATE entity e SET sources = (SELECT count(*) FROM entity_source s WHERE s.entity_id = e.id)
WHERE e.id = ANY(%s)
"""
_OUTBOX = """
INSERT INTO outbox (topic, article_id, revision) VALUES ('story', %s, 1) ON CONFLICT DO NOTHING
"""


def source_id(conn: Connection[TupleRow], key: str) -> int:
    """Return the number of a source, made where it is not there yet."""
    row = conn.execute(
        """
        INSERT INTO source (key, settings) VALUES (%s, jsonb_build_object('name', %s::text,
            'tier', 'standard', 'active', true, 'url', 'https://' || %s || '.example/'))
        ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING id
        """,
        (key, key, key),
    ).fetchone()
    assert row is not None
    return int(row[0])


def store(conn: Connection[TupleRow], one: Planted, named: Iterable[Mention]) -> int:
    """Return the number of an article, kept with all that it names and ready to be judged."""
    mark = fingerprint(one.text)
    source = source_id(conn, one.source)
    url = f"https://{one.source}.example/{random.Random(one.text + one.title).getrandbits(64):x}"
    values = {
        "url": f"{url}/{one.at.timestamp()}",
        "source": source,
        "title": one.title,
        "text": one.text,
        "language": one.language,
        "at": one.at,
        "words": len(one.text.split()),
        "sha": mark.text_sha256,
    }
    row = conn.execute(_ARTICLE, values).fetchone()
    assert row is not None
    number = int(row[0])
    conn.execute(_PRINT, (number, mark.version, mark.shingles, mark.signature, list(mark.bands)))
    name_in(conn, number, source, one.at, named)
    conn.execute(_OUTBOX, (number,))
    return number


def name_in(
    conn: Connection[TupleRow], article: int, source: int, at: datetime, named: Iterable[Mention]
) -> None:
    """Write what an article names."""
    given = list({key_of(one.kind, one.value): one for one in named}.values())
    if not given:
        return
    cursor = conn.execute(
        _NAMED,
        {
            "keys": [key_of(one.kind, one.value) for one in given],
            "kinds": [str(one.kind) for one in given],
            "values": [one.value for one in given],
            "names": [one.name for one in given],
            "hosts": [backwards(one.host) if one.host else None for one in given],
            "verdicts": [one.verdict and one.verdict.value for one in given],
            "extractors": [one.extractor.value for one in given],
            "at": at,
            "source": source,
            "article": article,
        },
    )
    conn.execute(_SOURCES, ([row[0] for row in cursor.fetchall()],))
