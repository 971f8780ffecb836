"""The simulated network: streams that behave as Trio's do, and everything that goes wrong, in virtual time."""

import math
from functools import partial

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, check_two_way_stream

from mixnet import simulated
from mixnet.errors import Unavailable
from mixnet.network import Address
from mixnet.randomness import SeededSource
from mixnet.simulated import SEGMENT, SimulatedNetwork
from tests.mixnet.streams import CLIENT, SERVER, pair, receive_exactly


def virtual(main, *args):
    return trio.run(main, *args, clock=MockClock(autojump_threshold=0))


def uniform(rng):
    return rng.uniform(0.01, 0.2)


# --- as Trio's own streams behave


async def test_a_stream_behaves_as_trio_expects_of_every_stream(autojump_clock):
    await check_two_way_stream(
        partial(pair, SimulatedNetwork(SeededSource(1))), partial(clogged, SimulatedNetwork(SeededSource(1), window=64))
    )


async def clogged(network):
    left, right = await pair(network)
    for end in (left, right):
        with trio.move_on_after(1):
            while True:
                await end.send_all(bytes(64))
    return left, right


@given(st.lists(st.binary(min_size=1, max_size=5000), max_size=20), st.integers(1, 4096), st.integers(0, 2**32))
@settings(max_examples=40)
def test_bytes_keep_their_order_whatever_the_latency_and_the_loss(writes, step, seed):
    async def main():
        network = SimulatedNetwork(SeededSource(seed), latency=uniform, loss=0.3, window=4096)
        left, right = await pair(network)

        async def write():
            async with left:
                for data in writes:
                    await left.send_all(data)

        received = b""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            while piece := await right.receive_some(step):
                assert len(piece) <= step
                received += piece
        assert received == b"".join(writes)

    virtual(main)


async def test_a_writer_waits_for_its_reader(autojump_clock):
    network = SimulatedNetwork(SeededSource(1), window=10_000)
    left, right = await pair(network)
    written = 0

    async def write():
        nonlocal written
        for _ in range(100):
            await left.send_all(bytes(1000))
            written += 1000

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        await trio.sleep(60)
        assert written == 10_000
        await receive_exactly(right, 5000)
        await trio.sleep(60)
        assert written == 15_000
        await receive_exactly(right, 95_000)
    assert written == 100_000


async def test_what_a_closed_end_sent_still_arrives(autojump_clock):
    left, right = await pair(SimulatedNetwork(SeededSource(1)))
    await left.send_all(b"last words")
    await left.aclose()
    assert await receive_exactly(right, 10) == b"last words"
    assert await right.receive_some() == b""
    assert await right.receive_some() == b""


# --- dialling and listening


@pytest.mark.parametrize("crashed", [False, True])
@pytest.mark.parametrize("parted", [False, True])
@pytest.mark.parametrize("seed", range(20))
async def test_an_end_never_overtakes_the_bytes_before_it(autojump_clock, seed, crashed, parted):
    """A writer that learned of the end too early would close its own end, and with it lose what is still to be read."""
    network = SimulatedNetwork(SeededSource(seed), latency=uniform)
    ours, theirs = await pair(network)
    if parted:
        network.partition([SERVER.host], [CLIENT])
    await theirs.send_all(b"last words")
    if crashed:
        network.crash(SERVER.host)
    else:
        await theirs.aclose()
    if parted:
        network.heal()
    with pytest.raises(trio.BrokenResourceError):
        while True:
            await ours.send_all(b"?")
            await trio.sleep(0.001)
    known = trio.current_time()
    assert await ours.receive_some() == b"last words"
    assert trio.current_time() == known


async def test_a_dial_takes_a_round_trip(autojump_clock):
    network = SimulatedNetwork(SeededSource(1), latency=lambda _rng: 0.25)
    async with await network.listen(SERVER):
        begun = trio.current_time()
        await network.dial(SERVER)
        assert trio.current_time() - begun == pytest.approx(0.5)


