"""Each link's part of a busy node: who sends too much loses its own packets, and nobody else's."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from mixnet.bucket import TokenBuckets
from mixnet.counters import Counters, Dropped
from mixnet.link import Role
from mixnet.pki.parameters import Parameters
from mixnode.arrival import LEAST, ROOM, SHARE, ArrivalQueue, Arrived, Sender
from mixnode.clients import GARBAGE, allowance
from mixnode.queues import BATCH, DropQueue

CAPACITY = 1800.0  # packets that the node peels in a second
RATED, HOSTILE = 34.0, 51.0  # packets a second: what the rates are, and what a bucket lets through
FLOODS, CLIENTS, NODES = 36, 10, 3


def packets(sender: Sender, number: int) -> list[Arrived]:
    return [Arrived(bytes(2), 0.0, sender)] * number


async def poisson(queue: ArrivalQueue | DropQueue[Arrived], sender: Sender, rate: float, rng: random.Random) -> None:
    while True:
        await trio.sleep(rng.expovariate(rate))
        queue.put(packets(sender, 1))


async def bursts(queue: ArrivalQueue | DropQueue[Arrived], sender: Sender, rate: float, rng: random.Random) -> None:
    """All that the bucket gives, in as large bursts as there are."""
    await trio.sleep(rng.random())
    while True:
        queue.put(packets(sender, int(rate)))
        await trio.sleep(1.0)


async def overloaded(queue: ArrivalQueue | DropQueue[Arrived], rate: float) -> tuple[list[float], list[float]]:
    """What honest clients and nodes, who keep to the rates, lose: shares of their packets."""
    clients = [Sender(Role.CLIENT) for _ in range(CLIENTS)]
    nodes = [Sender(Role.NODE) for _ in range(NODES)]
    sent, refused = Counter[Sender](), Counter[Sender]()

    async def count(sender: Sender, rate: float, rng: random.Random) -> None:
        while True:
            await trio.sleep(rng.expovariate(rate))
            sent[sender] += 1
            refused[sender] += 1 - queue.put(packets(sender, 1))

    async with trio.open_nursery() as nursery:
        for number in range(FLOODS):
            nursery.start_soon(bursts, queue, Sender(Role.CLIENT), rate, random.Random(number))
        for number, sender in enumerate([*clients, *nodes]):
            rng = random.Random(1000 + number)
            nursery.start_soon(count, sender, RATED if sender in clients else 100.0, rng)
        with trio.move_on_after(30):
            while True:
                batch = await queue.take()
                await trio.sleep(len(batch) / CAPACITY)
        nursery.cancel_scope.cancel()

    return [refused[one] / sent[one] for one in clients], [refused[one] / sent[one] for one in nodes]


@pytest.mark.parametrize("rate", [HOSTILE, 10 * HOSTILE])
async def test_rated_clients_and_nodes_lose_nothing_while_36_links_send_what_they_can(
    autojump_clock: MockClock, rate: float
) -> None:
    clients, nodes = await overloaded(ArrivalQueue(Counters()), rate)
    assert max(clients) == 0
    assert max(nodes) == 0


async def test_in_one_queue_for_all_they_lose(autojump_clock: MockClock) -> None:
    """Control: first come, first served."""
    queue: DropQueue[Arrived] = DropQueue(1024, Counters(), Dropped.PEEL_FULL)
    clients, nodes = await overloaded(queue, 2 * HOSTILE)
    assert min(clients) > 0.05
    assert min(nodes) > 0.05


PUTS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 300), st.integers(0, 3)), max_size=60)


@given(PUTS)
def test_of_each_link_no_more_than_its_share_waits_and_all_of_it_comes_out_in_order(
    puts: list[tuple[int, int, int]],
) -> None:
    async def main() -> None:
        counters = Counters()
        queue = ArrivalQueue(counters)
        senders = [Sender(Role.NODE if number % 3 else Role.CLIENT) for number in range(31)]
        offered, admitted, taken = Counter[Sender](), dict[Sender, list[bytes]](), list[Arrived]()
        for which, number, takes in puts:
            sender = senders[which]
            items = [Arrived((offered[sender] + n).to_bytes(3), 0.0, sender) for n in range(number)]
            came = queue.put(items)
            offered[sender] += number
            admitted.setdefault(sender, []).extend(one.packet for one in items[:came])
            waiting = Counter(one for one, packets in admitted.items() for _ in packets)
            waiting.subtract(one.sender for one in taken)
            assert max(waiting.values()) <= SHARE
            assert waiting.total() == len(queue) <= 2 * (ROOM * 8 + LEAST * len(senders))
            for _ in range(takes):
                if len(queue):
                    batch = await queue.take()
                    assert 1 <= len(batch) <= BATCH
                    taken += batch
        while len(queue):
            taken += await queue.take()
        assert {one: [found.packet for found in taken if found.sender is one] for one in admitted} == admitted
        assert len(taken) + counters[Dropped.PEEL_FULL] == offered.total()

    trio.run(main)


async def test_links_take_turns_and_nodes_have_three_quarters_of_a_full_batch() -> None:
    queue = ArrivalQueue(Counters())
    flood, other, node = Sender(Role.CLIENT), Sender(Role.CLIENT), Sender(Role.NODE)
    for sender, number in ((flood, 200), (other, 6), (node, 200)):
        queue.put(packets(sender, number))
    first, second = Counter(one.sender for one in await queue.take()), Counter(one.sender for one in await queue.take())
    assert (first[node], first[flood], first[other]) == (24, 4, 4)
    assert (second[node], second[flood], second[other]) == (24, 6, 2)


def test_who_connects_again_has_the_same_allowance() -> None:
    allowances: TokenBuckets[bytes] = TokenBuckets(51.0, 60.0, 0.0)
    passed = sum(allowances.take(b"me", 200, 0.1 * number) for number in range(100))  # each time on a new link
    assert passed <= 60 + 51 * 10
    assert allowances.take(b"other", 200, 10.0) == 60


@pytest.mark.parametrize("rates", [Parameters(), Parameters(payload_rate=3.0, loop_rate=0.0, drop_rate=0.2)])
def test_a_client_loses_nothing_by_reply_blocks_that_no_key_opens(rates: Parameters) -> None:
    buckets, rng, now = TokenBuckets[bytes](*allowance(rates), 0.0), random.Random(1), 0.0
    for _ in range(20_000):  # every packet of its schedules is one that a contact's reply block spoiled
        now += rng.expovariate(rates.send_rate)
        assert buckets.take(b"me", 1, now) == 1
        buckets.charge(b"me", GARBAGE - 1)


def test_garbage_is_paid_for_and_the_debt_is_bounded() -> None:
    allowances: TokenBuckets[bytes] = TokenBuckets(50.0, 50.0, 0.0)
    passed = 0
    for tick in range(1000):
        came = allowances.take(b"garbage", 50, tick / 10)
        allowances.charge(b"garbage", 3 * came)
        passed += came
    assert passed <= 50 + 100 * 50 / 4 + 50
    assert allowances.take(b"garbage", 1, 100.0 + 3.0) == 1


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(0, 20), st.integers(0, 30)), max_size=100))
def test_a_table_of_buckets_gives_nobody_more_and_forgets_only_full_ones(steps: list[tuple[float, int, int]]) -> None:
    table: TokenBuckets[int] = TokenBuckets(5.0, 20.0, 0.0, most=8)
    now, passed = 0.0, dict[int, list[tuple[float, int]]]()
    for pause, owner, wanted in steps:
        now += pause
        passed.setdefault(owner, []).append((now, table.take(owner, wanted, now)))
        assert len(table) <= 8
    for taken in passed.values():
        for index, (begun, _) in enumerate(taken):
            for end in range(index, len(taken)):
                # Twice the burst for one whose bucket was full, or that had to share one before.
                assert sum(n for _, n in taken[index : end + 1]) <= 2 * 20 + 2 * 5 * (taken[end][0] - begun) + 1e-6
