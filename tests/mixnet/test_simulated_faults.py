"""Partitions and crashes of the simulated network, in virtual time."""

from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from mixnet.errors import Unavailable
from mixnet.network import DIAL_TIMEOUT
from mixnet.randomness import SeededSource
from mixnet.simulated import SimulatedNetwork
from tests.mixnet.streams import CLIENT, SERVER, pair, receive_exactly

# --- partitions


async def test_a_partition_holds_bytes_until_it_heals(autojump_clock):
    network = SimulatedNetwork(SeededSource(1), latency=lambda _rng: 0.5)
    left, right = await pair(network)
    await left.send_all(b"under way ")
    network.partition([CLIENT], [SERVER.host])
    await left.send_all(b"held ")
    await left.send_all(b"up")
    await left.aclose()
    assert await right.receive_some() == b"under way "
    with trio.move_on_after(1000) as scope:
        await right.receive_some()
    assert scope.cancelled_caught
    healed = trio.current_time()
    network.heal()
    assert await receive_exactly(right, 7) == b"held up"
    assert await right.receive_some() == b""
    assert trio.current_time() - healed == pytest.approx(0.5)


async def test_a_heal_wakes_a_reader_that_waits(autojump_clock):
    network = SimulatedNetwork(SeededSource(1))
    left, right = await pair(network)
    network.partition([SERVER.host], [CLIENT])
    await left.send_all(b"x")
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def heal_later():
            await trio.sleep(100)
            network.heal()

        assert await right.receive_some() == b"x"
    assert trio.current_time() > 100


async def test_a_partition_cuts_only_the_hosts_it_names(autojump_clock):
    network = SimulatedNetwork(SeededSource(1))
    left, right = await pair(network, source="10.0.0.3")
    network.partition([CLIENT], [SERVER.host])
    await left.send_all(b"x")
    assert await right.receive_some() == b"x"


async def test_a_dial_into_a_partition_waits_for_its_end_but_not_forever(autojump_clock):
    network = SimulatedNetwork(SeededSource(1))
    async with await network.listen(SERVER):
        network.partition([CLIENT], [SERVER.host])
        begun = trio.current_time()
        with pytest.raises(Unavailable, match="does not answer"):
            await network.dial(SERVER, source=CLIENT)
        assert trio.current_time() - begun == pytest.approx(DIAL_TIMEOUT)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(network.dial, SERVER, source=CLIENT))
            await trio.sleep(5)
            network.heal()


async def test_a_partition_does_not_unbound_what_is_under_way(autojump_clock):
    network = SimulatedNetwork(SeededSource(1), window=1000)
    left, _right = await pair(network)
    network.partition([CLIENT], [SERVER.host])
    await left.send_all(bytes(1000))
    with trio.move_on_after(100) as scope:
        await left.send_all(b"x")
    assert scope.cancelled_caught


# --- crashes


async def test_a_crash_ends_streams_on_both_sides(autojump_clock):
    network = SimulatedNetwork(SeededSource(1), latency=lambda _rng: 0.5)
    left, right = await pair(network)
    await right.send_all(b"sent before")
    network.crash(SERVER.host)
    for use in (right.receive_some, partial(right.send_all, b"x")):
        with pytest.raises(trio.BrokenResourceError):
            await use()
    await left.send_all(b"nobody knows yet")
    assert await left.receive_some() == b"sent before"
    for use in (left.receive_some, partial(left.send_all, b"x")):
        with pytest.raises(trio.BrokenResourceError):
            await use()


async def test_a_crash_wakes_a_writer_that_waits(autojump_clock):
    network = SimulatedNetwork(SeededSource(1), window=10)
    left, _right = await pair(network)
    await left.send_all(bytes(10))
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def write():
            with pytest.raises(trio.BrokenResourceError):
                await left.send_all(b"x")

        await wait_all_tasks_blocked()
        network.crash(SERVER.host)


async def test_a_crash_ends_listeners_and_the_host_may_start_anew(autojump_clock):
    network = SimulatedNetwork(SeededSource(1))
    listener = await network.listen(SERVER)
    network.crash(SERVER.host)
    with trio.move_on_after(100) as scope:
        await listener.accept()
    assert scope.cancelled_caught
    with pytest.raises(Unavailable):
        await network.dial(SERVER)
    await pair(network)


async def test_whoever_is_cancelled_with_its_host_ends_without_an_error(autojump_clock):
    network = SimulatedNetwork(SeededSource(1))
    async with trio.open_nursery() as nursery, await network.listen(SERVER) as listener:
        nursery.start_soon(listener.accept)
        await wait_all_tasks_blocked()
        network.crash(SERVER.host)
        nursery.cancel_scope.cancel()


async def test_who_closes_a_listener_under_an_accept_is_told(autojump_clock):
    network = SimulatedNetwork(SeededSource(1))
    listener = await network.listen(SERVER)
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def accept():
            with pytest.raises(trio.ClosedResourceError):
                await listener.accept()

        await wait_all_tasks_blocked()
        await listener.aclose()


async def test_who_was_killed_takes_nothing_from_the_one_who_listens_after_it(autojump_clock):
    network = SimulatedNetwork(SeededSource(1))
    killed = await network.listen(SERVER)
    network.crash(SERVER.host)
    async with await network.listen(SERVER) as listener:
        await killed.aclose()  # its task is cancelled later than the next one begins
        stream = await network.dial(SERVER, source=CLIENT)
        await stream.send_all(b"anew")
        assert await (await listener.accept()).receive_some() == b"anew"


async def test_a_crash_behind_a_partition_is_learned_after_the_heal(autojump_clock):
    network = SimulatedNetwork(SeededSource(1))
    left, _right = await pair(network)
    network.partition([CLIENT], [SERVER.host])
    network.crash(SERVER.host)
    with trio.move_on_after(100) as scope:
        await left.receive_some()
    assert scope.cancelled_caught
    network.heal()
    with pytest.raises(trio.BrokenResourceError):
        await left.receive_some()


async def test_a_crash_of_one_host_spares_the_others(autojump_clock):
    network = SimulatedNetwork(SeededSource(1))
    left, right = await pair(network)
    network.crash("10.0.0.3")
    await left.send_all(b"x")
    assert await right.receive_some() == b"x"
