"""A disk that keeps one waiting: packets go on meanwhile, and none gets ahead of what must be on the disk before it.

Real threads, in real time; nothing here measures it.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mixnet.benchmarks.simulation import virtual
from mixnet.counters import Counters, Dropped
from mixnet.errors import Unavailable
from mixnet.link import Role
from mixnet.sphinx import Forward
from mixnet.timer import TrioTimer
from mixnode import seal
from mixnode.delay_queue import DelayQueue
from mixnode.key_rotation import KeyRotation
from mixnode.keyfiles import FileKeys
from mixnode.keys import EpochKey, KeyRing
from mixnode.node import QUEUE_SIZE, PeeledPacket, Queues, await_seal, refuse_replay
from tests.mixnode.brisk import BRISK, dropped, town_of, unread
from tests.mixnode.epochs import EPOCHS, GRACE

LENGTH = 6.0  # of an epoch: a new one's first packets wait for a slow disk at each of five nodes, and must find its key

LONG = 30.0  # seconds after which a test that hangs fails
REAL_FSYNC = os.fsync


class SlowDisk:
    """Holds what synchronises a file of certain names, until `go`; counts what the event loop itself synchronises."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held = ""
        self.on_loop = 0
        self.broken = False
        self._waiting, self._go = threading.Event(), threading.Event()
        monkeypatch.setattr(os, "fsync", self._fsync)

    def hold(self, name: str) -> None:
        """From now on keep whatever synchronises a file whose name begins with `name`."""
        self.held = name

    async def reached(self) -> None:
        """Return when somebody waits for a file that is held."""
        assert await trio.to_thread.run_sync(self._waiting.wait, LONG)

    def go(self) -> None:
        self._go.set()

    def _fsync(self, descriptor: int) -> None:
        if threading.current_thread() is threading.main_thread():
            self.on_loop += 1
        elif self.held and Path(f"/proc/self/fd/{descriptor}").readlink().name.startswith(self.held):
            self._waiting.set()
            assert self._go.wait(LONG)
        if self.broken:
            raise OSError(5, "Input/output error")
        REAL_FSYNC(descriptor)


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[KeyRing]:
    """Keys of the epochs 0 to 2, of which 0 has had packets."""
    ring = KeyRing(FileKeys(tmp_path, boot="one"), EPOCHS, GRACE)
    ring.turn(1000.0)
    ring.live(1000.0)[0].replay.begin()
    yield ring
    ring.close()