async def test_where_nothing_listens_a_dial_is_refused(autojump_clock):
    network = SimulatedNetwork(SeededSource(1))
    with pytest.raises(Unavailable, match="nothing listens there"):
        await network.dial(SERVER)


async def test_an_address_in_use_is_named_with_what_to_do(autojump_clock):
    network = SimulatedNetwork(SeededSource(1))
    async with await network.listen(SERVER):
        with pytest.raises(Unavailable, match=rf"{SERVER}.*another program.*another port"):
            await network.listen(SERVER)
    async with await network.listen(SERVER):
        pass


async def test_free_ports_are_chosen_and_told(autojump_clock):
    network = SimulatedNetwork(SeededSource(1))
    async with await network.listen(Address("h", 0)) as one, await network.listen(Address("h", 0)) as other:
        assert one.address != other.address
        assert 0 not in (one.address.port, other.address.port)


async def test_too_many_unaccepted_dials_are_refused(autojump_clock, monkeypatch):
    monkeypatch.setattr(simulated, "BACKLOG", 2)
    network = SimulatedNetwork(SeededSource(1))
    async with await network.listen(SERVER):
        await network.dial(SERVER)
        await network.dial(SERVER)
        with pytest.raises(Unavailable):
            await network.dial(SERVER)


async def test_streams_that_nobody_accepts_end_with_their_listener(autojump_clock):
    network = SimulatedNetwork(SeededSource(1))
    async with await network.listen(SERVER):
        stream = await network.dial(SERVER)
    with pytest.raises(trio.BrokenResourceError):
        await stream.receive_some()


async def test_a_cancelled_dial_leaves_nothing_open(autojump_clock):
    network = SimulatedNetwork(SeededSource(1), latency=lambda _rng: 1.0)
    async with await network.listen(SERVER) as listener:
        with trio.move_on_after(1.5):
            await network.dial(SERVER)
        accepted = await listener.accept()
        assert await accepted.receive_some() == b""


# --- latency, loss, reordering


async def test_bytes_take_the_latency_of_their_direction(autojump_clock):
    network = SimulatedNetwork(SeededSource(1), latency=lambda _rng: 0.125)
    left, right = await pair(network)
    begun = trio.current_time()
    await left.send_all(b"x")
    assert await right.receive_some() == b"x"
    assert trio.current_time() - begun == pytest.approx(0.125)


async def test_streams_overtake_one_another(autojump_clock):
    network = SimulatedNetwork(SeededSource(3), latency=uniform)
    streams = [await pair(network) for _ in range(20)]
    order = []

    async def read(number, end):
        await end.receive_some()
        order.append(number)

    async with trio.open_nursery() as nursery:
        for number, (left, right) in enumerate(streams):
            await left.send_all(b"x")
            nursery.start_soon(read, number, right)
    assert sorted(order) == list(range(20))
    assert order != list(range(20))


async def arrival_times(network, *, size, count):
    left, right = await pair(network)
    times = []
    for _ in range(count):
        begun = trio.current_time()
        await left.send_all(bytes(size))
        await receive_exactly(right, size)
        times.append(trio.current_time() - begun)
    return times


async def test_a_loss_costs_the_time_of_a_retransmission(autojump_clock):
    network = SimulatedNetwork(SeededSource(1), latency=lambda _rng: 0.01)
    assert await arrival_times(network, size=SEGMENT, count=50) == pytest.approx([0.01] * 50)
    network.loss = 0.5
    times = await arrival_times(network, size=SEGMENT, count=400)
    prompt = sum(math.isclose(time, 0.01, abs_tol=1e-6) for time in times)
    once = sum(math.isclose(time, 0.21, abs_tol=1e-6) for time in times)
    assert 150 < prompt < 250  # one half of 400; ten standard deviations wide
    assert 50 < once < 150  # one quarter
    assert prompt + once < 400


