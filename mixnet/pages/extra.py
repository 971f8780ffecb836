"""The libraries of the extra `ui`, which pages for a browser need. Never: an import of one of them here."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mixnet.errors import LocalError

WANTED = {"starlette": "starlette>=1.0", "hypercorn": "hypercorn>=0.18"}  # as in pyproject.toml


class PagesMissing(LocalError):
    """Pages for a browser need libraries that aren't installed."""

    exit_status = 1


@contextmanager
def needed() -> Iterator[None]:
    """Around what imports a page: PagesMissing, with the command that helps, if a library turns out to be missing."""
    try:
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in WANTED:
            raise
        install = shlex.join([sys.executable, "-m", "pip", "install", *WANTED.values()])
        raise PagesMissing(f"this needs libraries that aren't installed: `{install}`, then try again") from None
