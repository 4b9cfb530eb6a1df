"""The process that makes a default pack: what that loads and needs is gone when it ends."""

import sys
from io import FileIO

from ctiscraper.packs.registry import build_default, known_pack

STDOUT = 1


def main(arguments: list[str]) -> None:
    """Write the default of the named pack to standard output."""
    (name,) = arguments
    data = build_default(known_pack(name))
    with FileIO(STDOUT, "w", closefd=False) as out:
        left = memoryview(data)
        while left:
            left = left[out.write(left) :]


if __name__ == "__main__":
    main(sys.argv[1:])
