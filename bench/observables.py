"""How fast observables are found, all kinds together: in prose, and in lists of nothing else.

Run: .venv/bin/python bench/observables.py [--megabytes 2]

Prose is the corpus that comes along, written out again and again with other numbers in it; a list
has an indicator in each line, the most that a report can hold. Processor time of this process, the
best of three, after one pass that lets RE2 build its states.
"""

import argparse
import hashlib
import time

import rig
from ctiscraper.enrich.evaluate import bundled_corpus
from ctiscraper.enrich.observables import find_observables

LEAST = 5.0
PAGE = 10_000


def prose(size: int) -> list[str]:
    """Return pages of an article's length: a report of the corpus, and text around it."""
    reports = [one.text for one in bundled_corpus()]
    pages = []
    for number in range(size // PAGE):
        report = reports[number % len(reports)]
        pages.append((f"{report}\n{number} " + rig.FILLER * (PAGE // len(rig.FILLER)))[:PAGE])
    return pages


def listed(size: int) -> list[str]:
    """Return pages of indicators alone, a line each."""
    pages: list[str] = []
    lines: list[str] = []
    length = number = 0
    while len(pages) * PAGE < size:
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        lines.append(
            (
                digest,
                f"hxxps://{digest[:8]}[.]example[.]com/{digest[8:14]}.php",
                f"{digest[:12]}[.]example[.]net",
                f"203[.]0[.]{number % 256}[.]{number // 256 % 256}",
            )[number % 4]
        )
        length += len(lines[-1]) + 1
        number += 1
        if length >= PAGE:
            pages.append("\n".join(lines))
            lines, length = [], 0
    return pages


def megabytes_a_second(pages: list[str]) -> tuple[float, int]:
    """Return the speed on these pages, and how many observables stand in them."""
    found = sum(len(find_observables(page)) for page in pages)
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        for page in pages:
            find_observables(page)
        best = min(best, time.process_time() - began)
    return sum(map(len, pages)) / 1e6 / best, found


def main(options: argparse.Namespace) -> int:
    size = round(options.megabytes * 1e6)
    slowest = float("inf")
    for name, pages in (("prose", prose(size)), ("lists", listed(size))):
        speed, found = megabytes_a_second(pages)
        print(f"{name}: {speed:.1f} MB/s, {found / len(pages):.0f} observables a page of 10 KB")
        slowest = min(slowest, speed)
    print(f"the slower is {slowest:.1f} MB/s a core (at least {LEAST})")
    return 0 if slowest >= LEAST else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=2)
    raise SystemExit(main(parser.parse_args()))
