"""What a node tells its operator of itself. Never: anything about a packet, a peer or a client.

See spec/08-errors-and-figures.md 8.2.
"""

from __future__ import annotations

from typing import Any

from mixnet.counters import Counters
from mixnode.context import NodeContext
from mixnode.members import Members

IDENTITY_DIGITS = 16  # enough to tell one's nodes apart


def describe(
    context: NodeContext, members: Members, counters: Counters, *, connections: int, held: int, warnings: list[str]
) -> dict[str, Any]:
    """The map that the status socket answers; layers count from 1, and providers have none."""
    identity = context.identity.public
    layer = members.document.layer_of(identity) if members.ready else None
    return {
        "role": str(context.config.role),
        "layer": None if layer is None else layer + 1,
        "identity": identity.hex()[:IDENTITY_DIGITS],
        "ready": members.ready and members.document.node(identity) is not None,
        "epoch": members.document.epoch if members.ready else None,
        "connections": connections,
        "held": held,
        "warnings": warnings,
        **counters.snapshot(),
    }
