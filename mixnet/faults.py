"""Says of an error what kind it is and where it came from (spec/08-errors-and-figures.md 8.3).

Promises: names of classes, and files and lines of our own code. Never: what the error says, which may hold a name, a
text or an address.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from traceback import walk_tb

_ROOT = Path(__file__).parent.parent
_OURS = frozenset({"client", "deploy", "directory", "mixnet", "mixnode"})


def named(error: BaseException) -> str:
    """Such as `KeyError at client/groups/relay.py:120`; of a group, all that is in it, each once."""
    return ", ".join(sorted({type(one).__name__ + _place(one) for one in leaves(error)}))


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The single errors in a group of groups: a Trio nursery wraps what it lets through."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def _place(error: BaseException) -> str:
    """Of the innermost frame of our own code; empty if none was on the way."""
    place = ""
    for frame, line in walk_tb(error.__traceback__):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(_ROOT) and path.relative_to(_ROOT).parts[0] in _OURS:
            place = f" at {path.relative_to(_ROOT).as_posix()}:{line}"
    return place
