"""Collect captured feeds and real pages under their own host names, over TLS, as shipped.

Run: .venv/bin/python bench/real.py [--gap 0] [--show FOLDER]

The captured feeds and pages of shared/eval are served on loopback. What an operator sets maps
their names there and trusts the authority that signed for them; the sources come in by OPML, and
`ctiscraper collect --once` does the rest. A page that was not captured is answered with 404, as
is robots.txt, so the text of its feed has to do.
"""

import argparse
import asyncio
import gzip
import html
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trustme

import tls_site
from ctiscraper.cli.engine import open_ready_engine
from ctiscraper.collect.feed import parse_feed
from ctiscraper.config import load_settings
from ctiscraper.db.session import Database
from ctiscraper.errors import ParseError
from scores import announced_in

ROOT = Path(__file__).resolve().parents[1]
EVAL = ROOT.parent / "shared" / "eval"
PAGES = EVAL / "data" / "article_extraction"
ADVISORY = "https://us-cert.cisa.gov/ncas/alerts/aa20-302a"
FEED_TYPES = {
    "json": "application/feed+json",
    "atom": "application/atom+xml",
    "rdf": "application/rdf+xml",
}


@dataclass(slots=True)
class Web:
    """What is served, by URL without its scheme, and the sources that announce it."""

    answers: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    sources: dict[str, str] = field(default_factory=dict)
    announced: dict[str, int] = field(default_factory=dict)
    truth: dict[str, str] = field(default_factory=dict)

    def serve(self, url: str, kind: str, body: bytes) -> None:
        self.answers[url.partition("://")[2]] = (kind, body)
        self.name(url)

    def name(self, url: str) -> None:
        if host := urlsplit(url).hostname:
            self.names.add(host)

    def add_feeds(self) -> None:
        """Serve each captured feed on its own site, and know every host its items lead to."""
        with tarfile.open(EVAL / "data" / "feeds" / "captured.tar.xz") as archive:
            for member in archive.getmembers():
                stored = archive.extractfile(member)
                assert stored is not None
                self._add_feed(member.name.partition("__")[2], stored.read())

    def _add_feed(self, name: str, body: bytes) -> None:
        try:
            feed = parse_feed(body)
        except ParseError:
            link, urls = "", []
        else:
            link, urls = feed.link, [entry.url for entry in feed.entries]
        stem = name.replace("_", "-").lower().replace(".", "-")
        host = urlsplit(link).hostname or f"{stem}.example"
        url = f"https://{host}/captured/{name}"
        kind = FEED_TYPES.get(name.rpartition(".")[2], "application/rss+xml")
        self.serve(url, kind, body)
        for found in urls:
            self.name(found)
        self.sources[name] = url
        self.announced[name] = announced_in(name, body)

    def add_pages(self) -> None:
        """Serve the real pages at their own addresses, and a bare feed for each host of them."""
        truth = json.loads((PAGES / "scrapinghub" / "ground-truth.json").read_text("utf-8"))
        by_host: defaultdict[str, list[str]] = defaultdict(list)
        for key, page in truth.items():
            file = PAGES / "scrapinghub" / "html" / f"{key}.html.gz"
            if file.exists() and page.get("url"):
                self._add_page(page["url"], file)
                self.truth[page["url"]] = page["articleBody"]
                by_host[urlsplit(page["url"]).hostname or ""].append(page["url"])
        self._add_page(ADVISORY, PAGES / "AA20-302A.html.gz")
        by_host[urlsplit(ADVISORY).hostname or ""].append(ADVISORY)
        for host, urls in by_host.items():
            feed = f"https://{host}/captured/feed.xml"
            self.serve(feed, "application/rss+xml", _bare_feed(host, urls))
            self.sources[host] = feed
            self.announced[host] = len(urls)

    def _add_page(self, url: str, file: Path) -> None:
        self.serve(url, "text/html; charset=utf-8", gzip.decompress(file.read_bytes()))

    def opml(self) -> str:
        rows = [
            f'<outline type="rss" text="{html.escape(name)}" xmlUrl="{html.escape(url)}"/>'
            for name, url in self.sources.items()
        ]
        return f'<opml version="2.0"><head/><body>{"".join(rows)}</body></opml>'


