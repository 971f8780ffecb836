"""What the messenger hands to a payload slot: fragments, acknowledgements, probes.

Promises: an `Outgoing` knows everything about its bytes and nothing about packets, routes or slots; its encoding fits
into one packet, with or without a reply block.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mixnet.client.arq.fragments import ReplyBlock
from mixnet.client.model.destination import Destination
from mixnet.client.model.durations import DAY
from mixnet.sphinx import Surb


@dataclass(frozen=True, slots=True)
class MessengerSettings:
    """The network's parameters and the limits that shape retransmission; seconds, bytes and packets a second."""

    mean_delay: float = 0.05
    payload_rate: float = 30.0
    downlink_rate: float = 60.0
    link_latency: float = 0.05
    ack_delay: float = 0.1
    message_lifetime: float = 7 * DAY
    invitation_lifetime: float = 7 * DAY
    pause: float = 180.0  # on average, before that leaves whose moment a contact shall not learn
    file_limit: int = 1 << 30
    daily_files: int = 2 << 30  # bytes of files of one contact in a day
    disk_reserve: int = 1 << 30  # bytes that files of contacts leave free
    downloads: Path | None = None

    @property
    def one_way(self) -> float:
        """The mean time of a packet: 4 mixing delays, its own slot, the down-link's slot, and 6 links."""
        return 4 * self.mean_delay + 1 / self.payload_rate + 1 / self.downlink_rate + 6 * self.link_latency

    @property
    def spread(self) -> float:
        """The standard deviation of `one_way`: 4 exponential delays and 2 exponential waits for a slot."""
        return math.sqrt(4 * self.mean_delay**2 + self.payload_rate**-2 + self.downlink_rate**-2)

    @property
    def round_trip(self) -> float:
        """What a fragment and its acknowledgement take together, as long as nothing was measured."""
        return 2 * self.one_way + self.ack_delay


class Encodable(Protocol):
    """The bytes of a fragment or probe, which depend on whether a reply block goes with it."""

    def encode(self, block: ReplyBlock | None) -> bytes:
        """At most GEOMETRY.message_size bytes."""


@dataclass(frozen=True, slots=True)
class OutgoingFragment:
    """Part of a message (or a request for an acknowledgement): build a reply block for it if `wants_surb`."""

    destination: Destination
    wants_surb: bool
    key: tuple[int, int] = field(repr=False)  # (session, transmission): what `transmitted` needs, opaque elsewhere
    content: Encodable = field(repr=False)

    @property
    def session(self) -> int:
        """Whose it is."""
        return self.key[0]

    def encode(self, block: ReplyBlock | None) -> bytes:
        """The plaintext of a packet, at most GEOMETRY.message_size bytes; a reply block only if `wants_surb`."""
        return self.content.encode(block)


@dataclass(frozen=True, slots=True)
class OutgoingReply:
    """An acknowledgement in a session, to be sent through a contact's reply block."""

    surb: Surb
    message: bytes = field(repr=False)
    session: int = field(repr=False)


@dataclass(frozen=True, slots=True)
class OutgoingAnswer(OutgoingReply):
    """Part of a message to somebody anonymous, to be sent through one of the reply blocks that came for it."""

    transmission: int = field(repr=False)

    @property
    def key(self) -> tuple[int, int]:
        """As in OutgoingFragment."""
        return self.session, self.transmission


Outgoing = OutgoingFragment | OutgoingReply | OutgoingAnswer
