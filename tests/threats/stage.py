"""Intruders for the simulated world: whoever dials its nodes from outside, and what becomes of that."""

import os

from mixnet.benchmarks.attacks.adversary import VisitOutcome, dial, document, visit
from mixnet.sphinx import Command, Hop, Kind, SphinxEngine

__all__ = ["VisitOutcome", "dial", "document", "packet_for", "visit"]

ENGINE = SphinxEngine()


def packet_for(node, epoch, kind, target=bytes(32), *, beyond=()):
    """A packet whose first hop is `node`, with this command for it."""
    hops = [Hop(node.key_at(epoch), Command(kind, target)), *beyond]
    if kind in (Kind.FORWARD, Kind.DELIVER_MAILBOX) and not beyond:
        hops.append(Hop(node.key_at(epoch), Command(Kind.DELIVER)))
    return ENGINE.create(hops, b"", seed=os.urandom(32))
