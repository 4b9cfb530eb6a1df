"""How long names take to load and to find, and how much memory they hold.

Run: .venv/bin/python bench/names.py [--megabytes 2]

The pages are the sentences that come along, written out again and again between others, 10 KB
each. Processor time of this process, the best of three; memory is what the process grew by from
before the records of the pack were read to after the recogniser was made of them.
"""

import argparse
import gc
import time

import msgspec
import psutil

import rig
from ctiscraper.enrich.evaluate_names import bundled_names
from ctiscraper.enrich.names import Names
from ctiscraper.packs.galaxies import build_default
from ctiscraper.packs.records import NamesPack

PAGE = 10_000
MEGABYTE = 1_000_000


def pages(size: int) -> list[str]:
    """Return texts of an article's length, a third of them sentences with names or traps."""
    sentences = [one.text for one in bundled_names()]
    made = []
    for number in range(size // PAGE):
        parts: list[str] = []
        while sum(map(len, parts)) < PAGE:
            parts += [sentences[(number + len(parts)) % len(sentences)], rig.FILLER]
        made.append(" ".join(parts)[:PAGE])
    return made


def loaded(raw: bytes) -> tuple[Names, float, float]:
    """Return the recogniser of a pack's records, the seconds it took, and what memory it holds."""
    gc.collect()
    process = psutil.Process()
    before, begun = process.memory_info().rss, time.process_time()
    names = Names(msgspec.msgpack.decode(raw, type=NamesPack))
    took = time.process_time() - begun
    gc.collect()
    return names, took, (process.memory_info().rss - before) / MEGABYTE


def seconds(names: Names, texts: list[str]) -> float:
    """Return the least processor time of three passes over texts."""
    passes = []
    for _ in range(3):
        begun = time.process_time()
        for text in texts:
            names.find(text)
        passes.append(time.process_time() - begun)
    return min(passes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=2)
    texts = pages(parser.parse_args().megabytes * MEGABYTE)
    begun = time.process_time()
    raw = msgspec.msgpack.encode(build_default()[1])
    print(f"built from the packages in {time.process_time() - begun:.2f} s, {len(raw):,} bytes")
    names, took, grown = loaded(raw)
    print(f"loaded in {took:.2f} s, {grown:.1f} MB")
    found = sum(len(names.find(text)) for text in texts) / len(texts)
    each = seconds(names, texts) / len(texts)
    print(f"{each * 1000:.2f} ms a page of {PAGE:,} characters, which names {found:.0f} things")


if __name__ == "__main__":
    main()
