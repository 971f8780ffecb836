"""Which routes a packet may take, whatever engine makes it (spec/02-sphinx.md 2.2 and 2.3)."""

from __future__ import annotations

from collections.abc import Sequence

from mixnet.errors import LocalError
from mixnet.sphinx.commands import Kind
from mixnet.sphinx.geometry import GEOMETRY
from mixnet.sphinx.packet import Hop

SEED_SIZE = 32
SURB_SEED_SIZE = 64
PASSING = (Kind.FORWARD, Kind.DELIVER_MAILBOX)
FINAL = (Kind.DELIVER, Kind.DROP)
FINAL_OF_REPLY = (Kind.REPLY,)


def check_route(hops: Sequence[Hop], final: Sequence[Kind], seed: bytes, seed_size: int) -> None:
    """Raise LocalError unless the hops pass the packet on and the last ends it, as `final` says, with a whole seed.

    A route that ended on a forward command would send the message on in the clear.
    """
    if not 1 <= len(hops) <= GEOMETRY.max_hops:
        raise LocalError(f"a route has 1 to {GEOMETRY.max_hops} hops")
    if hops[-1].command.kind not in final or any(hop.command.kind not in PASSING for hop in hops[:-1]):
        raise LocalError("a route forwards at every hop but the last, which ends it")
    if len(seed) != seed_size:
        raise LocalError(f"a seed has {seed_size} bytes")
