"""Adopts each new directory document: routes, rates and the loops' allowance (spec/04-mixing.md 4.5).

Promises: a new document counts from its epoch on, never before.
"""

from __future__ import annotations

from dataclasses import dataclass

from mixnet.client.traffic.loops import LoopMonitor, loop_allowance
from mixnet.client.traffic.packets import Packer
from mixnet.client.traffic.routes import Map
from mixnet.client.traffic.sender import PacketSender
from mixnet.clock import Epochs
from mixnet.errors import Unavailable
from mixnet.pki.keeper import DocumentKeeper


@dataclass(frozen=True, slots=True)
class DocumentFollower:
    """Tells each part that goes by the document."""

    keeper: DocumentKeeper
    epochs: Epochs
    packer: Packer
    sender: PacketSender
    loops: LoopMonitor

    async def follow(self) -> None:
        """Wait for each new document, for ever."""
        while True:
            try:
                document = await self.keeper.wait_for_next()
            except Unavailable:  # the machine slept through its whole time
                continue
            self.packer.network = Map(document, self.epochs)
            self.sender.adopt(document.parameters)
            self.loops.allowed = loop_allowance(document.parameters)
