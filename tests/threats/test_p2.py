"""P2, linkability: what goes into a node and what comes out of it can't be told to belong together by their bytes.

Here: no two appearances of a packet share a piece of eight bytes, every one has the same size, delays are memoryless,
and a packet that was seen before is refused. (Timing over whole links is measured, not asserted: docs/measuring.md.)
"""

import itertools
import math
import os
import random

import pytest
import trio

from mixnet.benchmarks.attacks.adversary import document, visit
from mixnet.benchmarks.simulation.network_plan import ActorKind
from mixnet.benchmarks.simulation.world import WorldConfig, run_world
from mixnet.counters import Dropped, Event
from mixnet.crypto import SigningKey, SphinxSecret
from mixnet.link import Frame, FrameKind, Role
from mixnet.pki.topology import sample_delays
from mixnet.sphinx import GEOMETRY, Command, Deliver, Forward, Hop, Kind, SphinxEngine
from mixnode import seal
from mixnode.replay import TagFile
from tests.threats.evidence import kolmogorov_smirnov, pieces
from tests.threats.stage import packet_for

ENGINE = SphinxEngine()
KS_LIMIT = 2.5  # by chance less than one run in a hundred thousand, and these runs have seeds
SECRETS = [SphinxSecret.generate() for _ in range(6)]
HOPS = [Hop(secret.public, Command(Kind.FORWARD, os.urandom(32), 1000)) for secret in SECRETS[:-1]]
HOPS.append(Hop(SECRETS[-1].public, Command(Kind.DELIVER)))


def appearances(packet):
    """The packet as it is on each of the six links of its way."""
    seen = [packet]
    for secret in SECRETS:
        peeled = ENGINE.peel_untrusted(secret, seen[-1])
        if isinstance(peeled, Forward):
            seen.append(peeled.packet)
    assert isinstance(peeled, Deliver)
    return seen


def shared(packets):
    """Pieces of eight bytes that two of the packets have in common."""
    found = [pieces(packet) for packet in packets]
    return [piece for i, one in enumerate(found) for other in found[:i] for piece in one & other]


@pytest.mark.parametrize("message", [b"", b"a" * 1000, bytes(GEOMETRY.message_size)], ids=["empty", "text", "zeros"])
def test_no_two_links_show_a_common_piece(message):
    seen = appearances(ENGINE.create(HOPS, message, seed=os.urandom(32)))
    assert [len(packet) for packet in seen] == [GEOMETRY.packet_size] * 6
    assert not shared(seen)


def test_packets_with_one_route_and_one_message_have_nothing_in_common():
    packets = [ENGINE.create(HOPS, b"the same", seed=os.urandom(32)) for _ in range(5)]
    assert not shared([seen for packet in packets for seen in appearances(packet)])


def test_a_body_that_is_passed_on_as_it_is_would_show():
    """Control: a network that renews headers only."""
    seen = appearances(ENGINE.create(HOPS, b"hello", seed=os.urandom(32)))
    body = seen[0][GEOMETRY.header_size :]
    assert shared([packet[: GEOMETRY.header_size] + body for packet in seen])


def test_replies_look_like_all_other_packets():
    reply_hops = [*HOPS[:-1], Hop(SECRETS[-1].public, Command(Kind.REPLY, os.urandom(32)))]
    surb, _ = ENGINE.create_surb(os.urandom(32), reply_hops, seed=os.urandom(64))
    seen = [ENGINE.use_surb(surb, b"")]
    for secret in SECRETS[:-1]:
        seen.append(ENGINE.peel_untrusted(secret, seen[-1]).packet)
    assert {len(packet) for packet in seen} == {GEOMETRY.packet_size}
    assert not shared(seen)


def replayed(*, kill, disks):
    """(delivered before, refused and delivered after) a packet is sent to a provider three more times."""
    results = []

    async def program(world):
        await trio.sleep(30)
        mix, mailbox = world.plan.identity(world.plan.of(ActorKind.MIX)[0]), SigningKey(b"a" * 32)
        await visit(world, "provider-1", mailbox, Role.CLIENT)
        provider = next(one for one in (await document(world)).providers if one.address.startswith("provider-1"))
        packet = Frame(FrameKind.PACKET, packet_for(provider, 0, Kind.DELIVER_MAILBOX, mailbox.public))
        await visit(world, "provider-1", mix, Role.NODE, [packet])
        results.append(world.nodes["provider-1"].counters[Event.PACKETS_STORED])
        if kill:
            world.crash("provider-1")
            await world.restart("provider-1")
            await trio.sleep(30)
            await visit(world, "provider-1", mailbox, Role.CLIENT)
        before = world.nodes["provider-1"].counters[Event.PACKETS_STORED]
        for _ in range(3):
            await visit(world, "provider-1", mix, Role.NODE, [packet])
        counters = world.nodes["provider-1"].counters
        results.append(counters[Dropped.REPLAYED] + counters[Dropped.MALFORMED_PACKET])
        results.append(counters[Event.PACKETS_STORED] - before)

    run_world(program, WorldConfig(seed=11, clients=0, disks=disks))
    return tuple(results)


@pytest.mark.parametrize("kill", [False, True], ids=["at once", "after kill -9"])
def test_a_replayed_packet_is_refused(kill):
    assert replayed(kill=kill, disks=True) == (1, 3, 0)


def test_without_the_memory_of_tags_it_would_be_accepted(monkeypatch):
    """Control: a node that keeps its keys and forgets what it has seen."""
    monkeypatch.setattr(TagFile, "load", lambda self: b"")
    assert replayed(kill=True, disks=True) == (1, 2, 1)


def test_after_a_power_cut_that_lost_all_tags_it_is_refused(monkeypatch):
    """The same node as in the control, but the kernel says that it was started anew: the key is retired."""
    boots = (f"boot {number}" for number in itertools.count())
    monkeypatch.setattr(TagFile, "load", lambda self: b"")
    monkeypatch.setattr(seal, "this_boot", lambda: next(boots))
    before, refused, after = replayed(kill=True, disks=True)
    assert (before, after) == (1, 0)
    assert refused >= 3  # with it, what others had sent for the old key


def exponential(mean):
    return lambda value: 1 - math.exp(-value / mean)


def test_delays_are_memoryless():
    delays = sample_delays(random.Random(1), 0.5, 20_000)
    assert kolmogorov_smirnov(delays, exponential(0.5)) < KS_LIMIT
    late = [delay - 0.5 for delay in delays if delay > 0.5]
    assert len(late) > 5000
    assert kolmogorov_smirnov(late, exponential(0.5)) < KS_LIMIT  # who has waited knows nothing new


def test_another_distribution_of_delays_would_show():
    """Control: uniform delays of the same mean."""
    rng = random.Random(2)
    assert kolmogorov_smirnov([rng.uniform(0, 1) for _ in range(20_000)], exponential(0.5)) > KS_LIMIT
