"""A process over an outbox, for tests that kill it: `put` says what is kept, `flush` sends it.

Run: raw_child.py put|flush FOLDER BUCKET ENDPOINT SEED
"""

import itertools
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ctiscraper.db.raw_outbox import OutboxStore
from ctiscraper.db.raw_s3 import S3Store
from ctiscraper.telemetry import configure_logs
from s3_server import REGION

TESTS = Path(__file__).parents[1]
LIMIT = 1 << 30


def body(seed: int, number: int) -> bytes:
    """A body of some size that nobody else makes."""
    chance = random.Random(f"{seed}-{number}")
    return chance.randbytes(chance.randrange(1, 60_000))


@contextmanager
def child(
    task: str, folder: Path, bucket: str, url: str, seed: int = 0
) -> Iterator[subprocess.Popen[str]]:
    """Yield such a process, killed at the end if it is still there."""
    with subprocess.Popen(
        [sys.executable, __file__, task, folder, bucket, url, str(seed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    """The next lines of what a process says."""
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(count)]


def main() -> None:
    configure_logs(json=True)
    task, folder, bucket, endpoint, seed = sys.argv[1:]
    remote = S3Store(bucket, "raw", endpoint=endpoint, region=REGION)
    outbox = OutboxStore(remote, Path(folder), limit=LIMIT)
    if task == "flush":
        say("ready")
        sys.stdin.readline()
        say(str(outbox.flush()))
        return
    for number in itertools.count():
        say(outbox.put(body(int(seed), number)).hex())


def say(line: str) -> None:
    """Tell the parent at once: it may be the last word."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
