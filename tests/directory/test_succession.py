"""What one authority knows of all sets, and what its operator proposes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from mixnet.counters import Counters
from mixnet.directory.authority import Authority
from mixnet.directory.ledger import FileStore, Ledger
from mixnet.directory.schedule import regular
from mixnet.directory.succession import (
    MOST_AHEAD,
    PROPOSAL,
    AuthorityMembership,
    Proposal,
    Succession,
    known_trust,
    objection,
)
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.errors import RolledBack
from mixnet.pki.trust import Trust
from mixnet.randomness import SeededSource
from tests.directory.authority_world import AuthorityWorld
from tests.directory.builders import authority_config
from tests.directory.succession_world import successors
from tests.mixnet.pki.builders import Town, key

TOWN = Town(mixes=3, providers=1, epoch_length=120.0)
NEXT = successors(TOWN, [0, 1, 3], 10)
OTHER = successors(TOWN, [0, 1, 4], 12)
INTRODUCED = TOWN.document(5, successor=NEXT.successor)
RAW = TOWN.sign(INTRODUCED)


def succession(folder: Path, number: int = 0, root: Bootstrap = TOWN.bootstrap) -> Succession:
    me = key(f"authority {number}").public
    return Succession(root, me=me, ledger=Ledger(FileStore(folder)), folder=folder)


def test_what_was_introduced_goes_before_what_is_proposed(tmp_path: Path) -> None:
    one = succession(tmp_path)
    assert one.wanted(5) is None
    OTHER.save(tmp_path / PROPOSAL)
    assert one.wanted(5) == OTHER.successor
    one.learn(INTRODUCED, RAW)
    for proposed in (OTHER, NEXT, None):
        (tmp_path / PROPOSAL).unlink(missing_ok=True)
        if proposed is not None:
            proposed.save(tmp_path / PROPOSAL)
        assert [one.wanted(epoch) for epoch in (6, 9)] == [NEXT.successor] * 2
        assert one.wanted(10) == (OTHER.successor if proposed is OTHER else None)
        assert one.wanted(11) is None


@pytest.mark.parametrize(("epoch", "named"), [(0, True), (7, True), (8, True), (9, False), (10, False), (50, False)])
def test_a_stale_proposal_is_left_out(tmp_path: Path, epoch: int, named: bool) -> None:
    NEXT.save(tmp_path / PROPOSAL)
    assert (succession(tmp_path).wanted(epoch) is not None) == named


def test_it_is_remembered(tmp_path: Path) -> None:
    succession(tmp_path).learn(INTRODUCED, RAW)
    again = succession(tmp_path)
    assert again.trust.newest.identities == NEXT.identities == known_trust(TOWN.bootstrap, tmp_path).newest.identities
    assert again.trust.introductions == [RAW]
    assert [again.serves(epoch) for epoch in (5, 10)] == [True, True]
    assert [succession(tmp_path, 2).serves(epoch) for epoch in (9, 10)] == [True, False]
    assert known_trust(TOWN.bootstrap, tmp_path / "nowhere").newest == TOWN.bootstrap


def test_it_is_on_the_disk_before_it_counts_and_learned_from_anybody(tmp_path: Path) -> None:
    one = succession(tmp_path)
    with pytest.raises(RolledBack):
        one.learn_untrusted(RAW, 10)
    assert one.learn_untrusted(RAW, 9)
    assert [path.name for path in (tmp_path / "introductions").iterdir()] == [f"{10:015d}-"]
    assert not one.learn_untrusted(RAW, 9)


def test_whom_to_ask(tmp_path: Path) -> None:
    one = succession(tmp_path)

    def asked(present: int) -> set[bytes]:
        return {info.identity for info in one.others(present)}

    def named(*numbers: int) -> set[bytes]:
        return {key(f"authority {number}").public for number in numbers}

    assert asked(0) == named(1, 2)
    NEXT.save(tmp_path / PROPOSAL)
    assert asked(0) == named(1, 2, 3)
    one.learn(INTRODUCED, RAW)
    (tmp_path / PROPOSAL).unlink()
    assert asked(9) == named(1, 2, 3)
    assert asked(10) == named(1, 3)


def test_the_file_is_read_again_when_it_was_replaced(tmp_path: Path) -> None:
    proposal, path = Proposal(tmp_path), tmp_path / PROPOSAL
    assert (proposal.current(), proposal.damage) == (None, "")
    NEXT.save(path)
    assert (proposal.current(), proposal.damage) == (NEXT, "")
    path.write_bytes(b"{")
    assert proposal.current() is None
    assert "propose again, or withdraw" in proposal.damage
    OTHER.save(path)
    assert (proposal.current(), proposal.damage) == (OTHER, "")
    os.utime(path)
    assert proposal.current() == OTHER
    path.unlink()
    assert (proposal.current(), proposal.damage) == (None, "")
    assert Proposal(None).current() is None


OBJECTIONS = {
    "none": (NEXT, ""),
    "another network": (successors(Town(name="other ", epoch_length=120.0), [0, 1, 3], 10), "another network's"),
    "another time": (successors(Town(mixes=3, epoch_length=60.0), [0, 1, 3], 10), "another network's"),
    "too near": (successors(TOWN, [0, 1, 3], 6), "too near"),
    "too far": (successors(TOWN, [0, 1, 3], 6 + MOST_AHEAD), "epochs ahead"),
    "those of now": (successors(TOWN, [0, 1, 2], 10), "nothing to propose"),
}


@pytest.mark.parametrize(("proposed", "said"), OBJECTIONS.values(), ids=OBJECTIONS)
def test_objections(tmp_path: Path, proposed: Bootstrap, said: str) -> None:
    found = objection(proposed, Trust(TOWN.bootstrap), 5, voting_on=5)
    assert (said in found) and (bool(found) == bool(said))
    proposed.save(tmp_path / PROPOSAL)
    one = succession(tmp_path)
    assert (one.wanted(5) is None) == bool(said)
    assert (one.problem(4) == "") == (said == "")


def test_a_threshold_alone_may_change() -> None:
    assert objection(successors(TOWN, [0, 1, 2], 10, 3), Trust(TOWN.bootstrap), 5, voting_on=5) == ""
    assert "nothing to propose" in objection(successors(TOWN, [0, 1, 2], 10, 2), Trust(TOWN.bootstrap), 5, voting_on=5)


def test_membership(tmp_path: Path) -> None:
    old, new, stranger = (succession(tmp_path, number) for number in (2, 3, 7))
    assert [one.membership(0) for one in (old, new, stranger)] == [
        AuthorityMembership.SERVING,
        AuthorityMembership.NONE,
        AuthorityMembership.NONE,
    ]
    NEXT.save(tmp_path / PROPOSAL)
    assert [one.membership(0) for one in (old, new, stranger)] == [
        AuthorityMembership.SERVING,
        AuthorityMembership.PROPOSED,
        AuthorityMembership.NONE,
    ]
    for one in (old, new):
        one.learn(INTRODUCED, RAW)
    assert [one.membership(9) for one in (old, new)] == [AuthorityMembership.SERVING, AuthorityMembership.COMING]
    assert [one.membership(10) for one in (old, new)] == [AuthorityMembership.REPLACED, AuthorityMembership.SERVING]
    assert new.problem(10) == ""


@pytest.mark.parametrize(("numbers", "held"), [((1, 2, 3), False), (range(5), False), ((0, 2, 3), True)])
async def test_a_round_is_left_to_those_who_make_the_document(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path, numbers: Iterable[int], held: bool
) -> None:
    """It becomes known, when the round was planned already, that others hold it, or more of them, in more steps."""
    world, rng = AuthorityWorld(TOWN, nursery), SeededSource(1)
    config = authority_config(TOWN, 0, data_dir=tmp_path)
    authority = Authority(config, network=world.network, clock=world.clock, rng=rng, counters=Counters())
    plan = regular(TOWN.bootstrap.epochs, 3, 5)
    document = TOWN.document(1, successor=successors(TOWN, numbers, 3).successor)
    authority._succession.learn(document, TOWN.sign(document))
    await authority._rounds.hold(plan)
    assert ((3, 0) in authority._rounds.held) == held
