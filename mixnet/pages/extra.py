"""The libraries of the extra `ui`, which pages for a browser need. Never: an import of one of them here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mixnet.errors import LocalError
from mixnet.extras import lacking

LIBRARIES = ("starlette", "hypercorn")  # as they are imported


class PagesMissing(LocalError):
    """Pages for a browser need libraries that aren't installed."""

    exit_status = 1


@contextmanager
def needed() -> Iterator[None]:
    """Around what imports a page: PagesMissing, with the command that helps, if a library turns out to be missing."""
    try:
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in LIBRARIES:
            raise
        raise PagesMissing(lacking("ui")) from None
