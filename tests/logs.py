"""The log of the tests' process, which whatever runs in it may configure."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog


@contextmanager
def own_logs() -> Iterator[None]:
    """A stretch after which the log is configured as it was before."""
    root, config = logging.getLogger(), structlog.get_config()
    level, handlers = root.level, list(root.handlers)
    hooks = sys.excepthook, threading.excepthook
    try:
        yield
    finally:
        structlog.configure(**config)
        root.setLevel(level)
        root.handlers[:] = handlers
        sys.excepthook, threading.excepthook = hooks
        logging.captureWarnings(capture=False)
