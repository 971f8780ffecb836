"""Packets of a load: genuine for every node on their way, and known again by whoever made them."""

import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.benchmarks.processes.load.altered_nodes import LATE, ClearEngine, HeavierEngine
from mixnet.benchmarks.processes.load.packets import WHOLE_EVERY, Stock, Way, even, mark_untrusted
from mixnet.crypto import SphinxSecret
from mixnet.errors import RemoteError
from mixnet.link import Frame
from mixnet.sphinx import Forward, SphinxEngine

ENGINE = SphinxEngine()
MEAN = 0.05


def way_of(secrets: list[SphinxSecret], holds: int) -> tuple[Way, list[bytes]]:
    following = [os.urandom(32) for _ in secrets]
    return Way(tuple(one.public for one in secrets), tuple(following), holds, MEAN), following


def sent(stock: Stock) -> list[bytes]:
    """The packets of all frames that are left."""
    return [Frame.decode_untrusted(frame).body for frame in stock.take(len(stock))]


@settings(deadline=None, max_examples=10)
@given(hops=st.integers(1, 5), holds=st.integers(0, 5))
def test_every_hop_peels_it_and_the_sender_knows_it_again(hops, holds):
    secrets = [SphinxSecret.generate() for _ in range(hops)]
    way, following = way_of(secrets, min(holds, hops))
    stock = Stock()
    for _ in range(3):
        stock.add(way, random.Random(1))
    tags = set()
    for number, packet in enumerate(sent(stock)):
        delays = []
        left = packet
        for secret, target in zip(secrets, following, strict=True):
            peeled = ENGINE.peel_untrusted(secret, left)
            assert isinstance(peeled, Forward)
            assert peeled.next_hop == target
            delays.append(peeled.delay)
            tags.add(peeled.tag)
            left = peeled.packet
        assert stock.number_untrusted(left) == number
        assert mark_untrusted(left) == stock.mark
        assert sum(delays) == pytest.approx(stock.delays[number])
        assert all(delay == 0 for delay in delays[way.holds :])
        assert all(delay > 0 for delay in delays[: way.holds])
        assert not stock.spoilt(number, left)
    assert len(tags) == 3 * hops


def test_one_in_many_shows_what_became_of_its_body():
    secret = SphinxSecret.generate()
    stock = Stock()
    for _ in range(WHOLE_EVERY + 1):
        stock.add(way_of([secret], 1)[0], random.Random(1))
    packets = sent(stock)
    for number in (0, WHOLE_EVERY):
        out = ENGINE.peel_untrusted(secret, packets[number]).packet
        assert out.endswith(stock.body)
        assert not stock.spoilt(number, out)
        assert stock.spoilt(number, out[:-1] + bytes([out[-1] ^ 1]))
    assert not packets[1].endswith(ENGINE.peel_untrusted(secret, packets[1]).packet[-100:])


def test_a_stock_gives_each_packet_once_and_knows_no_other():
    stock, other = Stock(), Stock()
    for _ in range(5):
        stock.add_clear(bytes(32), MEAN, random.Random(1))
        other.add_clear(bytes(32), MEAN, random.Random(1))
    first = [Frame.decode_untrusted(frame).body for frame in stock.take(2)]
    assert (len(stock), stock.taken) == (3, 2)
    later = sent(stock)
    assert [stock.number_untrusted(packet) for packet in first + later] == [0, 1, 2, 3, 4]
    assert stock.take(9) == []
    assert {stock.number_untrusted(packet) for packet in sent(other)} == {None}


def test_a_packet_that_was_not_taken_yet_is_nobodys():
    stock = Stock()
    for _ in range(2):
        stock.add_clear(bytes(32), 0.0, random.Random(1))
    packet = Frame.decode_untrusted(stock.take(1)[0]).body
    forged = packet[:340] + (1).to_bytes(8, "big") + packet[348:]
    assert stock.number_untrusted(packet) == 0
    assert stock.number_untrusted(forged) is None


def test_a_node_without_cryptography_reads_where_it_goes():
    stock, target = Stock(), os.urandom(32)
    for _ in range(3):
        stock.add_clear(target, MEAN, random.Random(1))
    peeled = [ClearEngine().peel_untrusted(SphinxSecret.generate(), packet) for packet in sent(stock)]
    assert {one.next_hop for one in peeled} == {target}
    assert [one.delay for one in peeled] == pytest.approx(list(stock.delays))
    assert len({one.tag for one in peeled}) == 3
    assert [stock.number_untrusted(one.packet) for one in peeled] == [0, 1, 2]


def test_a_heavier_node_does_two_multiplications_more_and_is_late(monkeypatch):
    done = []
    monkeypatch.setattr(
        "mixnet.benchmarks.processes.load.altered_nodes.x25519", lambda scalar, point: done.append((scalar, point))
    )
    secret = SphinxSecret.generate()
    stock = Stock()
    stock.add(way_of([secret], 1)[0], random.Random(1))
    (packet,) = sent(stock)
    plain, heavier = ENGINE.peel_untrusted(secret, packet), HeavierEngine().peel_untrusted(secret, packet)
    assert len(done) == 2
    assert (heavier.packet, heavier.next_hop, heavier.tag) == (plain.packet, plain.next_hop, plain.tag)
    assert heavier.delay == pytest.approx(plain.delay + LATE)
    with pytest.raises(RemoteError):
        HeavierEngine().peel_untrusted(SphinxSecret.generate(), packet)


@given(count=st.integers(0, 1000), most=st.integers(1, 100))
def test_even_positions(count, most):
    places = list(even(count, most))
    assert len(places) <= most
    assert places == sorted(set(places))
    assert all(place < count for place in places)
    assert bool(places) == bool(count)
