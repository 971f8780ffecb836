"""Routing commands: what a header tells each hop to do (spec/02-sphinx.md 2.3).

Promises: a command is 37 bytes, kind 1 · target 32 · delay 4 (big-endian microseconds), and parsing one either gives a
command that serialises to the same bytes or raises RemoteError. Targets and delays that a kind doesn't use are zeros
from us and ignored from others.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum

from mixnet.errors import LocalError, RemoteError
from mixnet.sphinx.geometry import GEOMETRY

_LAYOUT = struct.Struct(f">B{GEOMETRY.target_size}sI")
_NOBODY = bytes(GEOMETRY.target_size)
MICROSECONDS = 1_000_000
MAX_DELAY_US = 0xFFFF_FFFF


class Kind(IntEnum):
    """What to do with what is left of the packet; the comment says what the target is."""

    FORWARD = 0  # hold for the delay, then send to the next hop; its identity
    DELIVER_MAILBOX = 1  # put into a mailbox; its identity
    DELIVER = 2  # the body is a message to the reader of this command; zeros
    REPLY = 3  # the body came back through a reply block; its identifier
    DROP = 4  # discard: cover traffic; zeros


_KINDS = {kind.value: kind for kind in Kind}  # a third of the time of Kind(number)


@dataclass(frozen=True, slots=True)
class Command:
    """One hop's order: a kind, a target of 32 bytes and a delay in microseconds (at most 2**32 - 1)."""

    kind: Kind
    target: bytes = field(default=_NOBODY, repr=False)
    delay_us: int = 0

    def __post_init__(self) -> None:
        """Refuse what the 37 bytes can't say."""
        if len(self.target) != GEOMETRY.target_size or not 0 <= self.delay_us <= MAX_DELAY_US:
            raise LocalError("a command takes a target of 32 bytes and a delay of 0 to 2**32 - 1 microseconds")

    @property
    def delay(self) -> float:
        """The delay in seconds."""
        return self.delay_us / MICROSECONDS

    def serialize(self) -> bytes:
        """The 37 bytes."""
        return _LAYOUT.pack(self.kind, self.target, self.delay_us)


def fields_untrusted(raw: bytes) -> tuple[Kind, bytes, int]:
    """Kind, target and delay in microseconds of the 37 bytes `raw`, which is all that a hop needs of a command.

    RemoteError for another length or a kind that doesn't exist.
    """
    if len(raw) != GEOMETRY.command_size:
        raise RemoteError("a routing command of the wrong size")
    number, target, delay_us = _LAYOUT.unpack(raw)
    kind = _KINDS.get(number)
    if kind is None:
        raise RemoteError("a routing command of an unknown kind")
    return kind, target, delay_us


def microseconds(seconds: float) -> int:
    """A drawn delay as a command states it: rounded, and cut at the longest that 32 bits say (71 minutes)."""
    return min(max(round(seconds * MICROSECONDS), 0), MAX_DELAY_US)