@pytest.fixture
def disk(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> SlowDisk:
    return SlowDisk(monkeypatch)  # after the ring, whose first keys are made on this thread


class Stages:
    """The queues that a packet passes between its peeling and its being held."""

    def __init__(self, ring: KeyRing) -> None:
        self.counters = Counters()
        self.queues = Queues(DelayQueue(TrioTimer(), lambda: 0.05, self.counters), self.counters)
        self.rotation = KeyRotation(ring, on_thread=True)

    def arrive(self, key: EpochKey, *numbers: int) -> None:
        layers = [Forward(bytes(32), 0.0, bytes([number]), bytes([number]) * 16) for number in numbers]
        refuse_replay(self.queues, [PeeledPacket(key, layer, 0.0, Role.NODE) for layer in layers], self.counters)

    async def leave(self) -> list[int]:
        """The numbers of the next packets that would be held, and then sent."""
        with trio.fail_after(LONG):
            return [outgoing.packet[0] for outgoing in await self.queues.held.take()]


@asynccontextmanager
async def stages_of(ring: KeyRing) -> AsyncIterator[Stages]:
    stages = Stages(ring)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(await_seal, stages.queues, stages.rotation, stages.counters)
        yield stages
        nursery.cancel_scope.cancel()


def ready_for_a_power_cut(tags: Path) -> bool:
    """Whether a machine that goes down now would find the key unused, and use it again."""
    return seal.proves(tags, "another boot")


async def test_packets_go_on_while_the_files_of_the_next_key_are_written(
    tmp_path: Path, ring: KeyRing, disk: SlowDisk
) -> None:
    present = ring.live(1000.0)[0]
    disk.hold("3.")
    async with stages_of(ring) as stages:
        async with trio.open_nursery() as turning:
            turning.start_soon(stages.rotation.turn, 1100.0)
            await disk.reached()
            stages.arrive(present, 1, 2)
            assert await stages.leave() == [1, 2]
            assert ring.missing(1100.0) == [3]  # not published, nor used, before it is on the disk
            assert not (tmp_path / "3.key").exists()
            disk.go()
        assert ring.missing(1100.0) == []
        assert (tmp_path / "3.key").read_bytes() == next(
            key.secret.expose() for key in ring.live(1200.0) if key.epoch == 3
        )
    assert disk.on_loop == 0


async def test_only_the_first_packets_of_a_key_wait_until_the_disk_is_ready_for_their_tags(
    tmp_path: Path, ring: KeyRing, disk: SlowDisk
) -> None:
    present, following = ring.live(1000.0)
    tags = tmp_path / "1.tags"
    disk.hold("1.")
    async with stages_of(ring) as stages:
        stages.arrive(following, 1)
        await disk.reached()
        stages.arrive(following, 2)
        stages.arrive(present, 3)
        assert await stages.leave() == [3]
        await wait_all_tasks_blocked()
        assert len(stages.queues.held) == 0
        assert ready_for_a_power_cut(tags)
        assert tags.stat().st_size == 0
        disk.go()
        assert await stages.leave() == [1]
        assert not ready_for_a_power_cut(tags)  # since what has left may be gone from the file after it
        assert seal.proves(tags, "one")
        assert await stages.leave() == [2]
        assert tags.read_bytes() == b"\x01" * 16 + b"\x02" * 16
        stages.arrive(following, 1, 4)
        assert await stages.leave() == [4]
        assert stages.counters.snapshot()["dropped"] == {"replayed": 1}
    assert disk.on_loop == 0


async def test_what_waits_for_the_disk_is_bounded(ring: KeyRing, disk: SlowDisk) -> None:
    following = ring.live(1000.0)[1]
    disk.hold("1.")
    async with stages_of(ring) as stages:
        stages.arrive(following, 0)
        await disk.reached()
        for _ in range(QUEUE_SIZE // 32 + 2):
            stages.arrive(following, *range(32))
            await wait_all_tasks_blocked()
        assert len(stages.queues.unsealed) == QUEUE_SIZE
        assert stages.counters[Dropped.REPLAY_FULL] == 64
        disk.go()
        assert await stages.leave()


async def test_a_packet_for_whose_tag_the_disk_was_never_ready_does_not_leave(ring: KeyRing, disk: SlowDisk) -> None:
    present, following = ring.live(1000.0)
    disk.broken = True
    async with stages_of(ring) as stages:
        stages.arrive(following, 1, 2)
        while not stages.counters[Dropped.REPLAY_STORE]:
            await trio.lowlevel.checkpoint()
        stages.arrive(present, 3)
        assert await stages.leave() == [3]
        assert stages.counters[Dropped.REPLAY_STORE] == 2
        disk.broken = False
        stages.arrive(following, 4)
        assert await stages.leave() == [4]


async def test_a_key_that_is_asked_for_twice_is_made_once(tmp_path: Path, ring: KeyRing, disk: SlowDisk) -> None:
    rotation = KeyRotation(ring, on_thread=True)
    disk.hold("3.")
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(rotation.turn, 1100.0)
        await disk.reached()
        await wait_all_tasks_blocked()
        disk.go()
    assert ring.publics(1100.0).keys() == {1, 2, 3}
    key = next(key for key in ring.live(1200.0) if key.epoch == 3)
    assert (tmp_path / "3.key").read_bytes() == key.secret.expose()
    assert key.replay.admit([bytes(16)]) == [True]
    assert (tmp_path / "3.tags").read_bytes() == bytes(16)  # its own file, not one that was removed


async def test_a_key_that_goes_while_it_is_made_ready_leaves_nothing_behind(
    tmp_path: Path, ring: KeyRing, disk: SlowDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = ring.live(1000.0)[1]
    rotation, refused = KeyRotation(ring, on_thread=True), Counter[str]()

    async def begin(when: str) -> None:
        try:
            await rotation.begin(following)
        except Unavailable:
            refused[when] += 1

    removed, remove = threading.Event(), ring.store.delete

    def delete(epoch: int) -> None:
        if epoch == 1:
            removed.set()
        remove(epoch)

    monkeypatch.setattr(ring.store, "delete", delete)
    disk.hold("1.")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(begin, "before")
        await disk.reached()
        nursery.start_soon(rotation.turn, 1250.0)
        await wait_all_tasks_blocked()
        assert [key.epoch for key in ring.live(1100.0)] == [2]  # forgotten at once, whatever the disk does
        assert not await trio.to_thread.run_sync(removed.wait, 0.2)
        nursery.start_soon(begin, "after")
        await wait_all_tasks_blocked()
        disk.go()
    assert {int(path.stem) for path in tmp_path.iterdir()} == {2, 3, 4}
    assert refused == {"before": 1, "after": 1}


async def test_one_epoch_does_not_wait_for_another(tmp_path: Path, ring: KeyRing, disk: SlowDisk) -> None:
    rotation = KeyRotation(ring, on_thread=True)
    disk.hold("3.")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rotation.turn, 1100.0)
        await disk.reached()
        with trio.fail_after(LONG / 2):
            await rotation.begin(ring.live(1000.0)[1])
        assert not (tmp_path / "3.key").exists()
        disk.go()


async def test_a_node_that_ends_while_a_key_is_made_waits_for_it(tmp_path: Path, ring: KeyRing, disk: SlowDisk) -> None:
    rotation = KeyRotation(ring, on_thread=True)
    disk.hold("3.")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rotation.turn, 1100.0)
        await disk.reached()
        nursery.cancel_scope.cancel()
        disk.go()
    assert ring.missing(1100.0) == []  # so that `close` seals it
    assert (tmp_path / "3.key").exists()


class Threads:
    """What stands for a thread in virtual time: it takes `seconds`, and knows whether it is at work."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.busy, self.calls, self.on_loop = False, 0, 0
        real = os.fsync

        async def run_sync(function, *args, **_settings):  # type: ignore[no-untyped-def]
            await trio.sleep(seconds)
            self.calls, self.busy = self.calls + 1, True
            try:
                return function(*args)
            finally:
                self.busy = False

        def fsync(descriptor: int) -> None:
            self.on_loop += not self.busy
            real(descriptor)

        monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)
        monkeypatch.setattr(os, "fsync", fsync)


async def test_a_running_node_never_waits_for_its_disk_and_loses_nothing_to_a_slow_one(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = town_of(tmp_path, parameters=msgspec.structs.replace(BRISK, epoch_length=LENGTH))
    async with town.running():
        with monkeypatch.context() as patched:
            threads = Threads(patched, seconds=1.5)
            before = dropped(town)
            assert await unread(town, 5 * LENGTH) == 0
            assert dropped(town) == before
            assert town.trust.epochs.at(town.clock.now()) >= 5
            assert threads.calls > 5 * 4 * len(town.members)  # to make, begin and remove keys, and keep documents
            assert threads.on_loop == 0


def test_the_simulated_world_makes_its_keys_where_it_stands(tmp_path: Path) -> None:
    threads = threading.active_count()

    async def main() -> set[int]:
        rotation = KeyRotation(KeyRing(FileKeys(tmp_path), EPOCHS, GRACE), on_thread=False)
        await rotation.turn(1000.0)
        await rotation.begin(rotation.keys.live(1000.0)[0])
        publics = rotation.keys.publics(1000.0)
        rotation.keys.close()
        return set(publics)

    assert virtual.run(main, seed=1) == {0, 1, 2}
    assert threading.active_count() == threads
