"""Files of contacts take a bounded part of the disk: of one contact in a day, and of what is free for all together."""

import errno
import os

import pytest

from mixnet.client.files import disk, receiver
from mixnet.client.model.durations import DAY
from mixnet.client.model.views import MessageKind, MessageState
from tests.client.worlds.channel import Channel

SIZE = 100_000
GIB = 1 << 30


@pytest.fixture
def world(tmp_path, monkeypatch):
    channel = Channel(tmp_path, names=("alice",))
    channel.join("carol")
    channel.join("bob", daily_files=3 * SIZE, disk_reserve=GIB)
    channel.introduce("bob", "alice")
    channel.introduce("bob", "carol")
    channel.run(60)
    channel.free = 100 * GIB
    monkeypatch.setattr(receiver, "free_space", lambda _folder: channel.free)
    (tmp_path / "file").write_bytes(bytes(SIZE))
    (tmp_path / "small").write_bytes(b"")
    return channel


def send(channel, name="file", who="alice") -> MessageState:
    number = channel[who].messenger.send_file("bob", channel.tmp / name, channel.now)
    assert channel.run(900, channel.settled)
    channel.run(5)
    return channel[who].messenger.message(number).state


def refusals(channel) -> list[str]:
    return [m.error for m in channel["bob"].messenger.messages() if not m.outgoing and m.state is MessageState.FAILED]


def test_one_contact_has_a_share_of_a_day(world):
    assert [send(world) for _ in range(4)] == ["delivered"] * 3 + ["failed"]
    (error,) = refusals(world)
    assert "daily_files" in error and f"{3 * SIZE:,}" in error
    assert send(world, who="carol") == "delivered"  # others have their own
    world["bob"].store.run("UPDATE messages SET received_at = received_at - ?", DAY)  # a day later
    assert send(world) == "delivered"


def test_files_that_are_coming_count_whole_and_small_ones_as_a_block(world):
    numbers = [world["alice"].messenger.send_file("bob", world.tmp / "file", world.now) for _ in range(4)]
    assert world.run(900, world.settled)
    assert sorted(world["alice"].messenger.message(n).state for n in numbers) == ["delivered"] * 3 + ["failed"]
    assert send(world, "small") == "failed"


def test_all_files_together_leave_a_reserve(world):
    world.free = GIB + SIZE + SIZE // 2
    assert send(world) == "delivered"
    world.free = GIB + SIZE - 1
    assert send(world) == "failed" and "disk_reserve" in refusals(world)[0]


def test_what_is_coming_is_not_given_away_twice(world):
    world.free = GIB + SIZE + SIZE // 2
    numbers = [
        (who, world[who].messenger.send_file("bob", world.tmp / "file", world.now)) for who in ("alice", "carol")
    ]
    assert world.run(900, world.settled)
    states = sorted(world[who].messenger.message(number).state for who, number in numbers)
    assert states == ["delivered", "failed"]


def test_a_disk_that_fills_meanwhile_fails_the_file_alone(world, monkeypatch):
    def full(*_args):
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(disk.os, "pwrite", full)
    assert send(world) == "failed"
    monkeypatch.undo()
    assert not any((world.tmp / "bob" / "downloads").glob(".*"))
    world["alice"].messenger.send_text("bob", "still there?", world.now)
    assert world.run(60, lambda: "still there?" in world["bob"].inbox(MessageKind.TEXT))


def test_free_space_is_that_of_the_nearest_folder(tmp_path):
    stat = os.statvfs(tmp_path)
    assert disk.free_space(tmp_path / "not" / "there") == pytest.approx(stat.f_bavail * stat.f_frsize, rel=0.1)
