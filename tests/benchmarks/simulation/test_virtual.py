"""One seed, one schedule: order, times and traces of toy actors on the simulated network."""

import contextlib
import gc
import random
import threading
import time

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from trio._core import _run as scheduler

from mixnet.benchmarks.simulation import virtual
from mixnet.benchmarks.simulation.trace import Trace
from mixnet.network import Address
from mixnet.randomness import SeededSource
from mixnet.simulated import SimulatedNetwork
from tests.benchmarks.simulation import traces


def order_of(seed, tasks=12):
    """The order in which tasks that are ready together get their turns."""

    async def main():
        order = []

        async def turn(number):
            for _ in range(3):
                await trio.lowlevel.checkpoint()
                order.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(tasks):
                nursery.start_soon(turn, number)
        return order

    return virtual.run(main, seed=seed)


def test_the_seed_decides_the_order_of_tasks():
    assert order_of(1) == order_of(1)
    assert len({tuple(order_of(seed)) for seed in range(8)}) > 1


def test_without_the_seed_the_order_is_free():
    """Control: it is the harness that makes the order repeat, not Trio."""

    def free():
        async def main():
            order = []

            async def turn(number):
                await trio.lowlevel.checkpoint()
                order.append(number)

            async with trio.open_nursery() as nursery:
                for number in range(12):
                    nursery.start_soon(turn, number)
            return tuple(order)

        return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    assert len({free() for _ in range(40)}) > 1


def test_a_run_leaves_the_scheduler_as_it_was():
    allowed, state = scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r.getstate()
    order_of(3)
    assert allowed == scheduler._ALLOW_DETERMINISTIC_SCHEDULING
    assert state == scheduler._r.getstate()


def wakings(deadlines, clock):
    async def main():
        woken = {}

        async def sleeper(deadline):
            await trio.sleep_until(deadline)
            woken[deadline] = trio.current_time()

        async with trio.open_nursery() as nursery:
            for deadline in deadlines:
                nursery.start_soon(sleeper, deadline)
        return woken

    return trio.run(main, clock=clock)


@settings(max_examples=40)
@given(st.sets(st.floats(0.001, 1e6), min_size=1, max_size=30))
def test_a_deadline_comes_at_its_time_to_the_last_bit(deadlines):
    assert all(deadline == woken for deadline, woken in wakings(deadlines, virtual.exact_clock()).items())


def test_adding_jumps_up_would_not_do():
    """Control: Trio's own jump adds differences, and so misses deadlines by a rounding."""
    rng = random.Random(1)
    pairs = [{rng.uniform(0, 1), rng.uniform(2, 9)} for _ in range(60)]
    woken = [wakings(pair, trio.testing.MockClock(autojump_threshold=0)) for pair in pairs]
    assert any(deadline != when for pair in woken for deadline, when in pair.items())


def chatter(seed, *, bystanders=0):
    """Toy clients that send on Poisson schedules to an echoing server; the trace of their links."""
    rng, trace = SeededSource(seed), Trace()
    network = SimulatedNetwork(rng.child("network"), latency=lambda stream: stream.uniform(0.01, 0.03))
    network.tap = trace.tap
    server = Address("127.0.1.1", 4000)

    async def echo(stream):
        with contextlib.suppress(trio.BrokenResourceError):  # its peer has left
            async for chunk in stream:
                await stream.send_all(chunk)

    async def client(name):
        schedule = rng.stream("client", name)
        async with await network.dial(server, source=name) as stream, trio.open_nursery() as nursery:
            nursery.start_soon(drain, stream)
            for _ in range(20):
                await trio.sleep(schedule.expovariate(1.0))
                await stream.send_all(bytes(100))
            nursery.cancel_scope.cancel()

    async def drain(stream):
        async for _ in stream:
            pass

    async def main():
        async with trio.open_nursery() as servers:
            listener = await network.listen(server)
            servers.start_soon(trio.serve_listeners, echo, [listener])
            async with trio.open_nursery() as nursery:
                for number in range(3 + bystanders):
                    nursery.start_soon(client, f"127.0.2.{number + 1}")
            servers.cancel_scope.cancel()

    virtual.run(main, seed=seed)
    return trace


def test_toy_traces_repeat_under_a_seed():
    assert len(chatter(5)) > 100
    assert chatter(5) == chatter(5)
    assert chatter(5) != chatter(6)


def test_bystanders_do_not_move_the_links_of_others():
    alone, crowded = chatter(7), chatter(7, bystanders=4)
    assert len(traces.hosts(crowded)) > len(traces.hosts(alone))
    for host in ["127.0.2.1", "127.0.2.2", "127.0.2.3"]:
        assert traces.around(alone, host) == traces.around(crowded, host)


def test_errors_of_the_program_come_out():
    async def main():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        virtual.run(main, seed=1)


def test_no_thread_runs():
    async def main():
        with trio.move_on_after(1.0) as scope:
            await trio.to_thread.run_sync(time.sleep, 0.05)
        return scope.cancelled_caught, await trio.to_thread.run_sync(threading.current_thread)

    threaded = trio.to_thread.run_sync
    assert virtual.run(main, seed=1) == (False, threading.main_thread())
    assert trio.to_thread.run_sync is threaded


def test_a_thread_by_another_way_is_refused(tmp_path):
    async def main():
        await trio.Path(tmp_path / "file").write_bytes(b"x")

    with pytest.raises(virtual.Thread):
        virtual.run(main, seed=1)


def test_cycles_are_collected_as_before_after_a_run():
    async def main():
        return gc.get_threshold()

    before = gc.get_threshold()
    assert virtual.run(main, seed=1) > before
    assert gc.get_threshold() == before


def test_with_a_thread_the_clock_would_jump():
    """Control: the same wait under Trio's own thread runs into a time-out that no real process would see."""

    async def main():
        with trio.move_on_after(1.0) as scope:
            await trio.to_thread.run_sync(time.sleep, 0.05, abandon_on_cancel=True)
        return scope.cancelled_caught

    assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
