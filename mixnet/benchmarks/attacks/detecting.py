"""How long the loop detectors of nodes and clients take until they warn, fed with loops of which some are lost.

Promises: the code that counts is the product's (`mixnode.loops`, `mixnet.client.traffic.loops`); what happens to loops,
and when it is known, is modelled: Poisson slots, independent losses, exponential holds, and machines that are busier
than those that were measured. An alarm is either warning, of lost loops or of late ones. Everything follows from the
seed.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mixnet.client.traffic.loops import DUMMIES, Alarm, LoopMonitor, loop_allowance
from mixnet.crypto import SymmetricKey
from mixnet.pki.parameters import Parameters
from mixnode.detector import Detector
from mixnode.loops import Loops

PARAMETERS = Parameters()  # the rates that a network has by default
LOOK = 1.0  # seconds between two looks at an empty mailbox
BUSY = 0.1  # seconds that the machines on a loop's way take together, on average; exponential


def node_alarms(*, loss: float, seconds: float, runs: int, seed: int) -> dict[str, Any]:
    """Seconds to a node's first alarm in each run (None: none), and alarms begun in all. A job."""
    return _runs(_node, loss, seconds, runs, seed)


def client_alarms(*, loss: float, seconds: float, runs: int, seed: int) -> dict[str, Any]:
    """The same of a client. A job."""
    return _runs(_client, loss, seconds, runs, seed)


def _runs(kind: Any, loss: float, seconds: float, runs: int, seed: int) -> dict[str, Any]:
    times = [
        list(kind(np.random.default_rng([seed, round(loss * 1e6), number]), loss, seconds)) for number in range(runs)
    ]
    return {"first": [one[0] if one else None for one in times], "alarms": sum(map(len, times))}


def _node(rng: np.random.Generator, loss: float, seconds: float) -> Iterator[float]:
    """When each alarm of a node begins, if it looks whenever a loop leaves, as `mixnode.upkeep` does."""
    holds = PARAMETERS.layers + 1
    slots, lost, delays = _loops(rng, PARAMETERS.node_loop_rate, loss, seconds, holds)
    back = slots + delays + (holds + 1) * PARAMETERS.link_latency + rng.exponential(BUSY, len(slots))
    loops, before = Loops(SymmetricKey.generate()), False
    returning: list[tuple[float, bytes]] = []
    for index, slot in enumerate(slots):
        while returning and returning[0][0] <= slot:
            when, message = heapq.heappop(returning)
            loops.returned_untrusted(message, when)
        message = loops.message()
        loops.sent(message, float(slot + delays[index] + PARAMETERS.loop_lateness))
        if not lost[index]:
            heapq.heappush(returning, (float(back[index]), message))
        loops.overdue(float(slot))
        if loops.warnings and not before:
            yield float(slot)
        before = bool(loops.warnings)


def _client(rng: np.random.Generator, loss: float, seconds: float) -> Iterator[float]:
    """When each alarm of a client begins, if its mailbox is seen empty once a second."""
    holds = PARAMETERS.layers + 1
    slots, lost, delays = _loops(rng, PARAMETERS.loop_rate, loss, seconds, holds)
    way = delays + (holds + 2) * PARAMETERS.link_latency + rng.exponential(1 / PARAMETERS.downlink_rate, len(slots))
    back = slots + way + rng.exponential(BUSY, len(slots))
    monitor, before = LoopMonitor(loop_allowance(PARAMETERS)), False
    returning: list[tuple[float, bytes]] = []
    look = LOOK
    for index, slot in enumerate(slots):
        while look < slot:
            while returning and returning[0][0] <= look:
                when, name = heapq.heappop(returning)
                monitor.on_returned(name, when)
            for _ in range(DUMMIES):
                monitor.on_dummy(look)
            alarmed = monitor.alarm is not Alarm.CALM or monitor.delayed
            if alarmed and not before:
                yield look
            before = alarmed
            look += LOOK
        name = index.to_bytes(8, "big")
        monitor.on_sent(name, float(slot), float(delays[index]))
        if not lost[index]:
            heapq.heappush(returning, (float(back[index]), name))


def _loops(
    rng: np.random.Generator, rate: float, loss: float, seconds: float, holds: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(slots, whether lost, delays) of the loops of so many seconds."""
    slots = np.sort(rng.uniform(0, seconds, rng.poisson(rate * seconds)))
    delays = rng.gamma(holds, PARAMETERS.mean_delay, len(slots))
    return slots, rng.random(len(slots)) < loss, delays


def node_detector_on(lost: Sequence[bool]) -> int | None:
    """After how many outcomes, in this order, a node's detector warns."""
    detector = Detector()
    for number, one in enumerate(lost, 1):
        detector.add(one)
        if detector.alarmed:
            return number
    return None


def finite(times: Sequence[float | None]) -> list[float]:
    """Those that are known."""
    return [one for one in times if one is not None and math.isfinite(one)]
