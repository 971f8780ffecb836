"""A real provider with real clients from another process, on a small scale: what is planted is found."""

import pytest

from mixnet.benchmarks.base.figures import Role, flat
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.cost.scaling import provider
from mixnet.benchmarks.processes.load.testbed import open_testbed
from mixnet.deploy.processes import alive

pytestmark = pytest.mark.timeout(300)


async def test_a_real_provider_and_its_controls(monkeypatch):
    # The slope is taken from what is planted: over fewer clients, a heap that grows by itself makes half of it.
    monkeypatch.setitem(provider.LEVELS, Size.QUICK, (5, 25, 45, 65))
    monkeypatch.setitem(provider.SECONDS, Size.QUICK, 0.6)
    async with open_testbed(setup=provider.setup(Size.QUICK)) as testbed:
        nodes = [testbed.process(name) for name in (provider.PROVIDER, provider.COUNTED, provider.HOARDING)]
        finding = await provider.on_testbed(testbed, Size.QUICK)
        figures = flat([finding])
        assert (await testbed.figures(provider.PROVIDER))["dropped"] == {}
    assert figures["provider_client_kb"] > 10
    assert figures["provider_frame_ratio"] > 1  # a frame in two is peeled
    # One more where the log was emptied just before: the header of a new log is synchronised by itself.
    assert 1 <= figures["provider_syncs_batch"] < 1.15
    assert 0 < figures["provider_syncs_packet"] <= 1
    assert [control for control in finding.controls if control.role is Role.POSITIVE and not control.passed] == []
    assert not any(alive(process) for process in nodes)
