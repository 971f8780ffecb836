"""Latency and throughput on one network of real processes, for a report.

See spec/13-measurements.md 13.8.

Promises: the same figures as each of them alone, for the price of starting one network.
"""

from __future__ import annotations

from mixnet.benchmarks.base.figures import Finding
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.cost import latency, throughput
from mixnet.benchmarks.processes.load.testbed import Say, Testbed, perform, quiet


def measure(size: Size, *, seed: int = 1, say: Say = quiet) -> list[Finding]:
    """What throughput and latency found, in this order."""

    async def both(testbed: Testbed) -> list[Finding]:
        cost = await throughput.on_testbed(testbed, size, seed=seed, say=say)
        found = {figure.key: figure.estimate.value for figure in cost.figures}
        rates = found["packets_per_s"], found["network_packets_per_s"]
        return [cost, await latency.on_testbed(testbed, size, seed=seed, rates=rates, say=say)]

    return perform(both, say)
