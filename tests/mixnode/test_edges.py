"""Across the edges of epochs: no packet is lost, clocks may differ, and what is over is gone from the disk."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from mixnet.clock import Epochs
from mixnet.counters import Event
from mixnet.pki.descriptor import NodeRole
from mixnet.pki.document import Node
from mixnet.pki.parameters import Parameters
from mixnet.pki.topology import hop_keys
from mixnode.context import GRACE_SHARE
from mixnode.keys import KeyRing, MemoryKeys
from tests.mixnode.brisk import AT_THE_START, LENGTH, dropped, loops_astray, town_of, unread
from tests.mixnode.town import Town


class FakeDocument(NamedTuple):
    """What the choice of keys looks at."""

    epoch: int
    parameters: Parameters


LONGER = Parameters(epoch_length=20.0, node_loop_rate=0.5, downlink_rate=4.0, mean_delay=0.1)  # than clocks differ


async def test_no_packet_is_lost_in_fifty_epochs_of_constant_traffic(autojump_clock: MockClock) -> None:
    town = town_of()
    async with town.running():
        before = dropped(town)
        assert before.keys() <= AT_THE_START
        assert await unread(town, 50 * LENGTH) == 0
        assert town.trust.epochs.at(town.clock.now()) >= 50
        assert dropped(town) == before
        for member in town.members:
            assert member.count(Event.LOOPS_SENT) > 20 * LENGTH
            assert loops_astray(member) == member.count(Event.LOOPS_LOST) == 0


async def test_nodes_whose_clocks_differ_by_seconds_lose_nothing_either(autojump_clock: MockClock) -> None:
    town = town_of(parameters=LONGER)
    for member, skew in zip(town.members, (-2.5, 2.5, 0.0, -1.0), strict=True):
        member.skew = skew
    async with town.running():
        await trio.sleep(10)
        before = dropped(town)
        assert before.keys() <= AT_THE_START
        assert await unread(town, 3 * LONGER.epoch_length) == 0
        assert dropped(town) - before == {}
        assert all(loops_astray(member) == 0 for member in town.members)


async def test_with_a_clock_that_is_wrong_by_most_of_an_epoch_packets_would_be_lost(autojump_clock: MockClock) -> None:
    """Control."""
    town = town_of(parameters=LONGER)
    async with town.running() as nursery:
        await town.stop(town.mixes[1])
        town.mixes[1].skew = 18.0
        await town.start(nursery, town.mixes[1])
        assert await unread(town, 40.0) > 0
        assert "malformed_packet" in dropped(town)


async def test_keys_and_tags_that_are_over_are_gone_from_the_disk(tmp_path: Path, autojump_clock: MockClock) -> None:
    town = town_of(tmp_path)
    seen: set[bytes] = set()
    async with town.running():
        for epoch in range(1, 7):
            await trio.sleep(town.trust.epochs.start(epoch) + GRACE_SHARE * LENGTH + 1 - town.clock.now())
            for member in town.members:
                files = list((tmp_path / member.name / "keys").iterdir())
                assert {int(path.stem) for path in files} == {epoch, epoch + 1, epoch + 2}
                secrets = {path.read_bytes() for path in files if path.suffix == ".key"}
                assert len(secrets) == 3
                seen |= secrets
        everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        left = [secret for secret in seen if secret in everything]
        assert (len(seen), len(left)) == (8 * len(town.members), 3 * len(town.members))


@given(
    now=st.floats(0, 10_000),
    delays=st.lists(st.floats(0, 20), min_size=4, max_size=4),
    late=st.lists(st.floats(-0.05, 5), min_size=5, max_size=5),
    wrong=st.lists(st.floats(-10, 10), min_size=5, max_size=5),
)
def test_the_key_chosen_for_the_predicted_arrival_is_live_at_the_true_one(
    now: float, delays: list[float], late: list[float], wrong: list[float]
) -> None:
    """`late`: seconds that each link takes beyond the prediction; `wrong`: by which each node's clock is ahead."""
    epochs, grace, latency = Epochs(0.0, 100.0), 50.0, 0.05
    present = epochs.at(now)
    rings = [KeyRing(MemoryKeys(), epochs, grace) for _ in wrong]
    nodes = []
    for number, ring in enumerate(rings):
        ring.turn(now)
        keys = tuple(ring.publics(now).values())
        nodes.append(Node(bytes([number]) * 32, NodeRole.MIX, f"10.0.0.{number}:1", present, keys))
    town = Town(parameters=Parameters(epoch_length=100.0, link_latency=latency))
    document = FakeDocument(present, town.parameters)
    chosen = hop_keys(document, epochs, nodes, delays, now)  # type: ignore[arg-type]
    arrival = now
    for index, (ring, key) in enumerate(zip(rings, chosen, strict=True)):
        arrival += latency + late[index]
        there = max(now, arrival + wrong[index])
        ring.turn(there)
        assert key in {one.secret.public for one in ring.live(there)}
        arrival += delays[index] if index < len(delays) else 0.0
