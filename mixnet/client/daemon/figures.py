"""The figures of a running daemon, which its user and the operator of its machine may see (spec/07-client.md 7.8).

Promises: counts and states only, nothing of what was said to whom.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mixnet.client.concurrency.lasting import Lasting
from mixnet.client.messenger.messenger import Messenger
from mixnet.client.traffic.frame_receiver import FrameReceiver
from mixnet.client.traffic.loops import LoopMonitor
from mixnet.client.traffic.provider_link import ProviderLink
from mixnet.client.traffic.receiver import PacketReceiver
from mixnet.client.traffic.sender import PacketSender
from mixnet.link import FrameKind
from mixnet.pki.document import Document
from mixnet.pki.keeper import DocumentKeeper
from mixnet.status import process_figures


@dataclass(frozen=True, slots=True)
class Figures:
    """The parts that count; `name` is the profile's, `provider` the identity of its provider."""

    name: str
    provider: bytes
    document: Callable[[], Document]
    keeper: DocumentKeeper
    link: ProviderLink
    messenger: Messenger
    sender: PacketSender
    receiver: PacketReceiver
    frames: FrameReceiver
    loops: LoopMonitor
    lasting: Lasting

    def snapshot(self) -> dict[str, Any]:
        """All of them now. client/api/daemon_api.py has the same names for a daemon without a document."""
        up, down = self.sender.counts, self.frames.counts
        return {
            "role": "client",
            "name": self.name,
            "identity": self.provider.hex()[:8],
            "layer": None,
            "epoch": self.document().epoch,
            "ready": self.link.connected,
            "connected": self.link.connected,
            "connections": self.link.connections,
            "problem": self._problem(),
            "alarm": str(self.loops.alarm),
            "warnings": self.loops.warnings,
            "packets_in": down[FrameKind.MAIL],
            "packets_out": sum(up.values()),
            "dropped": {
                "link": self.link.lost_frames,
                "refused": self.receiver.counts["refused"],
                "faults": sum(part.faults for part in (self.messenger, self.receiver, self.sender, self.lasting)),
            },
            "frames": dict(up),
            "received": {kind.name.lower(): count for kind, count in down.items()} | dict(self.receiver.counts),
            "loops_sent": self.loops.sent,
            "loops_returned": self.loops.returned,
            "loops_late": self.loops.late,
            "loops_lost": self.loops.lost,
            "loop_times": self.loops.times.figures(),
            **process_figures(),
        }

    def _problem(self) -> str:
        others = self.receiver.problem or self.keeper.problem or self.sender.problem
        return self.link.problem if self.link.moved else others or self.link.problem
