"""The allocator, told what to give back."""

import platform
import subprocess
import sys

import pytest

from ctiscraper.allocator import give_back_free_pages, give_back_large_blocks

# What stays of sixty-four blocks of 2 MB, freed in an order that leaves small ones above them.
LEFT_OVER = """
import sys, psutil
from ctiscraper.allocator import give_back_large_blocks
if sys.argv[1] == "told":
    assert give_back_large_blocks()
def rss():
    return psutil.Process().memory_info().rss
before = rss()
for size in (30, 2):
    large, small = [], []
    for _ in range(64 // size + 1):
        large.append(bytearray(size << 20))
        small.append(bytes(2000))
    del large
print(rss() - before)
"""


FREED = """
import psutil
from ctiscraper.allocator import give_back_free_pages, give_back_large_blocks
give_back_large_blocks()
def rss():
    return psutil.Process().memory_info().rss
before = rss()
blocks = [bytes(4096) for _ in range(16_384)]
kept = blocks[::1024]
del blocks
held = rss() - before
assert give_back_free_pages()
print(held, rss() - before)
"""


# How many heaps there are beside the first: a heap of glibc begins at a multiple of 64 MB.
HEAPS = """
import sys, threading
from ctiscraper.allocator import give_back_large_blocks
if sys.argv[1] == "told":
    assert give_back_large_blocks()
together = threading.Barrier(4)
def fill():
    together.wait()
    kept = [bytes(2000) for _ in range(1000)]
    together.wait()
threads = [threading.Thread(target=fill) for _ in range(4)]
for each in threads:
    each.start()
for each in threads:
    each.join()
with open("/proc/self/maps") as maps:
    starts = [int(line.partition("-")[0], 16) for line in maps if " rw-p 00000000 00:00 0 " in line]
print(sum(start % (64 << 20) == 0 for start in starts))
"""


def left_over(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", LEFT_OVER, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc alone takes these orders")
def test_large_blocks_go_back_to_the_system() -> None:
    assert left_over("told") < 4 << 20
    assert left_over("untold") > 16 << 20, "else there is nothing to tell"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc alone takes these orders")
@pytest.mark.parametrize(("how", "least", "most"), [("told", 0, 0), ("untold", 1, 4)])
def test_threads_share_one_heap(how: str, least: int, most: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HEAPS, how], capture_output=True, text=True, check=True
    )
    assert least <= int(done.stdout) <= most


def test_elsewhere_it_says_that_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    give_back_large_blocks()  # what was found on this system is not what another is told
    monkeypatch.setattr(sys, "platform", "darwin")
    assert give_back_large_blocks() is False
    assert give_back_free_pages() is False


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc alone takes these orders")
def test_free_pages_between_blocks_in_use_go_back() -> None:
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    held, left = map(int, done.stdout.split())
    assert held > 32 << 20, "else there is nothing to give back"
    assert left < 8 << 20
