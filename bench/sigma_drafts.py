"""How many real reports give Sigma drafts, and whether every draft holds.

Run: .venv/bin/python bench/sigma_drafts.py
The reports lie beside the repository, in ../shared, and are no part of it.
"""

import gzip
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec

from ctiscraper.detect.assessing import assess
from ctiscraper.detect.drafted import Drafted, Material, Trace
from ctiscraper.enrich.enrichment import enrich_article
from ctiscraper.messages import EnrichMessage

SHARED = Path(__file__).resolve().parents[2] / "shared" / "eval" / "data" / "huntable" / "articles"
AS_WRITTEN = frozenset({"command_line", "registry_key", "file_path"})


class Report(msgspec.Struct):
    """A report as the set has it."""

    title: str
    content: str
    url: str = ""


def reports(folder: Path) -> list[Report]:
    """Every report of the set, each once."""
    found: dict[str, Report] = {}
    for file in sorted(folder.glob("*/articles.json.gz")):
        listed = msgspec.json.decode(gzip.decompress(file.read_bytes()), type=list[Report])
        found.update((one.title, one) for one in listed)
    return list(found.values())


def material(report: Report) -> Material:
    """What rules are drafted from in a report."""
    text = report.content
    looked = enrich_article(
        EnrichMessage(title=report.title, text=text, html="", url=report.url, source_url=report.url)
    )
    traces = [
        Trace(
            kind=str(one.kind),
            value=text[start:end] if one.kind in AS_WRITTEN else one.value,
            start=start,
            end=end,
            verdict=one.verdict or "",
        )
        for one in looked.mentions
        for start, end in one.places[:3]
    ]
    return Material(
        text=text,
        title=report.title,
        url=report.url,
        day="2026-11-20",
        author="CTIScraper",
        traces=tuple(sorted(traces, key=lambda one: (one.start, one.end))),
    )


def count(found: Drafted, counts: Counter[str]) -> None:
    """Add what one report gave."""
    counts["reports with drafts"] += bool(found.drafts)
    counts["places without a rule"] += len(found.refused)
    for _, checked in found.drafts:
        counts["drafts"] += 1
        counts["drafts valid without an issue"] += not checked.issues
        counts["events of reports"] += len(checked.replay.positives)
        counts["events matched"] += checked.replay.matched
        counts["drafts that match ordinary events"] += checked.replay.benign_matched > 0
        for query in checked.queries:
            counts[f"as {query.target}"] += bool(query.text)


def main() -> int:
    """Print the counts; 1 where a draft does not hold."""
    folder = Path(*sys.argv[1:]) if sys.argv[1:] else SHARED
    found = reports(folder) if folder.is_dir() else []
    if not found:
        print(f"there are no reports in {folder}: nothing was measured")
        return 2
    counts: Counter[str] = Counter(reports=len(found))
    begun = time.perf_counter()
    for report in found:
        count(assess(material(report)), counts)
    counts["seconds"] = round(time.perf_counter() - begun)
    for name, value in counts.items():
        print(f"{name:36} {value:6}")
    whole = counts["events matched"] == counts["events of reports"]
    sound = counts["drafts valid without an issue"] == counts["drafts"]
    return int(not (whole and sound) or counts["drafts that match ordinary events"] > 0)


if __name__ == "__main__":
    sys.exit(main())
