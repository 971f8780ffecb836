"""A packet's hops, and the results of peeling it (spec/02-sphinx.md 2.3).

Promises: peeling gives one of five types and never a flag; none of them prints a packet, a tag or an address. (They
aren't frozen, since one is made of each packet and that would take three times as long.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from mixnet.sphinx import payload
from mixnet.sphinx.commands import MICROSECONDS, Command, Kind, fields_untrusted


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop of a route: its X25519 key (32 bytes) and what it is to do."""

    public: bytes = field(repr=False)
    command: Command


@dataclass(slots=True)
class Forward:
    """Hold `packet` (3,072 bytes) for `delay` seconds, then send it to `next_hop` (32 bytes)."""

    next_hop: bytes = field(repr=False)
    delay: float
    packet: bytes = field(repr=False)
    tag: bytes = field(repr=False)


@dataclass(slots=True)
class Mailbox:
    """Put `packet` (3,072 bytes, its recipient peels it) into `mailbox` (32 bytes), at once."""

    mailbox: bytes = field(repr=False)
    packet: bytes = field(repr=False)
    tag: bytes = field(repr=False)


@dataclass(slots=True)
class Deliver:
    """A message for whoever peeled it, 0 to 2,699 bytes, exactly as it was sent."""

    message: bytes = field(repr=False)
    tag: bytes = field(repr=False)


@dataclass(slots=True)
class Reply:
    """A body (2,716 bytes) that came through our reply block `surb_id` (32 bytes), to be opened with its keys."""

    surb_id: bytes = field(repr=False)
    body: bytes = field(repr=False)
    tag: bytes = field(repr=False)


@dataclass(slots=True)
class Drop:
    """Cover traffic that ends here."""

    tag: bytes = field(repr=False)


Peeled = Forward | Mailbox | Deliver | Reply | Drop


class Layer(NamedTuple):
    """What a hop took off a genuine packet, before anybody has looked at the command (37 bytes)."""

    tag: bytes
    command: bytes
    header: bytes
    body: bytes
    key: bytes  # pi, which also authenticates the message at the last hop

    def __repr__(self) -> str:
        """Nothing of what it holds."""
        return "Layer(<redacted>)"


def interpret_untrusted(layer: Layer) -> Peeled:
    """What the command makes of the packet; RemoteError for a command or a body that is malformed."""
    kind, target, delay_us = fields_untrusted(layer.command)
    match kind:
        case Kind.FORWARD:
            return Forward(target, delay_us / MICROSECONDS, layer.header + layer.body, layer.tag)
        case Kind.DELIVER_MAILBOX:
            return Mailbox(target, layer.header + layer.body, layer.tag)
        case Kind.DELIVER:
            return Deliver(payload.unpack_untrusted(layer.key, layer.body), layer.tag)
        case Kind.REPLY:
            return Reply(target, layer.body, layer.tag)
        case Kind.DROP:
            return Drop(layer.tag)
