"""Score the product with the scorers of shared/eval and print one table: bar, figure, verdict.

Run: .venv/bin/python bench/scores.py [--python /path/of/another/python] [--only WORD] [--json FILE]

A scorer runs in `--python`, which needs the packages of requirements-evals.txt that the scorer
imports; the product and what it stands on are lent to it. Nothing is installed.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ctiscraper.collect.feed import parse_feed

ROOT = Path(__file__).resolve().parents[1]
EVAL = ROOT.parent / "shared" / "eval"
CAPTURED = EVAL / "data" / "feeds" / "captured.tar.xz"
HOSTILE_SECONDS = 5.0

Found = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    bar: str
    figure: str
    passed: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Scorer:
    """A scorer, its arguments, what it imports, and how its answer is read."""

    what: str
    script: str
    arguments: tuple[str, ...]
    read: Callable[[Found], Sequence[Row]]
    imports: tuple[str, ...] = ()
    better_with: tuple[str, ...] = ()


def read_articles(what: str, bar: float) -> Callable[[Found], Sequence[Row]]:
    """Rows of an article scorer: F1 against its bar."""

    def read(found: Found) -> Sequence[Row]:
        figure = (
            f"{found['f1']:.3f} (P {found['precision']:.3f}, R {found['recall']:.3f}),"
            f" {found['pages']} pages, {found['empty']} empty, {found['pages_per_s']:.0f} pages/s"
        )
        good = round(found["f1"], 3) >= bar and not found["errors"]
        return [Row(what, f"F1 >= {bar}", figure, good)]

    return read


def read_feed_cases(found: Found) -> Sequence[Row]:
    core = [name for name in found["total"] if name != "sanitize"]
    right, total = (sum(found[key].get(n, 0) for n in core) for key in ("ok", "total"))
    figure = f"{right}/{total} = {right / total:.3f}"
    return [Row("feed core cases", ">= .985", figure, right / total >= 0.985)]


def read_robust(found: Found) -> Sequence[Row]:
    total = sum(found.values())
    refused = found.get("raised ParseError", 0)
    raised = total - found.get("ok", 0) - refused
    figure = f"{raised} of {total} raise; {refused} refused with a typed reason"
    return [Row("W3C feeds", "0 raise", figure, raised == 0)]


def read_robots(found: Found) -> Sequence[Row]:
    right, total = found["ok"]["rfc9309"], found["total"]["rfc9309"]
    everything = f"{sum(found['ok'].values())}/{sum(found['total'].values())}"
    figure = f"{right}/{total} ({everything} with Google's and Protego's leniencies)"
    return [Row("robots.txt, RFC 9309", "117/117", figure, right == total)]


def read_duplicates(found: Found) -> Sequence[Row]:
    pairs = found["minhash2500"]
    figure = f"P {pairs['p']:.3f} R {pairs['r']:.3f}, {pairs['docs_per_s']:.0f} texts/s"
    return [Row("near-duplicates, 20 pairs", "1.0", figure, pairs["f"] == 1.0)]


def read_sanitiser(found: Found) -> Sequence[Row]:
    bad, total = (sum(n[i] for n in found["unsafe"].values()) for i in (0, 1))
    figure = f"{bad} of {total}; {found['kept']:.1%} of the words of articles kept"
    return [Row("sanitiser, unsafe answers", "0", figure, bad == 0)]


def read_ssrf(found: Found) -> Sequence[Row]:
    refused, refusable = (sum(found["ok"][s][i] for s in ("wpt", "patt")) for i in (0, 1))
    passed, passable = found["ok"]["opml"]
    return [
        Row("SSRF, refused", "352/352", f"{refused}/{refusable}", refused == refusable),
        Row("SSRF, passed", "338/338", f"{passed}/{passable}", passed == passable),
    ]


def read_hostile(what: str) -> Callable[[Found], Sequence[Row]]:
    """Rows of the hostile files: all survived, the slowest within its limit."""

    def read(found: Found) -> Sequence[Row]:
        seconds = {name: _seconds(said) for name, said in found["cases"].items()}
        slowest = max(seconds, key=lambda name: seconds[name])
        within = sum(s <= HOSTILE_SECONDS for s in seconds.values())
        good = found["good"] == found["n"] == within
        figure = (
            f"{min(found['good'], within)}/{found['n']}, slowest {slowest} {seconds[slowest]:.1f} s"
        )
        return [Row(what, f"{found['n']}/{found['n']} within {HOSTILE_SECONDS:g} s", figure, good)]

    return read


def _seconds(said: str) -> float:
    found = re.search(r"^[A-Z]+ ([\d.]+)", said)
    return float(found.group(1)) if found else 99.0


SCORERS = (
    Scorer(
        "article text, benchmark half",
        "score_articles.py",
        ("--split", "dev", "--fn", "adapters:article_text"),
        read_articles("article text, benchmark half", 0.962),
    ),
    Scorer(
        "article text, Mozilla pages",
        "score_articles2.py",
        ("--set", "mozilla", "--fn", "adapters:article_text"),
        read_articles("article text, Mozilla pages", 0.935),
        imports=("lxml",),
        better_with=("resiliparse",),
    ),
    Scorer(
        "feed core cases",
        "score_feeds.py",
        ("--task", "cases", "--fn", "feed_adapters:score_feed"),
        read_feed_cases,
    ),
    Scorer(
        "W3C feeds",
        "score_feeds.py",
        ("--task", "robust", "--fn", "adapters:feed_or_refusal"),
        read_robust,
    ),
    Scorer(
        "robots.txt",
        "score_robots.py",
        ("--fn", "ctiscraper.collect.robots:may_fetch"),
        read_robots,
    ),
    Scorer(
        "near-duplicates",
        "score_dedup.py",
        ("--fn", "adapters:duplicates"),
        read_duplicates,
    ),
    Scorer(
        "sanitiser",
        "score_sanitise.py",
        ("--fn", "adapters:sanitised"),
        read_sanitiser,
        imports=("html5lib",),
    ),
    Scorer(
        "SSRF",
        "score_ssrf.py",
        ("--fn", "ctiscraper.http:admissible"),
        read_ssrf,
    ),
    Scorer(
        "hostile feeds",
        "score_hostile.py",
        ("--kind", "feed", "--fn", "feed_adapters:parse_hostile"),
        read_hostile("hostile feeds"),
    ),
    Scorer(
        "hostile pages",
        "score_hostile.py",
        ("--kind", "html", "--fn", "adapters:hostile_page"),
        read_hostile("hostile pages"),
    ),
)

# What the repository's own tests show: their place, and the words that choose them.
OWN = (
    (
        "own pages: tables, code, details",
        ("tests/extract/test_article_vendor_pages.py",),
        "prose or verbatim",
    ),
    ("own templated advisories", ("tests/extract/test_fingerprint.py",), "template"),
    (
        "own redirects and rebinding",
        ("tests/http/test_client.py", "tests/http/test_network.py"),
        "redirect or rebinding or peer_is_checked or refuses_the_name",
    ),
)


def lent_environment() -> dict[str, str]:
    """The environment in which another Python finds the product and its dependencies."""
    places = [ROOT / "src", ROOT / "bench", sysconfig.get_path("purelib")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, places)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def lacks(python: str, packages: Sequence[str]) -> list[str]:
    """Return which of the packages that Python cannot import."""
    return [
        name
        for name in packages
        if subprocess.run(
            [python, "-c", f"import {name}"],
            env=lent_environment(),
            capture_output=True,
            check=False,
        ).returncode
    ]


def run_scorer(scorer: Scorer, python: str) -> Sequence[Row]:
    """Return the rows of one scorer; one that says what is missing when it cannot run."""
    if missing := lacks(python, scorer.imports):
        return [_unmeasured(scorer.what, f"{', '.join(missing)} is not installed in {python}")]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "answer.json"
        ended = subprocess.run(
            [python, str(EVAL / scorer.script), "--out", str(out), *scorer.arguments],
            cwd=folder,
            env=lent_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if not out.exists():
            last = (ended.stderr.strip().splitlines() or ["no word why"])[-1]
            return [_unmeasured(scorer.what, last)]
        rows = scorer.read(json.loads(out.read_text("utf-8")))
    if missing := lacks(python, scorer.better_with):
        note = f"without {', '.join(missing)}: pages decoded as UTF-8 alone"
        rows = [Row(r.what, r.bar, r.figure, r.passed, note) for r in rows]
    return rows


def _unmeasured(what: str, why: str) -> Row:
    return Row(what, "", f"not measured: {why}", passed=False)


def captured_feeds() -> Row:
    """The row of the captured feeds: every entry that stands in them was read."""
    right = entries = feeds = 0
    with tarfile.open(CAPTURED) as archive:
        for member in archive.getmembers():
            stored = archive.extractfile(member)
            assert stored is not None
            body = stored.read()
            read = parse_feed(body)
            announced = announced_in(member.name, body)
            feeds += 1
            entries += announced
            right += len(read.entries) + len(read.bad) == announced
    return Row(
        "captured feeds, no entry lost",
        f"{feeds}/{feeds}",
        f"{right}/{feeds} with {entries} entries",
        right == feeds,
    )


def announced_in(name: str, body: bytes) -> int:
    """Return how many entries a feed's own bytes hold, counted without a parser of feeds."""
    if name.endswith(".json"):
        return len(json.loads(body)["items"])
    return len(re.findall(rb"<(?:item|entry)[\s>]", body))


