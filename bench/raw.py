"""What it costs to keep and to read one page's bytes: folder, S3, and the outbox before S3.

Run: .venv/bin/python bench/raw.py [--bodies 300] [--folder DIR]

The S3 API is moto's server on loopback, in a process of its own that is not counted; over a real
network a put waits for 15 to 50 ms more, and costs no more CPU. CPU is that of our process.
"""

import argparse
import hashlib
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import boto3
import structlog

from ctiscraper.db.raw import FolderStore, RawStore
from ctiscraper.db.raw_outbox import OutboxStore
from ctiscraper.db.raw_s3 import S3Store

BUCKET: Final = "bench"
REGION: Final = "eu-central-1"
LIMIT = 8 << 30


def pages(count: int) -> list[bytes]:
    """Return bodies like pages: 20 kB of words, which pack to a third or so."""
    chance = random.Random(5)
    words = [
        "".join(chance.choices("etaoinshrdlu", k=chance.randrange(2, 10))) for _ in range(4000)
    ]
    made = []
    for _ in range(count):
        text = " ".join(chance.choices(words, k=1500))
        made.append(
            f"<html><body><p class='text'>{text}</p></body></html>".encode() * 2 + os.urandom(800)
        )
    return made


@contextmanager
def s3_server() -> Iterator[str]:
    """Yield the URL of an S3 API in another process."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            with socket.socket() as asking:
                if asking.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def measure(name: str, work: Callable[[], object], count: int) -> None:
    """Print what one of `count` cost."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{name:44} {cpu / count * 1e3:8.2f} {wall / count * 1e3:9.2f}")


def put_all(store: RawStore, bodies: Sequence[bytes]) -> None:
    for body in bodies:
        store.put(body)


def get_all(store: RawStore, bodies: Sequence[bytes]) -> None:
    for body in bodies:
        assert store.get(hashlib.sha256(body).digest()) == body


def run(bodies: Sequence[bytes], folder: Path, url: str) -> None:
    count = len(bodies)
    print(f"{count} bodies of {sum(map(len, bodies)) / count:,.0f} bytes in {folder}\n")
    print(f"{'each':44} {'CPU ms':>8} {'wall ms':>9}")
    plain = FolderStore(folder / "raw")
    measure("put, folder", lambda: put_all(plain, bodies), count)
    measure("put, folder, kept already", lambda: put_all(plain, bodies), count)
    measure("get, folder", lambda: get_all(plain, bodies), count)
    with (
        closing(S3Store(BUCKET, "plain", endpoint=url, region=REGION)) as remote,
        closing(S3Store(BUCKET, "later", endpoint=url, region=REGION)) as later,
        closing(S3Store(BUCKET, endpoint="http://127.0.0.1:1", region=REGION)) as away,
    ):
        measure("put, S3", lambda: put_all(remote, bodies), count)
        measure("get, S3", lambda: get_all(remote, bodies), count)
        through = OutboxStore(remote, folder / "outbox", limit=LIMIT)
        measure("put, outbox before S3 that answers", lambda: put_all(through, bodies), count)
        waiting = OutboxStore(away, folder / "outbox", limit=LIMIT)
        measure("put, outbox before S3 that is away", lambda: put_all(waiting, bodies), count)
        print(f"  {waiting.waiting().size / count:,.0f} bytes packed, each")
        measure("get, outbox", lambda: get_all(waiting, bodies), count)
        back = OutboxStore(later, folder / "outbox", limit=LIMIT)
        measure("flush to S3", back.flush, count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bodies", type=int, default=300)
    parser.add_argument("--folder", type=Path, help="where the disk is that is to be measured")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    os.environ.update(
        AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench", AWS_EC2_METADATA_DISABLED="true"
    )
    folder = Path(tempfile.mkdtemp(prefix="ctiscraper-raw-", dir=asked.folder))
    try:
        with s3_server() as url:
            client = boto3.session.Session().client("s3", endpoint_url=url, region_name=REGION)
            client.create_bucket(
                Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
            run(pages(asked.bodies), folder, url)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
