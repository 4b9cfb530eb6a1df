"""A process over an outbox, for tests that kill it: `put` says what is kept, `flush` sends it.

Run: raw_child.py put|flush FOLDER BUCKET ENDPOINT SEED
"""

import itertools
import random
import sys
from pathlib import Path

from ctiscraper.db.raw_outbox import OutboxStore
from ctiscraper.db.raw_s3 import S3Store
from ctiscraper.telemetry import configure_logs
from s3_server import REGION

LIMIT = 1 << 30


def body(seed: int, number: int) -> bytes:
    """A body of some size that nobody else makes."""
    chance = random.Random(f"{seed}-{number}")
    return chance.randbytes(chance.randrange(1, 60_000))


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
