"""Geometry: the lengths of all parts of a packet (spec/02-sphinx.md 2.2).

Promises: a geometry is given by three numbers (packet, hops, target) and derives every other length from them, so that
no length is ever written twice; all packets of a network have one size, whatever their route and message.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from mixnet.crypto import KEY_SIZE, MAC_SIZE
from mixnet.errors import LocalError

_KIND_SIZE = 1
_DELAY_SIZE = 4
_LENGTH_SIZE = 1  # the byte in front of each command
_MARKER_SIZE = 1  # the byte that ends a message, before its padding


@dataclass(frozen=True)
class Geometry:
    """The lengths, in bytes, of packets of `packet_size` bytes for at most `max_hops` hops."""

    packet_size: int = 3072
    max_hops: int = 6
    target_size: int = 32

    def __post_init__(self) -> None:
        """Refuse numbers that leave no room for a message."""
        if self.max_hops < 1 or self.target_size < 1 or self.message_size < 0:
            raise LocalError("a packet too small for its own header: enlarge `packet_size`")

    @property
    def alpha_size(self) -> int:
        """The blinded group element."""
        return KEY_SIZE

    @property
    def gamma_size(self) -> int:
        """The MAC of the header, and that of the message."""
        return MAC_SIZE

    @cached_property
    def command_size(self) -> int:
        """A routing command: kind, target, delay."""
        return _KIND_SIZE + self.target_size + _DELAY_SIZE

    @cached_property
    def step_size(self) -> int:
        """What a hop takes off beta's front, and what grows at its end: length byte, command, the next gamma."""
        return _LENGTH_SIZE + self.command_size + self.gamma_size

    @cached_property
    def beta_size(self) -> int:
        """The routing information of all hops; the last one has no next gamma."""
        return self.max_hops * self.step_size - self.gamma_size

    @cached_property
    def header_size(self) -> int:
        """alpha, beta and gamma together."""
        return self.alpha_size + self.beta_size + self.gamma_size

    @cached_property
    def body_size(self) -> int:
        """The encrypted payload, delta."""
        return self.packet_size - self.header_size

    @cached_property
    def message_size(self) -> int:
        """The longest message that a packet or a reply carries."""
        return self.body_size - self.gamma_size - _MARKER_SIZE

    @cached_property
    def surb_key_size(self) -> int:
        """The key that a reply block gives to whoever replies."""
        return MAC_SIZE

    @cached_property
    def surb_size(self) -> int:
        """A serialized reply block: first hop, header, key."""
        return self.target_size + self.header_size + self.surb_key_size

    def padding_size(self, hops: int) -> int:
        """How many random bytes follow the last command on a route of `hops` hops."""
        return (self.max_hops - hops) * self.step_size


GEOMETRY = Geometry()