def _bare_feed(host: str, urls: list[str]) -> bytes:
    """A feed of addresses alone: title, date and text can come from the pages only."""
    items = "".join(f"<item><link>{html.escape(url)}</link></item>" for url in urls)
    return (
        f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>{host}</title>'
        f"<link>https://{host}/</link>{items}</channel></rss>"
    ).encode()


def command(folder: Path, environment: dict[str, str], *arguments: str) -> str:
    """Return what a command of the product prints; its end is its own affair."""
    ended = subprocess.run(
        [sys.executable, "-m", "ctiscraper.cli", *arguments, "--data", str(folder / "data")],
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    if ended.stderr.strip():
        print(f"  {arguments[0]} said: {ended.stderr.strip()[:2000]}")
    return ended.stdout


async def rows_of(database: Database, query: str) -> list[dict[str, Any]]:
    async with database.connection() as conn:
        cursor = await conn.execute(query.encode())
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]


ARTICLES = """
    SELECT s.name AS source, a.url, a.canonical_url, a.title, a.authors, a.tags, a.language,
        a.published_at, a.published_raw, a.published_from, a.method, a.notes, a.word_count,
        a.text, a.summary, a.duplicate_of, f.url AS announced_url, f.entry->>'title' AS entry_title,
        f.entry->>'published' AS entry_published
    FROM article a JOIN source s ON s.id = a.source_id JOIN fetch_job f ON f.id = a.job_id
    ORDER BY s.name, a.id
"""
JOBS = """
    SELECT s.name AS source, f.url, f.state, f.reason, f.detail
    FROM fetch_job f JOIN source s ON s.id = f.source_id
    WHERE f.state <> 'stored' ORDER BY s.name, f.id
"""
CHECKS = """
    SELECT s.name AS source, c.announced, c.discovered, c.reason, c.detail
    FROM source_check c JOIN source s ON s.id = c.source_id ORDER BY c.id
"""
ACCOUNTS = """
    SELECT s.name AS source, v.* FROM accounting v JOIN source s ON s.id = v.source_id
"""


@dataclass(slots=True)
class Collected:
    """What the database holds afterwards."""

    articles: list[dict[str, Any]]
    jobs: list[dict[str, Any]]
    checks: dict[str, dict[str, Any]]
    accounts: dict[str, dict[str, Any]]


async def collected(data: Path) -> Collected:
    async with (
        open_ready_engine(load_settings(data_dir=data, database_url=None)) as engine,
        Database(engine.conninfo, size=2) as database,
    ):
        return Collected(
            articles=await rows_of(database, ARTICLES),
            jobs=await rows_of(database, JOBS),
            checks={row["source"]: row for row in await rows_of(database, CHECKS)},
            accounts={row["source"]: row for row in await rows_of(database, ACCOUNTS)},
        )


def balanced(account: dict[str, Any]) -> bool:
    parts = ("stored", "duplicate", "filtered", "failed", "dead", "pending")
    return bool(account["discovered"] == sum(account[name] for name in parts))


def report(web: Web, found: Collected) -> bool:
    """Print a line for each source; return whether nothing is missing."""
    kept = Counter(row["source"] for row in found.articles)
    fed = Counter(row["source"] for row in found.articles if row["method"] == "feed")
    reasons: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for job in found.jobs:
        reasons[job["source"]][f"{job['state']}:{job['reason']}"] += 1
    print(
        f"{'source':34} {'in file':>7} {'read':>5} {'new':>5} {'kept':>5} {'feed text':>9}"
        "  balanced, what failed"
    )
    good = True
    for name, url in web.sources.items():
        check = found.checks.get(name)
        account = found.accounts.get(name)
        if check is None or account is None:
            good = False
            print(f"{name:34} never checked ({url})")
            continue
        right = check["announced"] == web.announced[name] and balanced(account)
        good = good and right and not account["pending"]
        failed = " ".join(f"{n} {why}" for why, n in reasons[name].items())
        print(
            f"{name:34} {web.announced[name]:7} {check['announced']:5} {check['discovered']:5}"
            f" {kept[name]:5} {fed[name]:9}  {'yes' if right else 'NO':3} {failed}"
            f"{' ' + str(check['reason']) + ' ' + check['detail'] if check['reason'] else ''}"
        )
    return good


