"""A real network of processes under load: what comes back, what is lost, and that nothing is left running."""

import pytest
import trio

from mixnet.benchmarks.base.figures import flat
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.cost import latency, throughput
from mixnet.benchmarks.processes.load.drives import drive
from mixnet.benchmarks.processes.load.testbed import CLEAR, HEAVIER, HELPED, MEAN_DELAY, NODE, PATH, open_testbed
from mixnet.deploy.processes import alive, identify

pytestmark = pytest.mark.timeout(300)
LONG = 1000.0  # seconds of mean delay: nearly all are longer than any node holds


async def test_real_nodes_under_load(monkeypatch):
    monkeypatch.setitem(throughput.SECONDS, Size.QUICK, 2.2)
    monkeypatch.setitem(throughput.CONTROL_SECONDS, Size.QUICK, 1.2)
    monkeypatch.setattr(throughput, "SATURATED", 0.0)  # whatever this machine does besides
    monkeypatch.setitem(latency.SECONDS, Size.QUICK, 1.0)
    for room in (throughput, latency):
        monkeypatch.setattr(room, "_TRIAL", 0.8)
    async with open_testbed() as testbed:
        everybody = [testbed.process(name) for name in (*PATH, HEAVIER, HELPED, CLEAR)]
        while not (workers := (await testbed.read(HELPED)).workers):
            await trio.sleep(0.05)  # a node is ready before its worker is
        assert len(workers) == 1
        cost = flat([await throughput.on_testbed(testbed, Size.QUICK)])
        assert cost["relay_ratio"] > 1  # nobody peels for less than the floor
        assert cost["relay_clear_ratio"] < cost["relay_ratio"]
        assert cost["loss"] == cost["network_loss"] == cost["two_core_loss"] == 0
        assert cost["two_core_ratio"] is None or cost["two_core_ratio"] > 0  # None: hardly anything passed in its time
        assert (await testbed.read(HELPED)).workers.keys() == workers.keys()
        assert sum((await testbed.read(HELPED)).workers.values()) > sum(workers.values())  # it has peeled
        assert cost["packets_per_s_core"] > 0
        assert await testbed.dropped(PATH) == {}
        await lose_some(testbed)
        rates = (400.0, 100.0)  # far below what any machine takes
        added = flat([await latency.on_testbed(testbed, Size.QUICK, rates=rates)])
        assert added["hop_p50_ms"] > added["player_p50_ms"] > 0
        assert added["rested_floor"] > 0.5
        assert added["overhead_idle_p50_ms"] > added["player_p50_ms"]
    assert not any(alive(process) for process in everybody)
    assert not any(identify(pid) for pid in workers)


async def lose_some(testbed):
    """A node drops what is to be held too long: the loss must show, and the node must say the same."""
    await testbed.make("long", [NODE], 40, holds=1, mean=LONG)
    await testbed.make("short", [NODE], 40, holds=1, mean=MEAN_DELAY)
    monitored = await drive(testbed, "short", [NODE], 1.0, window=20)
    assert (monitored.sent, monitored.lost) == (40, 0)
    sent = await drive(testbed, "long", [NODE], 1.0, window=20)
    dropped = (await testbed.dropped([NODE]))["long_delay"]
    assert 0 < dropped <= sent.lost <= sent.sent
