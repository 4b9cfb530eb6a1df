"""How fast techniques are found: on one core, by kind of text.

Run: .venv/bin/python bench/attack.py [SECONDS EACH]
"""

import sys
import time

from ctiscraper.enrich.attack import Techniques
from ctiscraper.enrich.evaluate_attack import bundled_reports
from ctiscraper.packs.attack import build_default

PROSE = (
    "The group has been active since March and writes to firms that sell pumps and valves. "
    "Its letters are in good English, and most of them arrive before noon. "
    "None of the firms that we asked had seen them before the summer of that year. "
)


def texts() -> dict[str, str]:
    """Texts of some 200 KB, by what they are made of."""
    told = "\n".join(one.text for one in bundled_reports())
    return {
        "prose": PROSE * (200_000 // len(PROSE)),
        "reports": told * (200_000 // len(told)),
        "ids": "T1059.001\n" * 20_000,
        "one line": "download payload from the c2 server " * 5_500,
    }


def main(seconds: float = 3.0) -> None:
    """Print milliseconds for 10 KB of each text."""
    begun = time.process_time()
    techniques = Techniques(build_default()[1])
    print(f"made in {time.process_time() - begun:.2f} s")
    for name, text in texts().items():
        begun, rounds = time.process_time(), 0
        while time.process_time() - begun < seconds:
            techniques.find(text)
            rounds += 1
        spent = time.process_time() - begun
        print(f"{name:10} {spent / rounds / len(text) * 1e7:6.2f} ms for 10 KB")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
