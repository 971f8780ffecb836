"""One set of authorities succeeds another: no epoch without a document, whoever is replaced, crashed or false."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from mixnet.clock import WallClock
from mixnet.counters import Counters, Dropped
from mixnet.directory.authority import Authority
from mixnet.directory.consensus import NO_DOCUMENT
from mixnet.directory.succession import PROPOSAL
from mixnet.errors import LocalError
from mixnet.link import Role, ask, connect
from mixnet.network import Address
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.document import parse_untrusted, verify_untrusted
from mixnet.pki.errors import WrongNetwork
from mixnet.pki.requests import AskIntroduction, IntroductionAnswer, encode, parse_answer_untrusted
from mixnet.pki.trust import Trust
from mixnet.randomness import SeededSource
from tests.directory.authority_world import Alter
from tests.directory.builders import authority_config
from tests.directory.succession_world import SuccessionWorld, infos, successors
from tests.mixnet.pki.builders import Town, key

TOWN = Town(mixes=3, providers=1, epoch_length=120.0)
FIVE = Town(5, mixes=3, providers=1, epoch_length=120.0)
FIRST = 4  # the epoch in which the new set takes over, in most tests


async def settled(world: SuccessionWorld, last: int) -> None:
    """Go through the epochs up to `last`; each has a document of its regular round from its authorities."""
    previous = None
    numbers = {one.identity: number for number in range(10) for one in infos([number])}
    for epoch in range(1, last + 1):
        await world.until(epoch)
        planned = world.planned(epoch)
        serving = [numbers[identity] for identity in planned.identities if numbers[identity] in world.alive]
        given = [await world.read(number, epoch) for number in serving]
        assert {document.digest for document, _ in given} == {given[0][0].digest}
        document = given[0][0]
        assert (document.epoch, document.authorities) == (epoch, planned.identities)
        assert previous is None or document.previous == previous
        assert all(len(parse_untrusted(raw)[1]) == len(serving) for _, raw in given)
        assert len(list(document.nodes)) == len(TOWN.nodes)
        assert all(world.authorities[number].snapshot()["problem"] == "" for number in serving)
        previous = document.digest


CHANGES = {
    "one of three": (TOWN, [0, 1, 3]),
    "all of three": (TOWN, [3, 4, 5]),
    "three to five": (TOWN, [0, 1, 2, 3, 4]),
    "five to three": (FIVE, [1, 2, 3]),
    "five to three others": (FIVE, [5, 6, 7]),
    "three to one": (TOWN, [3]),
}


@pytest.mark.parametrize(("town", "numbers"), CHANGES.values(), ids=CHANGES)
async def test_every_epoch_has_a_document_while_authorities_change(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path, town: Town, numbers: list[int]
) -> None:
    new = successors(town, numbers, FIRST)
    world = SuccessionWorld(town, nursery, tmp_path, [new])
    everybody = sorted({*range(town.authority_count), *numbers})
    world.propose(new, *everybody)
    await world.begin(*everybody)
    world.enter(*town.nodes)
    await settled(world, FIRST + 3)
    assert [one.identities for one in world.reader.sets] == [town.bootstrap.identities, new.identities]
    for number in everybody:
        state = world.authorities[number].snapshot()
        assert state["office"] == ("serving" if number in numbers else "replaced")
        assert state["ready"]
        assert world.counters[number][Dropped.REQUEST] == world.counters[number][Dropped.HANDSHAKE] == 0


async def test_each_is_told_its_turn(autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path) -> None:
    new = successors(TOWN, [0, 1, 3], FIRST)
    world = SuccessionWorld(TOWN, nursery, tmp_path, [new])
    await world.begin(0, 1, 2)
    world.enter(*TOWN.nodes)
    await world.until(1)
    world.propose(new, 0, 1, 2, 3)
    await world.begin(3)

    def state(number: int) -> tuple[object, ...]:
        told = world.authorities[number].snapshot()
        return told["office"], told["proposed_from"], told["successors_from"], told["problem"].partition(" (")[0]

    assert state(0) == state(2) == ("serving", FIRST, None, "")
    assert state(3) == ("proposed", FIRST, None, f"this authority is proposed from epoch {FIRST}")
    await world.until(2)
    assert state(0) == state(2) == ("serving", None, FIRST, "")
    assert state(3) == ("coming", None, FIRST, f"this authority takes over with epoch {FIRST}")
    await world.until(FIRST)
    assert state(0) == state(3) == ("serving", None, None, "")
    assert state(2) == ("replaced", None, None, f"this authority was replaced with epoch {FIRST}")
    assert "can be stopped" in world.authorities[2].snapshot()["problem"]


async def test_one_after_the_other(autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path) -> None:
    second, third = successors(TOWN, [0, 1, 3], 3), successors(TOWN, [3, 4, 5], 6)
    world = SuccessionWorld(TOWN, nursery, tmp_path, [second, third])
    world.propose(second, *range(6))
    await world.begin(*range(4))
    world.enter(*TOWN.nodes)
    for epoch in range(1, 8):
        await world.until(epoch)
        for number in range(6 if epoch > 3 else 4):
            await world.read(number, epoch)
        if epoch == 3:
            world.propose(third, *range(6))
            await world.begin(4, 5)
    assert [one.identities for one in world.reader.sets[1:]] == [second.identities, third.identities]
    late = Trust(TOWN.bootstrap)  # somebody who was away all the time
    for raw in world.reader.introductions:
        assert late.follow_untrusted(raw)
    assert late.newest.identities == third.identities


@pytest.mark.parametrize("share", [0.3, 0.52, 0.6, 0.98])
async def test_an_old_one_that_crashes_at_the_takeover_is_not_missed(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path, share: float
) -> None:
    new = successors(TOWN, [0, 1, 3], FIRST)
    world = SuccessionWorld(TOWN, nursery, tmp_path, [new])
    world.propose(new, 0, 1, 2, 3)
    await world.begin(0, 1, 2, 3)
    world.enter(*TOWN.nodes)

    async def crash() -> None:
        await world.until(FIRST - 1, share)
        await world.crash(2)

    nursery.start_soon(crash)
    await settled(world, FIRST + 2)


@pytest.mark.parametrize("dissent", ["none", "other", "garbage", "foreign"])
async def test_a_minority_of_operators_changes_nothing(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path, dissent: str
) -> None:
    new = successors(TOWN, [0, 1, 3], FIRST)
    world = SuccessionWorld(TOWN, nursery, tmp_path, [new])
    world.propose(new, 0, 1, 3)
    if dissent == "other":
        world.propose(successors(TOWN, [2, 6, 7], FIRST), 2)
    elif dissent == "foreign":
        world.propose(successors(Town(name="other ", epoch_length=120.0), [0, 1, 3], FIRST), 2)
    elif dissent == "garbage":
        world.folder(2).mkdir()
        (world.folder(2) / PROPOSAL).write_bytes(b"garbage")
    await world.begin(0, 1, 2, 3)
    world.enter(*TOWN.nodes)
    await world.until(1)
    problem = world.authorities[2].snapshot()["problem"]
    said = {"none": "", "other": "introduced already", "garbage": "can't be used", "foreign": "another network's"}
    assert said[dissent] in problem
    assert (problem == "") == (dissent == "none")
    await world.until(FIRST)
    document, _ = await world.read(0, FIRST)
    assert document.authorities == new.identities
    assert world.authorities[2].snapshot()["office"] == "replaced"


async def test_a_minority_alone_introduces_nobody(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    world = SuccessionWorld(TOWN, nursery, tmp_path, [])
    world.propose(successors(TOWN, [0, 3, 4], FIRST), 0)
    world.propose(successors(TOWN, [1, 3, 4], FIRST), 1)
    await world.begin(0, 1, 2)
    world.enter(*TOWN.nodes)
    for epoch in range(1, FIRST + 2):
        await world.until(epoch)
        assert (await world.read(0, epoch))[0].successor is None
    assert "past or too near" in world.authorities[0].snapshot()["problem"]
    assert world.authorities[2].snapshot()["problem"] == ""


def another_successor(number: int, wanted: Bootstrap) -> Alter:
    """Makes an authority vote for authorities of its own."""

    def alter(authority: Authority) -> None:
        authority._succession.wanted = lambda epoch: wanted.successor  # type: ignore[method-assign]

    return alter


async def test_a_byzantine_authority_does_not_choose_the_successors(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    new, false = successors(TOWN, [0, 1, 3], FIRST), successors(TOWN, [2, 8, 9], FIRST)
    world = SuccessionWorld(TOWN, nursery, tmp_path, [new])
    world.propose(new, 0, 1, 3)
    await world.begin(2, alter=another_successor(2, false))
    await world.begin(0, 1, 3)
    world.enter(*TOWN.nodes)
    await settled(world, FIRST + 1)
    assert world.reader.newest.identities == new.identities


RESTARTS = {
    "before the introduction is known": (0, 0.3),
    "in the round before": (FIRST - 2, 0.6),
    "before the takeover": (FIRST - 1, 0.2),
    "as the round opens": (FIRST - 1, 0.5),
    "in the first round": (FIRST - 1, 0.55),
    "at the takeover": (FIRST - 1, 0.99),
    "after it": (FIRST, 0.3),
}


@pytest.mark.parametrize(("epoch", "share"), RESTARTS.values(), ids=RESTARTS)
async def test_restarts_lose_nothing(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path, epoch: int, share: float
) -> None:
    """All of them are killed and started again at the same moment."""
    new = successors(TOWN, [1, 3, 4], FIRST)
    world = SuccessionWorld(TOWN, nursery, tmp_path, [new])
    world.propose(new, *range(5))
    await world.begin(*range(5))
    world.enter(*TOWN.nodes)
    await world.until(epoch, share)
    for number in range(5):
        await world.crash(number)
    for number in range(5):
        (world.folder(number) / PROPOSAL).unlink()  # what was introduced needs it no more
    if epoch == 0:
        world.propose(new, *range(5))
    await trio.sleep(0.5)
    await world.begin(*range(5))
    await world.until(FIRST + 1)
    for number in (1, 3, 4):
        document, raw = await world.read(number, FIRST + 1)
        assert (document.authorities, len(parse_untrusted(raw)[1])) == (new.identities, 3)
    kept = [path.name for path in (world.folder(0) / "introductions").iterdir()]
    assert kept == [f"{FIRST:015d}-"]


async def test_new_ones_that_come_too_late_learn_everything_from_whoever_is_left(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    """Two of the old ones are gone, documents have expired: the third still knows who was introduced."""
    new = successors(TOWN, [3, 4, 5], FIRST)
    world = SuccessionWorld(TOWN, nursery, tmp_path, [new])
    world.propose(new, *range(6))
    await world.begin(0, 1, 2)
    world.enter(*TOWN.nodes)
    await world.until(FIRST)
    await world.crash(0)
    await world.crash(1)
    await world.until(FIRST + 4)
    assert not world.authorities[2].snapshot()["ready"]
    await world.begin(3, 4, 5)
    await world.until(FIRST + 5)
    introduction = world.authorities[2]._trust.introduction(0)
    assert introduction is not None
    world.reader.follow_untrusted(introduction)
    for number in (3, 4, 5, 2):
        document, _ = await world.read(number, FIRST + 5)
        assert document.authorities == new.identities
        assert document.previous != NO_DOCUMENT


async def test_a_new_one_learns_from_another_new_one_when_all_old_ones_are_gone(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    new = successors(TOWN, [3, 4, 5], FIRST)
    world = SuccessionWorld(TOWN, nursery, tmp_path, [new])
    world.propose(new, *range(6))
    await world.begin(0, 1, 2, 3, 4)
    world.enter(*TOWN.nodes)
    await world.until(FIRST)
    for number in (0, 1, 2):
        await world.crash(number)
    await world.begin(5)
    await world.until(FIRST, 0.3)
    assert world.authorities[5].snapshot()["office"] == "serving"
    await world.until(FIRST + 1)
    raw = await world.raw_from(5, FIRST + 1)
    assert raw is not None
    assert len(parse_untrusted(raw)[1]) == 3


async def test_old_keys_make_no_document_of_later_epochs(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    new = successors(TOWN, [3, 4, 5], FIRST)
    world = SuccessionWorld(TOWN, nursery, tmp_path, [new])
    world.propose(new, *range(6))
    await world.begin(*range(6))
    world.enter(*TOWN.nodes)
    await settled(world, FIRST)
    start = TOWN.bootstrap.epochs.start(FIRST)
    stolen = TOWN.signed(FIRST)
    verify_untrusted(stolen, TOWN.bootstrap, start)  # who never followed still believes them
    for trust in (world.reader, *(world.authorities[number]._trust for number in range(6))):
        with pytest.raises(WrongNetwork):
            verify_untrusted(stolen, trust, start)
        verify_untrusted(TOWN.signed(FIRST - 1), trust, start)


async def test_who_was_replaced_is_silent(autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path) -> None:
    """No votes, no refused links, nothing in the log but what changes."""
    new = successors(TOWN, [0, 1, 3], FIRST)
    world = SuccessionWorld(TOWN, nursery, tmp_path, [new])
    world.propose(new, 0, 1, 2, 3)
    for number in range(4):
        await world.start(number, data_dir=world.folder(number), log_file=world.folder(number) / "log")
    world.enter(*TOWN.nodes)
    await world.until(FIRST + 1)
    before = {number: (world.folder(number) / "log").read_text() for number in range(4)}
    await world.until(FIRST + 5)
    after = {number: (world.folder(number) / "log").read_text() for number in range(4)}
    assert before[2] == after[2]
    assert '"warning"' in after[2]
    assert after[3].count('"warning"') == 2  # proposed, then coming
    assert all(after[number].count("new_epoch") >= FIRST + 4 for number in (0, 1))
    votes = [path.name for path in (world.folder(2) / "votes").iterdir()]
    assert all(int(name.partition("-")[0]) < FIRST for name in votes)
    assert sum(world.counters[number][Dropped.HANDSHAKE] for number in range(4)) == 0
    for authority in world.authorities.values():
        authority._log.close()


async def test_anybody_may_ask_who_was_introduced(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    new = successors(TOWN, [0, 1, 3], FIRST)
    world = SuccessionWorld(TOWN, nursery, tmp_path, [new])
    world.propose(new, 0, 1, 2)
    await world.begin(0, 1, 2)
    world.enter(*TOWN.nodes)

    async def introduction(first_epoch: int) -> bytes | None:
        (info,) = infos([0])
        link = await connect(
            world.network,
            Address.parse(info.address),
            identity=key("reader"),
            role=Role.CLIENT,
            network_id=TOWN.bootstrap.network_id,
            expect=info.identity,
        )
        async with link:
            raw = await ask(link, encode(AskIntroduction(first_epoch)))
        return parse_answer_untrusted(raw, IntroductionAnswer).document

    assert await introduction(0) is None
    await world.until(1)
    given = await introduction(0)
    assert given is not None
    trust = Trust(TOWN.bootstrap)
    assert trust.follow_untrusted(given)
    assert trust.newest.successor == new.successor
    assert await introduction(FIRST) is None
    assert await introduction(1) is None


async def test_only_authorities_of_now_and_next_are_authorities(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    new = successors(TOWN, [0, 1, 3], FIRST)
    world = SuccessionWorld(TOWN, nursery, tmp_path, [new])
    world.propose(new, 0, 1, 2, 3)
    await world.begin(0, 1, 2)
    world.enter(*TOWN.nodes)
    admit = world.authorities[0]._requests.admit
    old, coming = (key(f"authority {number}").public for number in (2, 3))
    assert (admit(old, Role.AUTHORITY), admit(coming, Role.AUTHORITY)) == (True, False)
    await world.until(1)
    assert (admit(old, Role.AUTHORITY), admit(coming, Role.AUTHORITY)) == (True, True)
    await world.until(FIRST)
    assert (admit(old, Role.AUTHORITY), admit(coming, Role.AUTHORITY)) == (False, True)
    assert admit(old, Role.CLIENT)


def test_a_key_that_nobody_names_is_refused(tmp_path: Path) -> None:
    new = successors(TOWN, [0, 1, 3], 10)

    def authority(number: int) -> Authority:
        config = authority_config(TOWN, number, data_dir=tmp_path, bootstrap=bootstrap)
        return Authority(config, network=None, clock=WallClock(), rng=SeededSource(1), counters=Counters())  # type: ignore[arg-type]

    bootstrap = TOWN.bootstrap
    with pytest.raises(LocalError, match="key file"):
        authority(3)
    new.save(tmp_path / PROPOSAL)
    assert authority(3)
    with pytest.raises(LocalError, match="key file"):
        authority(4)
    (tmp_path / PROPOSAL).unlink()
    bootstrap = new  # the newest set's own file
    assert authority(3)
    with pytest.raises(LocalError, match="key file"):
        authority(2)
