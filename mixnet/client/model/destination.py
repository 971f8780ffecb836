"""The destination of a packet: a provider, a mailbox and the key of the last hop.

Promises: whoever holds a destination from a peer can check once that packets can be made for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from mixnet import crypto


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a contact is reached: 32 bytes each of provider identity, mailbox and X25519 key of the last hop."""

    provider: bytes
    mailbox: bytes
    sphinx_public: bytes

    def check_untrusted(self) -> Self:
        """Itself; RemoteError if no packet can be made for its key."""
        crypto.check_point_untrusted(self.sphinx_public)
        return self


@dataclass(frozen=True, slots=True)
class Home:
    """Where this profile is reached, on which network (32 bytes), and the name that it gives itself."""

    name: str
    network_id: bytes
    destination: Destination
