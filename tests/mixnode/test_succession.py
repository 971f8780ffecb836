"""Nodes work on while the authorities are replaced, and go by the new ones for good."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from mixnet.counters import Event
from mixnet.errors import Unavailable
from mixnet.pki.bootstrap import Bootstrap
from mixnode.documents import DocumentFiles
from tests.mixnode.brisk import AT_THE_START, LENGTH, dropped, loops_astray, town_of, unread
from tests.mixnode.town import Member, Town

FIRST, SECOND = 3, 6
OLD = "10.0.9.1"


def replaced(folder: Path | None = None) -> Town:
    town = town_of(folder)
    town.lineage.succeed(FIRST, announced=1)
    return town


def epoch_of(member: Member) -> int:
    assert member.serving is not None
    return int(member.serving.snapshot()["epoch"])


def kept(folder: Path, member: Member) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / member.name / "directory").iterdir()}


async def until(town: Town, epoch: float) -> None:
    await trio.sleep(epoch * LENGTH - town.clock.now())


async def test_no_packet_is_lost_while_the_authorities_are_replaced_twice(autojump_clock: MockClock) -> None:
    """Those that were replaced are switched off a while after."""
    town = replaced()
    town.lineage.succeed(SECOND, announced=SECOND - 1)
    async with town.running() as nursery:
        before = dropped(town)
        assert before.keys() <= AT_THE_START

        async def switch_off() -> None:
            for epoch, host in ((FIRST, OLD), (SECOND, "10.0.9.11")):
                await until(town, epoch + 0.1)
                town.network.crash(host)

        nursery.start_soon(switch_off)
        assert await unread(town, 9 * LENGTH) == 0
        assert dropped(town) == before
        for member in town.members:
            assert epoch_of(member) >= 9
            assert loops_astray(member) == member.count(Event.LOOPS_LOST) == 0


async def test_descriptors_go_to_those_who_vote_on_them(autojump_clock: MockClock) -> None:
    town = replaced()
    old, new = (one.identities[0] for one in town.lineage.sets)
    async with town.running():
        await until(town, FIRST + 1.5)
        for member in town.members:
            name = member.identity.public
            assert max(town.held_by[old][name]) == FIRST - 1
            assert min(town.held_by[new][name]) == FIRST - 1
            assert max(town.held_by[new][name]) == FIRST + 1


async def test_a_late_introduction_sends_the_descriptor_once_more(autojump_clock: MockClock) -> None:
    """The document that introduces them is made in the last epoch of the old ones, after nodes have published."""
    town = town_of()
    town.lineage.succeed(FIRST, announced=FIRST - 1)
    make = town.document_bytes

    def late(epoch: int) -> bytes | None:
        hidden = epoch == FIRST - 1 and town.clock.now() < (FIRST - 0.7) * LENGTH
        return None if hidden else make(epoch)

    town.document_bytes = late  # type: ignore[method-assign]
    new = town.lineage.sets[-1].identities[0]
    async with town.running():
        await until(town, FIRST - 0.3)
        assert set(town.held_by[new]) == {member.identity.public for member in town.members}


async def test_after_a_restart_the_new_ones_count_though_the_old_ones_keys_are_stolen(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    town = replaced(tmp_path)
    mix = town.members[0]
    introduced = {"introduction-1"}
    async with town.running() as nursery:
        await until(town, FIRST - 0.5)
        for member in town.members:
            assert kept(tmp_path, member).keys() == {"document"} | introduced
            assert kept(tmp_path, member)["introduction-1"] == town.documents[1]
        town.thief = True
        await until(town, FIRST + 0.5)
        await town.stop(mix)
        town.network.crash("10.0.9.11")
        (tmp_path / mix.name / "directory" / "document").unlink()
        await town.start(nursery, mix)
        await trio.sleep(1.5)
        assert mix.serving is not None
        assert not mix.serving.snapshot()["ready"]
        assert "they have been replaced" in mix.serving.snapshot()["problem"]
        (tmp_path / mix.name / "directory" / "introduction-1").unlink()  # control: without it the thief is believed
        await town.stop(mix)
        await town.start(nursery, mix)
        await trio.sleep(1.5)
        assert mix.serving.snapshot()["ready"]


@pytest.mark.parametrize("damage", ["gone", "garbage", "a foreign one before", "a folder"])
async def test_damaged_introductions_are_harmless(tmp_path: Path, autojump_clock: MockClock, damage: str) -> None:
    """What is missing is asked for, and written in its place or after it."""
    town = replaced(tmp_path)
    mix = town.members[0]
    file = tmp_path / mix.name / "directory" / "introduction-1"
    async with town.running() as nursery:
        await until(town, FIRST + 1.2)
        await town.stop(mix)
        whole = file.read_bytes()
        if damage == "a foreign one before":
            file.rename(file.with_name("introduction-2"))
            file.write_bytes(b"foreign")
        else:
            file.unlink()
        if damage == "garbage":
            file.write_bytes(whole[:-7])
        elif damage == "a folder":
            file.mkdir()
        await town.start(nursery, mix)
        await until(town, FIRST + 2.5)
        assert epoch_of(mix) == FIRST + 2
        wholes = [
            path.name for path in file.parent.glob("introduction-*") if path.is_file() and path.read_bytes() == whole
        ]
        assert wholes == ["introduction-1" if damage == "gone" else "introduction-2"]


@pytest.mark.parametrize("kept_before", [True, False])
async def test_a_node_takes_a_fresh_bootstrap_file(
    tmp_path: Path, autojump_clock: MockClock, kept_before: bool
) -> None:
    """The operator puts the new file in the old one's place and starts the node again; everything else stays."""
    town = replaced(tmp_path)
    mix = town.members[0]
    async with town.running() as nursery:
        await until(town, FIRST + 0.5)
        await town.stop(mix)
        town.network.crash(OLD)
        if not kept_before:
            for file in (tmp_path / mix.name / "directory").iterdir():
                file.unlink()
        town.lineage.sets[-1].save(tmp_path / "fresh.json")
        town.trust = Bootstrap.load(tmp_path / "fresh.json")
        await town.start(nursery, mix)
        await until(town, FIRST + 2.5)
        assert epoch_of(mix) == FIRST + 2
        before = dropped(town)
        assert await unread(town, LENGTH) == 0
        assert dropped(town) == before


# The files themselves.


async def test_introductions_are_kept_in_order_and_for_good(tmp_path: Path) -> None:
    files = DocumentFiles(tmp_path / "directory")
    assert files.introductions() == []
    expected = [bytes([number]) for number in range(12)]  # more than sorting by name gets right
    for raw in expected:
        await files.introduced(raw)
    await files.keep(b"document")
    files = DocumentFiles(tmp_path / "directory")
    assert files.introductions() == expected
    (tmp_path / "directory" / "introduction-5").unlink()
    (tmp_path / "directory" / "introduction-x").write_bytes(b"not one of ours")
    await files.introduced(b"another")
    assert files.introductions() == [*expected[:4], *expected[5:], b"another"]
    assert (tmp_path / "directory" / "introduction-13").stat().st_mode & 0o777 == 0o600


async def test_a_disk_that_refuses_keeps_none(tmp_path: Path) -> None:
    files = DocumentFiles(tmp_path)
    (tmp_path / "introduction-1.new").mkdir()
    with pytest.raises(Unavailable):
        await files.introduced(b"one")
    assert files.introductions() == []
