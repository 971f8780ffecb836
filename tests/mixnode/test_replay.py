"""The replay store: nothing accepted twice, wherever a kill cuts the file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.errors import LocalError, Unavailable
from mixnode.replay import NoJournal, Replay, TagFile
from mixnode.tags import TAG_SIZE

TAGS = st.integers(0, 30).map(lambda number: number.to_bytes(TAG_SIZE, "big"))
BOOT = "this boot"
BATCHES = st.lists(st.lists(TAGS, max_size=6), max_size=8)


@given(BATCHES)
def test_each_tag_is_admitted_once(batches: list[list[bytes]]) -> None:
    replay, seen = Replay(NoJournal()), set()
    for batch in batches:
        for tag, new in zip(batch, replay.admit(batch), strict=True):
            assert new == (tag not in seen)
            seen.add(tag)
    assert len(replay._seen) == len(seen)


@settings(max_examples=60)
@given(BATCHES, st.data())
def test_killed_at_any_byte_of_a_write_nothing_is_accepted_twice(
    batches: list[list[bytes]], data: st.DataObject
) -> None:
    """A kill leaves a prefix of the write under way; what was admitted before it is on file as a whole."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "0.tags"
        accepted: set[bytes] = set()
        for batch in batches:
            replay = Replay(TagFile(path, BOOT))
            whole = path.stat().st_size - path.stat().st_size % TAG_SIZE
            killed = data.draw(st.booleans())
            verdicts = replay.admit(batch)
            fresh = {tag for tag, new in zip(batch, verdicts, strict=True) if new}
            assert not fresh & accepted
            replay.close()
            if killed:  # before `admit` returned, so nothing of this batch was accepted
                os.truncate(path, data.draw(st.integers(whole, max(whole, path.stat().st_size))))
            else:
                accepted |= fresh
        final = Replay(TagFile(path, BOOT))
        assert final.admit(sorted(accepted)) == [False] * len(accepted)
        final.close()


def test_a_failed_write_admits_nothing_now_or_later_and_harms_no_tag(tmp_path: Path) -> None:
    class Broken(TagFile):
        broken = False

        def append(self, tags: bytes) -> None:
            if self.broken:
                os.pwrite(self._descriptor, tags[:5], self._end)  # the disk took five bytes
                raise Unavailable("the disk is full")
            super().append(tags)

    journal = Broken(tmp_path / "0.tags", BOOT)
    replay = Replay(journal)
    first, second, third = (bytes([number]) * TAG_SIZE for number in range(3))
    assert replay.admit([first]) == [True]
    journal.broken = True
    with pytest.raises(Unavailable):
        replay.admit([second])
    journal.broken = False
    assert replay.admit([second, third]) == [False, True]
    replay.close()
    again = Replay(TagFile(tmp_path / "0.tags", BOOT))
    assert again.admit([first, third]) == [False, False]
    again.close()


def test_a_disk_that_takes_less_than_all_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replay = Replay(TagFile(tmp_path / "0.tags", BOOT))
    replay.begin()
    monkeypatch.setattr(os, "pwrite", lambda _descriptor, data, _position: len(data) - 1)
    with pytest.raises(Unavailable, match="full"):
        replay.admit([bytes(TAG_SIZE)])
    replay.close()


def test_a_closed_store_admits_nothing_and_writes_nowhere(tmp_path: Path) -> None:
    replay = Replay(TagFile(tmp_path / "0.tags", BOOT))
    replay.close()
    other = tmp_path / "other"
    with other.open("wb"), pytest.raises(Unavailable):  # the file takes the descriptor's number
        replay.admit([bytes(TAG_SIZE)])
    assert other.read_bytes() == b""


def test_one_write_of_tags_and_one_of_their_count_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replay = Replay(TagFile(tmp_path / "0.tags", BOOT))
    writes: list[int] = []
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: writes.append(len(data)) or real(fd, data, at))
    replay.begin()
    writes.clear()
    replay.admit([bytes([number]) * TAG_SIZE for number in range(32)])
    assert writes == [32 * TAG_SIZE, 16]
    assert (tmp_path / "0.tags").stat().st_mode & 0o077 == 0
    replay.close()


def test_a_tag_of_another_size_is_a_bug() -> None:
    with pytest.raises(LocalError):
        Replay(NoJournal()).admit([b"short"])


def test_beyond_its_limit_it_admits_nothing(tmp_path: Path) -> None:
    replay = Replay(TagFile(tmp_path / "0.tags", BOOT), limit=3)
    first, second, third, fourth = (bytes([number]) * TAG_SIZE for number in range(4))
    assert replay.admit([first, second]) == [True, True]
    with pytest.raises(Unavailable, match="full"):
        replay.admit([third, fourth])
    assert replay.full
    with pytest.raises(Unavailable, match="full"):
        replay.admit([third])  # it would fit: but a key that is to be retired is not used for a while longer
    replay.close()
    assert (tmp_path / "0.tags").stat().st_size == 2 * TAG_SIZE
