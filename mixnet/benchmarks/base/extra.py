"""The libraries of the extra `bench`, which only measuring needs (spec/13-measurements.md 13.9).

Promises: whoever lacks one is told in one line which, and what to do; the same line whatever the command. Any other
module that is missing is our bug, and stays one. Never: an import of any of them here, before `require` is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from mixnet.errors import Unavailable
from mixnet.extras import installation

LIBRARIES = ("distributed", "jinja2", "matplotlib", "numpy", "scipy", "sklearn")  # as they are imported


class MissingLibrary(Unavailable):
    """A library that measuring needs is not installed."""

    exit_status = 1

    def __init__(self, name: str) -> None:
        """`name` of the library."""
        super().__init__(f"{name} is not installed: `{installation('bench')}`, then try again")


@contextmanager
def needed() -> Iterator[None]:
    """Around whatever uses the extra: MissingLibrary if one of its libraries turns out to be missing."""
    try:
        yield
    except ModuleNotFoundError as missing:
        name = (missing.name or "").partition(".")[0]
        if name not in LIBRARIES:
            raise
        raise MissingLibrary(name) from None


def require() -> None:
    """Raise ModuleNotFoundError for the first library that is missing: before long work, not after it."""
    for name in LIBRARIES:
        import_module(name)