def score_pages(web: Web, found: Collected) -> None:
    """Print the F1 of the stored texts of pages whose true text is known."""
    spec = importlib.util.spec_from_file_location("textmetric", EVAL / "textmetric.py")
    assert spec is not None and spec.loader is not None  # noqa: PT018 - one question
    metric = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(metric)
    texts = {row["announced_url"]: row for row in found.articles}
    scores, worst = [], []
    for url, want in web.truth.items():
        row = texts.get(url)
        score = metric.page_scores(want, row["text"] if row else "")
        scores.append(score)
        worst.append((metric.macro([score])["f1"], url, row["method"] if row else "not stored"))
    whole = metric.macro(scores)
    print(
        f"\nreal pages, text as stored: F1 {whole['f1']:.3f}"
        f" (P {whole['precision']:.3f}, R {whole['recall']:.3f}) over {len(scores)} pages; lowest:"
    )
    for f1, url, method in sorted(worst)[:8]:
        print(f"  {f1:.3f} {method:12} {url}")


def show(found: Collected, folder: Path) -> None:
    """Write every article as a file to look at."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, row in enumerate(found.articles):
        head = "".join(f"{k}: {v}\n" for k, v in row.items() if k != "text")
        (folder / f"{number:04}.txt").write_text(f"{head}\n{row['text']}\n", "utf-8")


async def collect(options: argparse.Namespace, web: Web, folder: Path) -> Collected:
    authority = trustme.CA()
    bundle = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    opml = folder / "real.opml"
    opml.write_text(web.opml(), "utf-8")
    async with tls_site.site(web.answers, authority) as (port, log):
        mapped = ",".join(f"{name}=127.0.0.1:{port}" for name in sorted(web.names))
        environment = {
            "CTISCRAPER_EGRESS_HOST_MAP": mapped,
            "CTISCRAPER_EGRESS_ALLOW_CIDRS": "127.0.0.1/32",
            "CTISCRAPER_EGRESS_ALLOW_PORTS": "80,443",
            "CTISCRAPER_CA_BUNDLE": str(bundle),
            "CTISCRAPER_CONTACT": "bench@example.org",
            "CTISCRAPER_MIN_GAP": str(options.gap),
            "CTISCRAPER_WORKERS": "2",
        }
        said = await asyncio.to_thread(command, folder, environment, "sources", "import", str(opml))
        print("import:", said.strip().splitlines()[-1:] or said)
        said = await asyncio.to_thread(command, folder, environment, "collect", "--once")
        print("collect:", [line for line in said.splitlines() if line.startswith("Done")])
        print(
            f"served: {sum(log.values())} answers, {dict(log.most_common(8))},"
            f" {len(web.names)} names, {len(web.answers)} captured addresses"
        )
        return await collected(folder / "data")


async def main(options: argparse.Namespace) -> int:
    if not EVAL.is_dir():
        raise SystemExit("this needs the folder shared/eval beside the repository")
    web = Web()
    web.add_feeds()
    web.add_pages()
    folder = Path(tempfile.mkdtemp(prefix="ctiscraper-real-"))
    folder.chmod(0o755)
    try:
        found = await collect(options, web, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    good = report(web, found)
    score_pages(web, found)
    totals = Counter(row["method"] for row in found.articles)
    print(f"\n{len(found.articles)} articles by {dict(totals)}")
    if options.show:
        show(found, options.show)
    return 0 if good else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gap", type=float, default=0.0, help="seconds between two requests")
    parser.add_argument("--show", type=Path, help="write each article to this folder")
    sys.exit(asyncio.run(main(parser.parse_args())))
