"""Latency and throughput on one network of real processes: what a report measures together (SPEC.md section 13.8).

Promises: the same figures as each of them alone, for the price of starting one network.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from benchmarks import latency, throughput
from benchmarks.figures import Finding
from benchmarks.load.stage import open_stage
from benchmarks.size import Size


def measure(size: Size, *, seed: int = 1, say: Callable[[str], None] = lambda _what: None) -> list[Finding]:
    """What throughput and latency found, in this order."""

    async def run() -> list[Finding]:
        async with open_stage(say) as stage:
            cost = await throughput.on_stage(stage, size, seed=seed, say=say)
            found = {figure.key: figure.estimate.value for figure in cost.figures}
            rates = found["packets_per_s"], found["network_packets_per_s"]
            added = await latency.on_stage(stage, size, seed=seed, rates=rates, say=say)
            return [cost, added]

    return trio.run(run)
