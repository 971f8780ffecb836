"""Authorities as actors: they agree, whoever of a minority is missing, and recover from everything."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from mixnet.clock import WallClock
from mixnet.counters import Counters, Dropped
from mixnet.directory.authority import Authority, serve
from mixnet.directory.requests import UPLOADS, UPLOADS_AT_ONCE
from mixnet.directory.schedule import late
from mixnet.errors import LocalError, RemoteError, Unavailable
from mixnet.link import Role, ask, connect
from mixnet.network import TCP, Address
from mixnet.pki.document import Document, parse_untrusted
from mixnet.pki.errors import NoDocument
from mixnet.pki.fetch import Caller
from mixnet.pki.requests import AskStep, encode
from mixnet.randomness import SeededSource
from tests.directory.authority_world import AuthorityWorld
from tests.directory.builders import authority_config
from tests.mixnet.pki.builders import Town, key

TOWN = Town()
EVERYBODY = tuple(TOWN.nodes)


def signatures(raw: bytes) -> int:
    return len(parse_untrusted(raw)[1])


def identities(document: Document) -> set[bytes]:
    return {node.identity for node in document.nodes}


async def test_three_agree_as_soon_as_the_last_node_is_there(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    world = AuthorityWorld(TOWN, nursery)
    await world.start(0, 1, 2)
    world.enter(*EVERYBODY[:-1])
    await trio.sleep(2)
    world.enter(EVERYBODY[-1])
    await world.fetch_when_ready()
    assert world.elapsed < 4
    given = [await world.fetch_from(number) for number in range(3)]
    assert {document.digest for document, _ in given} == {given[0][0].digest}
    assert [signatures(raw) for _, raw in given] == [3, 3, 3]
    assert identities(given[0][0]) == set(TOWN.approved)


async def test_two_agree_without_the_third(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    world = AuthorityWorld(TOWN, nursery)
    await world.start(0, 2)
    world.enter(*EVERYBODY)
    await world.fetch_when_ready()
    (one, raw), (other, _) = [await world.fetch_from(number) for number in (0, 2)]
    assert one == other
    assert signatures(raw) == 2
    assert identities(one) == set(TOWN.approved)


@pytest.mark.parametrize("moment", [0.02, 0.1, 0.16, 0.18, 0.2, 0.22, 0.24, 0.26])
async def test_two_agree_whenever_the_third_crashes(
    autojump_clock: MockClock, nursery: trio.Nursery, moment: float
) -> None:
    world = AuthorityWorld(TOWN, nursery)
    await world.start(0, 1, 2)
    world.enter(*EVERYBODY)
    await trio.sleep(moment)
    await world.crash(1)
    await world.fetch_when_ready()
    await trio.sleep(40)
    (one, _), (other, _) = [await world.fetch_from(number) for number in (0, 2)]
    assert one == other


async def test_one_alone_agrees_with_nobody(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    world = AuthorityWorld(TOWN, nursery)
    await world.start(0)
    world.enter(*EVERYBODY)
    await trio.sleep(300)
    with pytest.raises(NoDocument):
        await world.fetch()


async def test_a_late_one_catches_up(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    world = AuthorityWorld(TOWN, nursery)
    await world.start(0, 1)
    world.enter(*EVERYBODY)
    document, _ = await world.fetch_when_ready()
    await world.start(2)
    await trio.sleep(10)
    assert (await world.fetch_from(2))[0] == document


async def test_documents_follow_one_another_in_time(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    world = AuthorityWorld(TOWN, nursery)
    await world.start(0, 1, 2)
    world.enter(*EVERYBODY)
    previous, _ = await world.fetch_when_ready()
    for epoch in range(1, 6):
        await trio.sleep(TOWN.bootstrap.epochs.start(epoch) - world.clock.now() - 0.1 * TOWN.epoch_length)
        document, raw = await world.fetch(epoch=epoch)
        assert (document.epoch, document.previous, signatures(raw)) == (epoch, previous.digest, 3)
        assert document.randomness != previous.randomness
        for node in document.nodes:
            assert document.layer_of(node.identity) == previous.layer_of(node.identity)
        previous = document


async def test_short_epochs_work(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    town = Town(epoch_length=10.0)
    world = AuthorityWorld(town, nursery)
    await world.start(0, 1, 2)
    world.enter(*town.nodes)
    await trio.sleep(95)
    document, raw = await world.fetch()
    assert (document.epoch, signatures(raw)) == (9, 3)


async def test_only_approved_nodes_are_in(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    world = AuthorityWorld(TOWN, nursery)
    stranger = TOWN.nodes["mix 0"][0].public
    approved = {identity: role for identity, role in TOWN.approved.items() if identity != stranger}
    await world.start(0, 1, 2, approved=approved)
    world.enter(*EVERYBODY[1:])
    with pytest.raises(Unavailable, match="approved"):
        await world.upload("mix 0", 0)
    document, _ = await world.fetch_when_ready()
    assert identities(document) == set(TOWN.approved) - {stranger}
    assert all(world.counters[number][Dropped.REQUEST] > 0 for number in range(3))


async def test_a_node_that_never_came_is_left_out_after_a_while(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = AuthorityWorld(TOWN, nursery)
    await world.start(0, 1, 2)
    world.enter(*EVERYBODY[1:])
    document, _ = await world.fetch_when_ready()
    assert len(identities(document)) == len(EVERYBODY) - 1
    assert 15 < world.elapsed < 60


async def test_an_authority_that_has_just_started_votes_for_whole_networks_only(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = AuthorityWorld(TOWN, nursery)
    await world.start(0, 1, 2, startup_wait=25.0)
    world.enter(*EVERYBODY[1:])
    await trio.sleep(31)
    world.enter(EVERYBODY[0])
    document, _ = await world.fetch_when_ready()
    assert identities(document) == set(TOWN.approved)


async def test_a_node_that_is_gone_is_left_out_from_the_epoch_after_the_next(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = AuthorityWorld(TOWN, nursery)
    await world.start(0, 1, 2)
    world.enter(*EVERYBODY[1:])
    await world.upload(EVERYBODY[0], 0)
    sizes = []
    for epoch in range(3):
        await trio.sleep(max(TOWN.bootstrap.epochs.start(epoch) + 60 - world.clock.now(), 0))
        sizes.append(len(identities((await world.fetch_when_ready(epoch))[0])))
    assert sizes == [8, 8, 7]


async def test_with_the_majority_gone_there_is_no_document_until_it_is_back(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    town = Town(epoch_length=300.0)
    world = AuthorityWorld(town, nursery)
    await world.start(0, 1, 2)
    world.enter(*EVERYBODY)
    await world.fetch_when_ready()
    await world.crash(1)
    await world.crash(2)
    await trio.sleep(3 * town.epoch_length)
    with pytest.raises(NoDocument):
        await world.fetch()
    await world.start(1, 2)
    document, _ = await world.fetch_when_ready()
    assert document.epoch == town.bootstrap.epochs.at(world.clock.now())
    assert (world.elapsed - 3 * town.epoch_length) < 120


async def test_a_restarted_one_remembers_what_it_signed_and_knew(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    world = AuthorityWorld(TOWN, nursery)
    await world.start(0, data_dir=tmp_path / "0")
    await world.start(1, data_dir=tmp_path / "1")
    world.enter(*EVERYBODY)
    document, raw = await world.fetch_when_ready()
    await world.crash(0)
    await world.crash(1)
    await world.start(0, data_dir=tmp_path / "0")
    assert await world.fetch_from(0) == (document, raw)
    await world.start(1, data_dir=tmp_path / "1")
    epoch = document.epoch + 1
    await trio.sleep(TOWN.bootstrap.epochs.start(epoch) - world.clock.now())
    assert (await world.fetch_from(0))[0].previous == document.digest


@pytest.mark.parametrize("moment", [0.16, 0.18, 0.2, 0.22, 0.24, 0.26])
async def test_one_that_restarts_within_a_round_never_contradicts_itself(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path, moment: float
) -> None:
    world = AuthorityWorld(TOWN, nursery)
    await world.start(0, 1)
    await world.start(2, data_dir=tmp_path)
    world.enter(*EVERYBODY)
    await trio.sleep(moment)
    await world.crash(2)
    await trio.sleep(0.3)
    await world.start(2, data_dir=tmp_path)
    await world.fetch_when_ready()
    await trio.sleep(60)
    given = [await world.fetch_from(number) for number in range(3)]
    assert {document.digest for document, _ in given} == {given[0][0].digest}
    (signed,) = (tmp_path / "signed").iterdir()
    assert signed.read_bytes() == given[0][0].digest


async def test_a_partition_of_one_heals(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    world = AuthorityWorld(TOWN, nursery)
    await world.start(0, 1, 2)
    world.network.partition(["10.0.0.3"], ["10.0.0.1", "10.0.0.2"])
    world.enter(*EVERYBODY)
    document, raw = await world.fetch_when_ready()
    assert signatures(raw) == 2
    world.network.heal()
    await trio.sleep(60)
    assert (await world.fetch_from(2))[0] == document


async def test_a_round_whose_first_step_is_over_is_left_to_the_others(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """As after a machine slept: to vote now would be to hold other votes than the others."""
    world = AuthorityWorld(TOWN, nursery)
    rng = SeededSource(1)
    config = authority_config(TOWN, 0)
    authority = Authority(config, network=world.network, clock=world.clock, rng=rng, counters=Counters())
    missed = late(TOWN.bootstrap.epochs, world.clock.now(), lambda _: 5)
    await trio.sleep(missed.step_ends[0] - world.clock.now())
    await authority._rounds.hold(missed)
    assert authority._rounds.held == {}
    joined = late(TOWN.bootstrap.epochs, world.clock.now(), lambda _: 5, missed)
    await authority._rounds.hold(joined)
    assert list(authority._rounds.held) == [(0, joined.attempt)]


@pytest.mark.parametrize("count", [1, 5])
async def test_other_numbers_of_authorities(autojump_clock: MockClock, nursery: trio.Nursery, count: int) -> None:
    town = Town(count)
    world = AuthorityWorld(town, nursery, latency=lambda rng: rng.uniform(0.01, 0.3))
    await world.start(*range((count + 1) // 2))
    world.enter(*town.nodes)
    _, raw = await world.fetch_when_ready()
    assert signatures(raw) == (count + 1) // 2


async def test_one_seed_gives_one_document(autojump_clock: MockClock) -> None:
    made = []
    for seed in (1, 1, 2):
        async with trio.open_nursery() as nursery:
            world = AuthorityWorld(TOWN, nursery, seed=seed)
            await world.start(0, 1, 2)
            world.enter(*EVERYBODY)
            made.append((await world.fetch_when_ready())[0].digest)
            nursery.cancel_scope.cancel()
    assert made[0] == made[1] != made[2]


# Strangers.


@pytest.mark.parametrize("raw", [b"", b"garbage", bytes(5000), encode(AskStep(0, 1, 0))])
async def test_hostile_questions_end_the_link_and_nothing_else(
    autojump_clock: MockClock, nursery: trio.Nursery, raw: bytes
) -> None:
    world = AuthorityWorld(TOWN, nursery)
    await world.start(0, 1, 2)
    link = await connect(
        world.network,
        Address.parse(TOWN.bootstrap.authorities[0].address),
        identity=key("stranger"),
        role=Role.CLIENT,
        network_id=TOWN.bootstrap.network_id,
        expect=TOWN.authorities[0].public,
    )
    async with link:
        with pytest.raises(Unavailable):
            await ask(link, raw)
    assert world.counters[0][Dropped.REQUEST] == 1
    world.enter(*EVERYBODY)
    await world.fetch_when_ready()
    assert signatures((await world.fetch_from(0))[1]) == 3


async def test_a_node_that_brings_descriptors_all_the_time_buys_few_writes(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """All else at an authority waits for its disk meanwhile."""
    world = AuthorityWorld(TOWN, nursery)
    await world.start(0)
    authority = world.authorities[0]
    written: list[bytes] = []
    authority._context.ledger.keep_descriptor = lambda *entry: written.append(entry[2])  # type: ignore[method-assign]
    (name, (identity, _)), *_ = TOWN.nodes.items()
    caller = Caller(TOWN.bootstrap, world.network, identity=identity, role=Role.NODE)
    where = TOWN.bootstrap.authorities[0]
    others = [TOWN.descriptor(name, 0, keys=tuple(os.urandom(32) for _ in range(3))) for _ in range(100)]
    taken = [await caller.offer(where, raw) for raw in others]
    assert written == [raw for raw, yes in zip(others, taken, strict=True) if yes]
    assert len(written) <= UPLOADS_AT_ONCE + UPLOADS
    for _ in range(100):  # the last one is no news
        assert await caller.offer(where, written[-1])
    assert len(written) == sum(taken)
    await trio.sleep(TOWN.epoch_length / UPLOADS)
    assert await caller.offer(where, others[-1])


async def test_nobody_but_an_authority_is_one(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    world = AuthorityWorld(TOWN, nursery)
    await world.start(0)
    with pytest.raises((RemoteError, Unavailable)):
        await connect(
            world.network,
            Address.parse(TOWN.bootstrap.authorities[0].address),
            identity=key("stranger"),
            role=Role.AUTHORITY,
            network_id=TOWN.bootstrap.network_id,
            expect=TOWN.authorities[0].public,
        )
    assert world.counters[0][Dropped.HANDSHAKE] == 1


def test_a_key_that_is_not_in_the_bootstrap_file_is_refused() -> None:
    rng = SeededSource(1)
    config = authority_config(TOWN, 0, identity=key("stranger"))
    with pytest.raises(LocalError, match="key file"):
        Authority(config, network=TCP(), clock=WallClock(), rng=rng, counters=Counters())


async def test_the_log_says_what_ended_an_authority(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_limits: object) -> None:
        raise KeyError("secret")

    world = AuthorityWorld(TOWN, nursery)
    monkeypatch.setattr("mixnet.directory.authority.LinkLimits", fail)
    config = replace(authority_config(TOWN, 0), log_file=tmp_path / "node.log")
    with pytest.raises(ExceptionGroup):
        await serve(config, network=world.network, clock=world.clock, rng=world.rng)
    last = json.loads((tmp_path / "node.log").read_text().splitlines()[-1])
    assert last["event"] == "failed"
    assert re.fullmatch(r"KeyError at mixnet/directory/authority\.py:\d+", last["problem"])
