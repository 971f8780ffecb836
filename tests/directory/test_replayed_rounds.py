"""3, 5 and 7 authorities, as many as the model allows repeat what was said before: nothing of it counts again."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from mixnet.directory.authority import Authority
from mixnet.directory.schedule import RoundPlan
from mixnet.directory.voting import Round, Statement, faults
from mixnet.link import Peer, Role
from mixnet.pki.descriptor import KEY_EPOCHS
from mixnet.pki.document import Document
from mixnet.pki.fetch import Caller, upload_descriptor
from mixnet.pki.requests import AskStep, AskValue, RoundReport, StepAnswer, ValueAnswer, encode, parse_request_untrusted
from tests.directory.authority_world import Alter, AuthorityWorld
from tests.mixnet.pki.builders import Town, sphinx_key

TOWNS = {count: Town(count, mixes=3, providers=1) for count in (3, 5, 7)}
each_town = pytest.mark.parametrize("town", TOWNS.values(), ids=lambda town: f"{town.authority_count} authorities")
# Seven differ from five in one more round of relays: the test in which most depends on it has all three.
most_towns = pytest.mark.parametrize(
    "town", (TOWNS[3], TOWNS[5]), ids=lambda town: f"{town.authority_count} authorities"
)


def repeating(epoch: int, attempt: int) -> Alter:
    """Makes an authority say in all later rounds, word for word, what it said in this one, its relays included."""

    def alter(authority: Authority) -> None:
        honest = authority._requests._answer_untrusted
        kept: list[Round] = []

        async def answer(peer: Peer, raw: bytes) -> bytes:
            said, request = await honest(peer, raw), parse_request_untrusted(raw)
            if not kept and (epoch, attempt) in authority._rounds.held:
                kept.append(authority._rounds.held[epoch, attempt])
            if not isinstance(request, AskStep | AskValue) or (request.epoch, request.attempt) <= (epoch, attempt):
                return said
            if isinstance(request, AskValue):
                return encode(ValueAnswer(kept[0].value(request.fingerprint)))
            return encode(StepAnswer(kept[0].bundle(request.step) or b""))

        authority._requests._answer_untrusted = answer  # type: ignore[method-assign]

    return alter


def voting_again(authority: Authority) -> None:
    """Its vote and secret of its first regular round are its vote and secret in all later ones, signed anew."""
    honest = authority._rounds._statement
    kept: list[Statement | None] = []

    def statement(plan: RoundPlan) -> Statement | None:
        if not kept and plan.epoch > 0:
            kept.append(honest(plan))
        return kept[0] if kept else honest(plan)

    authority._rounds._statement = statement  # type: ignore[method-assign]


def sides(town: Town) -> tuple[range, range]:
    """(those that repeat, the others)."""
    bad = range(faults(town.authority_count))
    return bad, range(len(bad), town.authority_count)


async def begin(world: AuthorityWorld, alter: Alter, **changes: Any) -> None:
    bad, good = sides(world.town)
    for number in bad:
        await world.start(number, alter=alter, **changes)
    await world.start(*good, **changes)


async def one_document(world: AuthorityWorld, epoch: int) -> list[RoundReport]:
    """What the others made of the epoch's last round; nobody is accused, and all keys are those of its time."""
    good = sides(world.town)[1]
    documents: list[Document] = [(await world.fetch_from(number, epoch))[0] for number in good]
    assert {document.digest for document in documents} == {documents[0].digest}
    assert not any(world.authorities[number].snapshot()["suspects"] for number in good)
    for name, (identity, _) in world.town.nodes.items():
        node = documents[0].node(identity.public)
        assert node is not None
        assert node.key_at(epoch) == sphinx_key(name, epoch)
    return [world.authorities[number]._context.ledger.reports(epoch)[-1] for number in good]


def identities(town: Town, numbers: range) -> set[bytes]:
    return {town.authorities[number].public for number in numbers}