async def test_longer_writes_are_lost_more_often(autojump_clock):
    network = SimulatedNetwork(SeededSource(1), latency=lambda _rng: 0.01, loss=0.05)
    short = sum(time > 0.1 for time in await arrival_times(network, size=SEGMENT, count=300))
    long = sum(time > 0.1 for time in await arrival_times(network, size=20 * SEGMENT, count=300))
    assert 0 < short < 50 < 150 < long < 300  # expected: 15 and 192


async def test_losses_do_not_shift_latencies(autojump_clock):
    def latencies(loss):
        drawn = []

        def latency(rng):
            drawn.append(rng.random())
            return drawn[-1]

        return drawn, SimulatedNetwork(SeededSource(5), latency=latency, loss=loss)

    clean, network = latencies(0.0)
    await arrival_times(network, size=100, count=20)
    lossy, network = latencies(0.5)
    await arrival_times(network, size=100, count=20)
    assert clean == lossy


async def test_the_traffic_of_one_pair_never_shifts_that_of_another(autojump_clock):
    async def times(disturbed):
        network = SimulatedNetwork(SeededSource(9), latency=uniform, loss=0.2)
        left, right = await pair(network)
        other_left, other_right = await pair(network, source="10.0.0.3")
        results = []
        for _ in range(20):
            if disturbed:
                await other_left.send_all(bytes(5000))
                await receive_exactly(other_right, 5000)
            begun = trio.current_time()
            await left.send_all(b"x")
            await right.receive_some()
            results.append(trio.current_time() - begun)
        return results

    assert await times(True) == pytest.approx(await times(False))


# --- the global observer


def trace_of(seed):
    """What the observer sees of four hosts that talk across one another."""
    trace = []

    async def main():
        network = SimulatedNetwork(SeededSource(seed), latency=uniform, loss=0.1)
        network.tap = lambda *seen: trace.append(seen)
        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(talk, network, number)

    async def talk(network, number):
        rng = SeededSource(seed).stream("talk", str(number))
        left, right = await pair(network, source=f"10.0.1.{number}", address=Address(f"10.0.2.{number}", 1))
        for _ in range(10):
            await trio.sleep(rng.expovariate(1))
            await left.send_all(bytes(rng.randrange(1, 5000)))
            await right.send_all(await right.receive_some())

    virtual(main)
    return trace


@given(st.integers(0, 2**32))
@settings(max_examples=10)
def test_one_seed_gives_one_trace(seed):
    trace = trace_of(seed)
    assert len(trace) == 80
    assert trace == trace_of(seed)


def test_other_seeds_give_other_traces():
    assert trace_of(1) != trace_of(2)


async def test_the_observer_sees_time_hosts_and_size_of_each_write(autojump_clock):
    network = SimulatedNetwork(SeededSource(1))
    left, right = await pair(network)
    seen = []
    network.tap = lambda *what: seen.append(what)
    begun = trio.current_time()
    await left.send_all(bytes(77))
    await trio.sleep(1)
    await right.send_all(bytes(5))
    assert seen == [(begun, CLIENT, SERVER.host, 77), (pytest.approx(begun + 1), SERVER.host, CLIENT, 5)]


async def test_one_direction_is_held_back_alone(autojump_clock, nursery):
    """What one side writes stays on its way until the heal; the other side's bytes and dials come through."""
    network = SimulatedNetwork(SeededSource(1), latency=lambda _rng: 0.25)
    async with await network.listen(SERVER) as listener:
        ours = await network.dial(SERVER, source=CLIENT)
        theirs = await listener.accept()
        network.hold_back([CLIENT], [SERVER.host])
        await ours.send_all(b"held")
        await theirs.send_all(b"free")
        assert await ours.receive_some() == b"free"
        with trio.move_on_after(100) as waited:
            await theirs.receive_some()
        assert waited.cancelled_caught
        network.heal()
        healed = trio.current_time()
        assert await theirs.receive_some() == b"held"
        assert trio.current_time() - healed == pytest.approx(0.25)
