"""Erasing a profile: bytes are overwritten, the key first, and nothing that isn't the profile's is touched."""

import os
from pathlib import Path

import pytest

from mixnet.client.model import paths
from mixnet.client.model.errors import WrongPassphrase
from mixnet.client.model.paths import NoProfile
from mixnet.client.profile import lock, shred
from mixnet.client.profile.profile import create, load, open_store
from tests.client.worlds.town import Town

MARK = b"what a contact sent, marked"


@pytest.fixture
def profile(tmp_path):
    Town().bootstrap.save(tmp_path / "bootstrap.json")
    create(tmp_path / "alice", name="alice", bootstrap=tmp_path / "bootstrap.json")
    (tmp_path / "alice" / paths.DOWNLOADS / "letter.txt").write_bytes(MARK * 1000)
    return tmp_path / "alice"


class Disk:
    """Holds every file open, as a disk holds the blocks of a file that was removed: what was overwritten is gone there
    too, what was only removed is not."""

    def __init__(self, directory):
        self._open = {path.name: path.open("rb") for path in directory.rglob("*") if path.is_file()}
        self.before = {name: self.content(name) for name in self._open}

    def content(self, name):
        self._open[name].seek(0)
        return self._open[name].read()

    def close(self):
        for file in self._open.values():
            file.close()


@pytest.fixture
def disk(profile):
    disk = Disk(profile)
    yield disk
    disk.close()


def test_every_byte_is_overwritten_and_the_folder_is_gone(profile, disk):
    assert MARK in disk.content("letter.txt")
    done = shred.erase(profile)
    assert not profile.exists()
    assert (done.files, done.left) == (len(disk.before) + 1, ())  # and the lock
    for name, before in disk.before.items():
        after = disk.content(name)
        assert len(after) == len(before)
        assert after != before
    assert MARK[:8] not in disk.content("letter.txt")
    assert done.bytes >= sum(map(len, disk.before.values()))


def test_a_file_that_was_only_removed_would_show(profile, disk):
    """Control."""
    (profile / paths.DOWNLOADS / "letter.txt").unlink()
    assert MARK in disk.content("letter.txt")


def test_downloads_can_stay(profile):
    done = shred.erase(profile, keep_downloads=True)
    assert [path.relative_to(profile) for path in done.left] == [Path(paths.DOWNLOADS, "letter.txt")]
    assert (profile / paths.DOWNLOADS / "letter.txt").read_bytes() == MARK * 1000
    assert {path.name for path in profile.iterdir()} == {paths.DOWNLOADS}


def test_what_has_another_name_or_is_elsewhere_is_not_overwritten(profile, tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_bytes(MARK)
    os.link(mine, profile / paths.DOWNLOADS / "again.txt")
    (profile / paths.DOWNLOADS / "link.txt").symlink_to(mine)
    (profile / paths.DOWNLOADS / "far").symlink_to(tmp_path)
    shred.erase(profile)
    assert mine.read_bytes() == MARK
    assert not profile.exists()


def test_what_is_no_part_of_a_profile_is_left_and_named(profile):
    (profile / "notes.txt").write_text("of the user's own")
    done = shred.erase(profile)
    assert [path.name for path in done.left] == ["notes.txt"]
    assert (profile / "notes.txt").read_text() == "of the user's own"


def test_a_running_daemon_is_not_robbed(profile):
    with lock.hold(profile / paths.LOCK), pytest.raises(lock.AlreadyRunning):
        shred.erase(profile)
    open_store(load(profile)).close()


def test_the_key_goes_first_and_an_interrupted_erasure_goes_on(profile, monkeypatch):
    unlink, gone = Path.unlink, []

    def fail_at_the_second(path, missing_ok=False):
        if gone:
            raise OSError(5, "the disk refuses")
        gone.append(path.name)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", fail_at_the_second)
    with pytest.raises(OSError, match="refuses"):
        shred.erase(profile)
    monkeypatch.undo()
    assert gone == [paths.KEY]
    (profile / paths.KEY).write_bytes(bytes(32))
    with pytest.raises(WrongPassphrase):
        open_store(load(profile))
    shred.erase(profile)
    assert not profile.exists()
    with pytest.raises(NoProfile):
        shred.erase(profile)
