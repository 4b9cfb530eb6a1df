"""`python -m cti_ops VERB`."""

import sys

from cti_ops.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