def own_tests(what: str, files: Sequence[str], chosen: str) -> Row:
    """The row of the repository's own cases, run by pytest."""
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", *files, "-k", chosen],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error)", ended.stdout)}
    total = sum(counts.values())
    passed = counts.get("passed", 0)
    good = ended.returncode == 0 and passed > 0
    return Row(what, "all", f"{passed}/{total} tests", good)


def table(rows: Sequence[Row]) -> str:
    """The rows as a table."""
    cells = [
        (r.what, r.bar, r.figure + (f" ({r.note})" if r.note else ""), "ok" if r.passed else "MISS")
        for r in rows
    ]
    head = ("what", "bar", "figure", "")
    widths = [max(len(row[i]) for row in (head, *cells)) for i in range(4)]
    return "\n".join(
        " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *cells)
    )


def main(options: argparse.Namespace) -> int:
    if not EVAL.is_dir():
        raise SystemExit("these scores need the folder shared/eval beside the repository")
    rows: list[Row] = []
    for scorer in SCORERS:
        if options.only in scorer.what:
            rows += run_scorer(scorer, options.python)
            print(table(rows[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    if options.only in "captured feeds":
        rows.append(captured_feeds())
    rows += [own_tests(*own) for own in OWN if options.only in own[0]]
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1), "utf-8")
    return 0 if rows and all(row.passed for row in rows) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="what runs the scorers")
    parser.add_argument("--only", default="", help="only what has this word in its name")
    parser.add_argument("--json", type=Path, help="write the rows here as well")
    sys.exit(main(parser.parse_args()))
