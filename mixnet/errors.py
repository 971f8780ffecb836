"""The three kinds of failure, and nothing else (spec/08-errors-and-figures.md 8.5).

Promises: every error raised on purpose in this project is one of these three kinds, so a caller decides by kind alone.
The docstring of an error class is the sentence that a user reads: what went wrong and what to do about it.
"""

from __future__ import annotations


class MixnetError(Exception):
    """Something went wrong in the mixnet."""

    exit_status = 2  # of a command that ends by it (mixnet/explain.py): what was given is wrong

    def __str__(self) -> str:
        """The message given at the raise, or else the first line of the class's docstring."""
        return super().__str__() or (type(self).__doc__ or "").strip().partition("\n")[0]


class LocalError(MixnetError):
    """Our own bug, or a misuse by the caller: it crashes its nursery, loudly."""


class RemoteError(MixnetError):
    """The bytes of a peer are not what they must be: drop them, count, never answer."""


class Unavailable(MixnetError):
    """Something is not reachable now: try again later."""

    exit_status = 3  # there is no daemon or network, or it can't do it now
