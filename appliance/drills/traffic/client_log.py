"""Where the library's own messages go: a file of the run, never the terminal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def open_client_log(path: Path) -> Iterator[logging.Logger]:
    """Give a logger whose lines go to this file alone; the file is made with the first line."""
    logger = logging.Logger("clients")  # noqa: LOG001 - of this run: nobody else may find or configure it
    handler = logging.FileHandler(path, delay=True, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        handler.close()
