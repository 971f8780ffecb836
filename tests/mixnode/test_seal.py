"""After which ends a key is used again, and after which it is retired because nothing proves its tags."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mixnet.crypto import SphinxSecret
from mixnet.errors import Unavailable
from mixnode import seal
from mixnode.keyfiles import FileKeys
from mixnode.keys import EpochKey, KeyRing, Retired, StoredKeys
from tests.mixnode.epochs import EPOCHS, GRACE

TAGS = [bytes([number]) * 16 for number in range(8)]
Harm = Callable[[Path], None]


def used(folder: Path, boot: str = "one") -> EpochKey:
    key = FileKeys(folder, boot=boot).create(0)
    assert key.replay.admit(TAGS) == [True] * 8
    return key


def reload(folder: Path, boot: str = "one") -> StoredKeys:
    stored = FileKeys(folder, boot=boot).load()
    for key in stored.keys:
        assert key.replay.admit(TAGS[:4]) == [False] * 4
        key.replay.discard()
    assert len(stored.keys) + len(stored.retired) == 1
    assert bool(stored.retired) == (not list(folder.glob("*.key")))  # what is retired is gone from the disk
    return stored


def copied_back(folder: Path) -> None:
    """A backup, restored with everything that an ordinary tool can restore."""
    old = folder.rename(folder.with_suffix(".old"))  # kept, so that no inode's number is given out again
    shutil.copytree(old, folder)


def written_over(folder: Path) -> None:
    """A backup, restored into the files that are there, which keep their inodes."""
    for path in folder.iterdir():
        before = path.read_bytes()
        path.write_bytes(before)
        os.utime(path, ns=(0, 0))


HARMS: dict[str, Harm] = {
    "tags missing": lambda folder: (folder / "0.tags").unlink(),
    "tags emptied": lambda folder: os.truncate(folder / "0.tags", 0),
    "seal missing": lambda folder: (folder / "0.seal").unlink(),
    "seal emptied": lambda folder: os.truncate(folder / "0.seal", 0),
    "seal garbled": lambda folder: (folder / "0.seal").write_bytes(b"\x95\xff"),
    "copied back": copied_back,
}
# Those of a process that was killed: what was written under the open seal is cut off again.
CUTS: dict[str, Harm] = {
    "the last tag missing": lambda folder: os.truncate(folder / "0.tags", 16 * 7),
    "the last tag torn": lambda folder: os.truncate(folder / "0.tags", 16 * 8 - 1),
    "all tags missing": lambda folder: os.truncate(folder / "0.tags", 0),
    "count missing": lambda folder: (folder / "0.count").unlink(),
    "count torn": lambda folder: os.truncate(folder / "0.count", 7),
}


@pytest.mark.parametrize("boot", ["one", "two"])
def test_after_a_clean_end_a_key_is_used_again_even_if_the_machine_was_started_anew(tmp_path: Path, boot: str) -> None:
    used(tmp_path).replay.close()
    assert reload(tmp_path, boot).retired == []


def test_after_a_kill_a_key_is_used_again_as_long_as_the_kernel_runs(tmp_path: Path) -> None:
    used(tmp_path).replay.discard()  # closes the file, as the kernel does, and says nothing
    for _ in range(3):
        assert reload(tmp_path).retired == []


def test_after_a_power_cut_a_key_that_was_in_use_is_retired(tmp_path: Path) -> None:
    used(tmp_path).replay.discard()
    assert reload(tmp_path, "two").retired == [0]


def test_after_a_power_cut_a_key_that_no_packet_had_come_for_is_used(tmp_path: Path) -> None:
    key = FileKeys(tmp_path, boot="one").create(0)
    key.replay.discard()
    (again,) = FileKeys(tmp_path, boot="two").load().keys
    assert again.secret == key.secret
    again.replay.discard()


def test_a_kill_and_then_a_power_cut_retire_a_key_however_often_it_was_loaded_between(tmp_path: Path) -> None:
    used(tmp_path).replay.discard()
    reload(tmp_path)
    assert reload(tmp_path, "two").retired == [0]


def test_a_kernel_that_does_not_name_its_boot_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "_BOOT_ID", tmp_path / "nothing")
    assert seal.this_boot() == ""
    used(tmp_path, boot="").replay.discard()
    assert reload(tmp_path, "").retired == [0]


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
@pytest.mark.parametrize("clean", [True, False], ids=["closed", "killed"])
def test_a_key_is_retired_after(tmp_path: Path, harm: Harm, clean: bool) -> None:
    folder = tmp_path / "keys"
    key = used(folder)
    key.replay.close()
    if not clean:  # in use for the second time, so that the seal knows a size
        (again,) = FileKeys(folder, boot="one").load().keys
        again.replay.admit([bytes([99]) * 16])
        again.replay.discard()
    harm(folder)
    assert reload(folder).retired == [0]


@pytest.mark.parametrize(
    "restored", [("0.tags", "0.count"), ("0.tags",), ("0.count",), ("0.tags", "0.count", "0.seal")]
)
def test_after_a_kill_a_backup_of_the_same_boot_in_its_place_retires_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restored: tuple[str, ...]
) -> None:
    """It is written into the files that are there: all that it lacks are the last tags."""
    real, ago = time.time_ns, 60 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: real() - ago)  # when the backup was made
    key = used(tmp_path)
    backup = {name: (tmp_path / name).read_bytes() for name in restored}
    monkeypatch.setattr(time, "time_ns", real)
    key.replay.admit([bytes([98]) * 16])
    key.replay.discard()
    for name, content in backup.items():
        (tmp_path / name).write_bytes(content)
    assert reload(tmp_path).retired == [0]


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("runs", [1, 2])
def test_after_a_kill_a_key_is_retired_whose_tags_are_cut_off(tmp_path: Path, cut: Harm, runs: int) -> None:
    used(tmp_path).replay.discard()
    for _ in range(runs - 1):  # another run of the node, which adds nothing new
        reload(tmp_path)
    cut(tmp_path)
    assert reload(tmp_path).retired == [0]


@pytest.mark.parametrize("failing", [1, 2], ids=["the tags", "their count"])
def test_a_full_disk_refuses_packets_and_gives_up_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    key, write, calls = used(tmp_path), os.pwrite, count(1)

    def full(*given: Any) -> int:
        if next(calls) == failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(*given)

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(Unavailable):
            key.replay.admit([bytes([50]) * 16])
    assert key.replay.admit([bytes([50]) * 16, bytes([51]) * 16]) == [False, True]
    key.replay.discard()
    assert reload(tmp_path).retired == []


def test_a_clean_end_is_void_once_the_files_were_written_over(tmp_path: Path) -> None:
    used(tmp_path).replay.close()
    written_over(tmp_path)
    assert reload(tmp_path).retired == [0]


def test_an_open_seal_that_is_younger_than_it_says_is_a_copy(tmp_path: Path) -> None:
    used(tmp_path).replay.discard()
    path = tmp_path / "0.seal"
    genuine = msgspec.msgpack.decode(path.read_bytes(), type=seal.Seal)
    path.write_bytes(msgspec.msgpack.encode(genuine))
    assert reload(tmp_path).retired == []
    earlier = msgspec.structs.replace(genuine, written=genuine.written - 20 * 10**9)  # a backup of 20 seconds ago
    path.write_bytes(msgspec.msgpack.encode(earlier))
    assert reload(tmp_path).retired == [0]


def test_tags_whose_synchronising_failed_are_not_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = used(tmp_path)

    def refuse(_descriptor: int) -> None:
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        key.replay.close()
    assert reload(tmp_path).retired == [0]


def test_the_seal_is_open_on_the_disk_before_the_first_tag_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = FileKeys(tmp_path, boot="one").create(0)
    events: list[str] = []
    write, synchronise = os.pwrite, seal.sync_folder
    monkeypatch.setattr(os, "pwrite", lambda *given: (events.append("tag"), write(*given))[1])
    monkeypatch.setattr(seal, "sync_folder", lambda folder: (events.append("seal"), synchronise(folder))[1])
    key.replay.admit(TAGS[:4])
    key.replay.admit(TAGS[4:])
    assert events == ["tag", "seal", *["tag", "tag"] * 2]  # the count is written as tags are: before, and after each
    key.replay.discard()


def test_a_retired_key_is_replaced_by_another_and_its_neighbours_stay(tmp_path: Path) -> None:
    ring = KeyRing(FileKeys(tmp_path, boot="one"), EPOCHS, GRACE)
    ring.turn(1000.0)
    before = ring.publics(1000.0)
    ring.live(1000.0)[0].replay.admit(TAGS)
    again = KeyRing(FileKeys(tmp_path, boot="two"), EPOCHS, GRACE)  # the power went before `ring` was closed
    again.turn(1000.0)
    after = again.publics(1000.0)
    assert [after[epoch] == before[epoch] for epoch in range(3)] == [False, True, True]
    assert again.retired == {0: Retired.UNPROVEN}
    assert isinstance(again.live(1000.0)[0].secret, SphinxSecret)
    again.close()
