"""SPAKE2 (PyPI package `spake2`): a shared key from a few words; an attacker has one guess.

Promises: only a message of the other side, 33 bytes that are a point of the right group, makes a key; whoever has
another password, or other names for the two sides, has another key. Never: a key that was confirmed; that is done in
`exchange.py`. The package computes in Python, in variable time: a password is used for one or two exchanges over a
network that takes hundreds of milliseconds, which hide by what those differ; a program on the same machine may see it.
"""

from __future__ import annotations

import json
from typing import Any

from mixnet.client.model.errors import CodesMissing
from mixnet.crypto import SymmetricKey
from mixnet.errors import LocalError, RemoteError
from mixnet.extras import lacking

MESSAGE_SIZE = 33  # a side and a point


def require() -> None:
    """CodesMissing unless the package is installed."""
    _package()


def _package() -> Any:
    try:
        import spake2  # noqa: PLC0415  # an extra
    except ModuleNotFoundError:
        raise CodesMissing(lacking("codes")) from None
    return spake2


class Side:
    """One side of one exchange. `message` goes to the other side; `key_untrusted` works once."""

    def __init__(self, spake: Any, message: bytes) -> None:
        """Take a started exchange of the package; `first`, `second` and `restore` make one."""
        self._spake, self.message = spake, message

    @classmethod
    def first(cls, password: bytes, context: bytes) -> Side:
        """The side that shows its message first. `context` names the exchange for both; CodesMissing."""
        spake = _package().SPAKE2_A(password, idA=context + b"first", idB=context + b"second")
        return cls(spake, spake.start())

    @classmethod
    def second(cls, password: bytes, context: bytes) -> Side:
        """The side that answers."""
        spake = _package().SPAKE2_B(password, idA=context + b"first", idB=context + b"second")
        return cls(spake, spake.start())

    def serialize(self) -> bytes:
        """A first side that waits, with its secrets: for a protected store."""
        return bytes(self._spake.serialize())

    @classmethod
    def restore(cls, raw: bytes) -> Side:
        """A first side from what `serialize` gave; LocalError if it is something else."""
        try:
            spake = _package().SPAKE2_A.from_serialized(raw)
        except (json.JSONDecodeError, KeyError, ValueError, _package().SPAKEError):
            raise LocalError("this is no exchange of ours") from None
        return cls(spake, spake.side + spake.outbound_message)

    def key_untrusted(self, message: bytes) -> SymmetricKey:
        """What both share, if they had the same password; RemoteError unless `message` can be the other side's."""
        package = _package()
        if len(message) != MESSAGE_SIZE:
            raise RemoteError("a message of the wrong size")
        try:
            return SymmetricKey(self._spake.finish(message))
        except (package.SPAKEError, ValueError, package.ed25519_basic.NotOnCurve):
            raise RemoteError("no message of the other side") from None
