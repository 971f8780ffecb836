"""What was sent and what came back: each packet counts once, whatever a node does to it."""

import random

import pytest

from mixnet.benchmarks.processes.load.ledger import PacketLedger
from mixnet.benchmarks.processes.load.packets import Stock
from mixnet.link import Frame


def stock_of(count: int) -> Stock:
    stock = Stock()
    for _ in range(count):
        stock.add_clear(bytes(32), 0.05, random.Random(1))
    return stock


def packets(frames: list[bytes]) -> list[bytes]:
    return [Frame.decode_untrusted(frame).body for frame in frames]


def test_overhead_is_the_way_without_the_delay():
    stock = stock_of(3)
    ledger = PacketLedger(stock)
    one, two, three = packets(ledger.send(3, now=10.0))
    ledger.came_untrusted(two, 10.0 + stock.delays[1] + 0.002)
    ledger.came_untrusted(one, 10.0 + stock.delays[0] + 0.001)
    report = ledger.report(since=0)
    assert (ledger.sent, ledger.returned, ledger.under_way) == (3, 2, 1)
    assert report["overheads"] == pytest.approx([0.001, 0.002])
    assert report["delays"] == pytest.approx(list(stock.delays)[:2])
    ledger.came_untrusted(three, 11.0)
    assert ledger.under_way == 0


def test_what_comes_twice_or_unasked_for_is_not_delivered():
    stock = stock_of(2)
    ledger = PacketLedger(stock)
    (packet,) = packets(ledger.send(1, now=0.0))
    ledger.came_untrusted(packet, 1.0)
    ledger.came_untrusted(packet, 2.0)
    ledger.came_untrusted(packets(stock_of(1).take(1))[0], 2.0)
    assert (ledger.returned, ledger.doubled, ledger.strange, ledger.sent) == (1, 1, 1, 1)
    assert ledger.report(since=0)["overheads"] == pytest.approx([1.0 - stock.delays[0]])


def test_a_drive_counts_only_its_own():
    stock = stock_of(2)
    (early,) = packets(PacketLedger(stock).send(1, now=0.0))
    ledger = PacketLedger(stock)
    (own,) = packets(ledger.send(5, now=5.0))
    ledger.came_untrusted(early, 6.0)
    ledger.came_untrusted(own, 6.0)
    assert (ledger.sent, ledger.returned, ledger.strange) == (1, 1, 1)


def test_a_spoilt_body_is_noticed():
    stock = Stock()
    stock.add_clear(bytes(32), 0.0, random.Random(1))
    stock._whole[0] = stock.body
    ledger = PacketLedger(stock)
    (packet,) = packets(ledger.send(1, now=0.0))
    ledger.came_untrusted(packet[:-1] + b"?", 1.0)
    assert ledger.spoilt == 1


def test_times_of_the_first_moments_are_not_reported_but_counted():
    stock = stock_of(2)
    ledger = PacketLedger(stock)
    for now in (1.0, 2.0):
        (packet,) = packets(ledger.send(1, now=now))
        ledger.came_untrusted(packet, now + 1)
    report = ledger.report(since=1.5)
    assert (report["sent"], report["returned"]) == (2, 2)
    assert len(report["overheads"]) == len(report["delays"]) == 1
