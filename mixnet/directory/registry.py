"""The nodes that an authority has approved, and what they say about themselves (spec/05-directory.md 5.3).

Pure. Promises: only a descriptor that an approved node signed, in its approved role, for this network and about this
time, gets in; of several for one epoch the last one counts. Never: more than a few descriptors of a node.
"""

from __future__ import annotations

from collections.abc import Mapping

from mixnet.network import Address
from mixnet.pki.descriptor import Descriptor, NodeRole
from mixnet.pki.errors import Refused
from mixnet.reach import Reach

_MOST_REFUSALS = 256  # nodes whose last refusal is remembered
_HELD = 3  # descriptors of one node: for the last, the present and the coming epoch


class Unapproved(Refused):
    """The node is not approved by this authority: its operator has to add it to the list of nodes."""


class Untimely(Refused):
    """The descriptor is not for the present epoch, the last or the next: check the node's clock."""


class TooMany(Refused):
    """The node brings another descriptor all the time: find out why it makes new keys."""


class Unreachable(Refused):
    """The node's address lies inside a machine or a private network, and the authorities' don't: correct it."""


class NodeRegistry:
    """Approved nodes by identity, and their descriptors."""

    def __init__(self, network_id: bytes, approved: Mapping[bytes, NodeRole], reach: Reach = Reach.MACHINE) -> None:
        """`approved` is the allow-list: identity (32 bytes) to role; `reach`: what addresses nodes may have."""
        self._network_id, self._reach = network_id, reach
        self.approved: dict[bytes, NodeRole] = {}
        self._held: dict[bytes, dict[int, bytes]] = {}
        self._refusals: dict[bytes, str] = {}
        self.approve(approved)

    def approve(self, approved: Mapping[bytes, NodeRole]) -> None:
        """Take another allow-list; what nodes said that are not on it, or in another role, is forgotten."""
        kept = {identity for identity, role in approved.items() if self.approved.get(identity) == role}
        self.approved = dict(approved)
        for identity in approved.keys() - kept:
            self._refusals.pop(identity, None)  # it was refused under the list of before
        self._held = {identity: self._held[identity] if identity in kept else {} for identity in self.approved}

    def note_refusal(self, identity: bytes, reason: str) -> None:
        """Remember why a node's last descriptor was refused, for those who ask why it is absent."""
        self._refusals.pop(identity, None)
        self._refusals[identity] = reason
        while len(self._refusals) > _MOST_REFUSALS:
            oldest = next(iter(self._refusals))  # those of strangers never push out an approved node's
            del self._refusals[next((one for one in self._refusals if one not in self.approved), oldest)]

    def refusal(self, identity: bytes) -> str:
        """Why the node's last descriptor was refused; empty if it was not, or that is long ago."""
        return self._refusals.get(identity, "")

    def epochs(self, identity: bytes) -> tuple[int, ...]:
        """The epochs for which a descriptor of the node is held, ascending."""
        return tuple(sorted(self._held.get(identity, ())))

    def holds(self, descriptor: Descriptor, raw: bytes) -> bool:
        """Whether this very descriptor, `raw` when encoded, is held already."""
        return self._held.get(descriptor.identity, {}).get(descriptor.epoch) == raw

    def take_untrusted(self, raw: bytes, present: int) -> Descriptor:
        """The descriptor in `raw`, now held, in epoch `present`.

        Raises Unapproved, Untimely, Unreachable, or what `Descriptor.parse_untrusted` does.
        """
        descriptor = Descriptor.parse_untrusted(raw)
        if descriptor.network_id != self._network_id or self.approved.get(descriptor.identity) != descriptor.role:
            raise Unapproved
        if abs(descriptor.epoch - present) > 1:
            raise Untimely
        if not self._reach.allows_host(Address.parse(descriptor.address).host):
            raise Unreachable
        held = self._held[descriptor.identity]
        held[descriptor.epoch] = raw
        for epoch in sorted(held)[:-_HELD]:
            del held[epoch]
        self._refusals.pop(descriptor.identity, None)
        return descriptor

    def complete(self, epoch: int) -> bool:
        """Whether every approved node can stand in the document for `epoch`."""
        return len(self.ballot(epoch)) == len(self.approved)

    def ballot(self, epoch: int) -> list[bytes]:
        """The newest descriptor of each node that can stand in the document for `epoch`, ascending by identity."""
        newest = (self._newest(identity, epoch) for identity in sorted(self._held))
        return [raw for raw in newest if raw is not None]

    def _newest(self, identity: bytes, epoch: int) -> bytes | None:
        held = self._held[identity]
        return next((held[made] for made in (epoch, epoch - 1) if made in held), None)