@each_town
async def test_nothing_said_in_the_last_epoch_counts_in_this_one(
    autojump_clock: MockClock, nursery: trio.Nursery, town: Town
) -> None:
    """Votes, reveals, the relays of both, and signatures."""
    world, good = AuthorityWorld(town, nursery), identities(town, sides(town)[1])
    await begin(world, repeating(epoch=1, attempt=0))
    world.enter(*town.nodes)
    await trio.sleep(town.epoch_length)
    reports = await one_document(world, 1)
    assert all(set(report.signed) == set(town.bootstrap.identities) for report in reports)
    await trio.sleep(town.epoch_length)
    reports = await one_document(world, 2)
    for report in reports:
        assert set(report.voted) == set(report.revealed) == set(report.signed) == good


@most_towns
async def test_nothing_said_in_the_last_attempt_counts_in_this_one(
    autojump_clock: MockClock, nursery: trio.Nursery, town: Town
) -> None:
    """The first attempt ends without a document, since no node is there yet."""
    world, good = AuthorityWorld(town, nursery), identities(town, sides(town)[1])
    await begin(world, repeating(epoch=0, attempt=1), startup_wait=0.0)
    await trio.sleep(31)
    (failed,) = world.authorities[sides(town)[1][0]]._context.ledger.reports(0)
    assert set(failed.revealed) == set(town.bootstrap.identities)
    assert failed.problem
    world.enter(*town.nodes)
    await trio.sleep(31)
    reports = await one_document(world, 0)
    for report in reports:
        assert report.attempt == 2
        assert set(report.voted) == set(report.revealed) == set(report.signed) == good


@most_towns
async def test_an_old_vote_and_secret_do_not_count_where_they_are_signed_anew(
    autojump_clock: MockClock, nursery: trio.Nursery, town: Town
) -> None:
    """An old secret is not what a vote of this epoch commits to; and a vote with old descriptors is void."""
    world, good = AuthorityWorld(town, nursery), identities(town, sides(town)[1])
    await begin(world, voting_again)
    world.enter(*town.nodes)
    for epoch in range(3):
        for name in town.nodes:
            await world.upload(name, epoch + 1)
        await trio.sleep((epoch + 1) * town.epoch_length - world.elapsed)
    reports = await one_document(world, 2)
    for report in reports:
        assert set(report.voted) == set(report.signed) == set(town.bootstrap.identities)
        assert set(report.revealed) == good
    reports = await one_document(world, 3)
    for report in reports:
        assert set(report.voted) == set(report.revealed) == good


@most_towns
async def test_an_older_descriptor_of_a_node_does_not_come_back(
    autojump_clock: MockClock, nursery: trio.Nursery, town: Town
) -> None:
    """Neither in the votes of those that repeat it, nor when they bring it to the others as if they were the node."""
    older = {name: town.descriptor(name, 0, keys=_other_keys(name)) for name in town.nodes}

    def voting_for_older(authority: Authority) -> None:
        ballot = [older[name] for name in sorted(town.nodes, key=lambda name: town.nodes[name][0].public)]
        authority._context.registry.ballot = lambda epoch: ballot  # type: ignore[method-assign]

    world = AuthorityWorld(town, nursery)
    await begin(world, voting_for_older)
    last, *others = reversed(town.nodes)
    for name in others:
        await _upload(world, name, older[name])
        await world.upload(name, 0)
    bad, good = sides(town)
    for number in bad:
        for role in (Role.AUTHORITY, Role.NODE):
            caller = Caller(town.bootstrap, world.network, identity=town.authorities[number], role=role)
            taken = [await caller.offer(town.bootstrap.authorities[other], older[others[0]]) for other in good]
            assert not any(taken)
    await world.upload(last, 0)  # all are there: the others vote
    await world.fetch_when_ready()
    await trio.sleep(60)
    reports = await one_document(world, 0)
    assert all(set(report.voted) == set(town.bootstrap.identities) for report in reports)


def _other_keys(name: str) -> tuple[bytes, ...]:
    return tuple(sphinx_key(f"{name} before", epoch) for epoch in range(KEY_EPOCHS))


async def _upload(world: AuthorityWorld, name: str, raw: bytes) -> None:
    await upload_descriptor(
        world.town.bootstrap,
        raw,
        network=world.network,
        identity=world.town.nodes[name][0],
        rng=world.rng.stream("older", name),
        source=world.town.address(name).partition(":")[0],
        patience=20.0,
    )
