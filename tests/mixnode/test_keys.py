"""Keys through the epochs: there in time, gone in time, and never without their tags."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.crypto import SphinxSecret
from mixnet.errors import LocalError, RemoteError, Unavailable
from mixnet.sphinx import Command, Deliver, Hop, Kind, SphinxEngine
from mixnode.keyfiles import FileKeys
from mixnode.keys import KeyRing, MemoryKeys, Retired, StoredKeys, peel_untrusted
from tests.mixnode.epochs import EPOCHS, GRACE


@given(st.lists(st.floats(0, 180), max_size=12))
def test_at_any_time_exactly_the_right_keys_are_live(steps: list[float]) -> None:
    ring, now = KeyRing(MemoryKeys(), EPOCHS, GRACE), 1000.0
    known: dict[int, bytes] = {}
    for step in steps:
        now += step
        ring.turn(now)
        epoch = EPOCHS.at(now)
        publics = ring.publics(now)
        assert list(publics) == [epoch, epoch + 1, epoch + 2]
        for one, public in publics.items():
            assert known.setdefault(one, public) == public  # what was published stays
        live = {key.epoch for key in ring.live(now)}
        assert {epoch, epoch + 1} <= live <= {epoch - 1, epoch, epoch + 1}
        if epoch - 1 in live:
            assert now < EPOCHS.end(epoch - 1) + GRACE
        assert set(ring._keys) <= {epoch - 1, epoch, epoch + 1, epoch + 2}
        assert now < ring.next_turn(now) <= EPOCHS.end(epoch)


def test_the_packet_of_a_neighbouring_epoch_is_peeled_with_its_key() -> None:
    ring, engine = KeyRing(MemoryKeys(), EPOCHS, GRACE), SphinxEngine()
    ring.turn(1000.0)
    publics = ring.publics(1000.0)
    packets = {
        epoch: engine.create([Hop(public, Command(Kind.DELIVER, bytes(32), 0))], b"hi", seed=os.urandom(32))
        for epoch, public in publics.items()
    }
    ring.turn(1110.0)
    for epoch, packet in packets.items():
        key, peeled = peel_untrusted(engine, ring.live(1110.0), packet)
        assert (key.epoch, isinstance(peeled, Deliver)) == (epoch, True)
    ring.turn(1150.0)
    with pytest.raises(RemoteError):
        peel_untrusted(engine, ring.live(1150.0), packets[0])


def test_whoever_shares_the_keys_is_told_of_each_that_is_given_up() -> None:
    ring, gone = KeyRing(MemoryKeys(limit=1), EPOCHS, GRACE), []
    ring.when_forgotten(lambda key: gone.append(key.epoch))
    ring.turn(1000.0)
    assert gone == []
    ring.turn(1150.0)
    assert gone == [0]
    with pytest.raises(Unavailable):
        ring.live(1150.0)[0].replay.admit([bytes(16), bytes([1] * 16)])
    ring.turn(1150.0)
    assert gone == [0, 1]  # its memory for tags is full


def test_keys_and_tags_survive_and_expire_on_disk(tmp_path: Path) -> None:
    ring = KeyRing(FileKeys(tmp_path / "keys"), EPOCHS, GRACE)
    ring.turn(1000.0)
    before = ring.publics(1000.0)
    ring.live(1000.0)[0].replay.admit([bytes(16)])
    ring.close()
    again = KeyRing(FileKeys(tmp_path / "keys"), EPOCHS, GRACE)
    again.turn(1000.0)
    assert again.publics(1000.0) == before
    assert again.live(1000.0)[0].replay.admit([bytes(16)]) == [False]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "keys").iterdir())
    again.turn(1150.0)
    again.close()
    assert {path.stem for path in (tmp_path / "keys").iterdir()} == {"1", "2", "3"}


def test_killed_at_any_point_of_making_a_key_there_is_none_or_a_whole_one(tmp_path: Path) -> None:
    (tmp_path / "5.tags").touch()  # before the key was written
    (tmp_path / "6.tags").touch()
    (tmp_path / "6.new").write_bytes(b"half")  # before it was named
    (tmp_path / "7.old").write_bytes(b"random")  # before it was removed
    assert FileKeys(tmp_path).load() == StoredKeys([], [])
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_is_over_is_overwritten_before_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileKeys(tmp_path)
    secret = store.create(0).secret.expose()
    opened, unlink, last = os.open(tmp_path / "0.key", os.O_RDONLY), Path.unlink, {}

    def remember(path: Path, **named: Any) -> None:
        if path.exists():
            last[path.name] = path.read_bytes()
        unlink(path, **named)

    monkeypatch.setattr(Path, "unlink", remember)
    store.delete(0)
    assert os.pread(opened, 32, 0) != secret
    assert len(last["0.old"]) == 32
    assert all(secret not in content for content in last.values())
    os.close(opened)


class Killed(BaseException):
    """What ends everything between two system calls."""


def killed_at(step: int, patched: pytest.MonkeyPatch) -> None:
    """Let the process end instead of the system call with this number that makes, names, fills or removes a file."""
    steps = count()

    def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            if next(steps) == step:
                raise Killed
            return function(*given, **named)

        return call

    for name in ("open", "write", "pwrite", "fsync"):
        patched.setattr(os, name, guarded(getattr(os, name)))
    for name in ("rename", "replace", "unlink"):
        patched.setattr(Path, name, guarded(getattr(Path, name)))


@pytest.mark.parametrize("act", ["create", "begin", "delete"])
def test_killed_between_any_two_system_calls_no_key_is_half_or_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    found = set()
    for step in range(100):
        store = FileKeys(tmp_path / str(step), boot="one")
        key = None if act == "create" else store.create(0)
        ended = True
        with monkeypatch.context() as patched:
            killed_at(step, patched)
            try:
                if key is None:
                    store.create(0)
                else:
                    key.replay.begin() if act == "begin" else store.delete(0)
            except Killed:
                ended = False
        left = FileKeys(tmp_path / str(step), boot="one").load()
        assert left.retired == []
        assert {path.stem for path in (tmp_path / str(step)).iterdir()} == {str(one.epoch) for one in left.keys}
        found.add(len(left.keys))
        if ended:
            break
    assert ended
    assert step > 5
    assert found == ({1} if act == "begin" else {0, 1})


def test_a_damaged_or_unreadable_key_is_refused_with_what_to_do(tmp_path: Path) -> None:
    store = FileKeys(tmp_path)
    store.create(0).replay.close()
    (tmp_path / "0.key").write_bytes(b"short")
    with pytest.raises(LocalError, match="delete it"):
        store.load()
    (tmp_path / "file").touch()
    with pytest.raises(LocalError, match="can't make the folder"):
        FileKeys(tmp_path / "file" / "keys")


def test_a_full_key_is_retired_and_replaced(tmp_path: Path) -> None:
    ring, woken = KeyRing(FileKeys(tmp_path, limit=2), EPOCHS, GRACE), []
    ring.wake_when_full(lambda: woken.append(True))
    ring.turn(1000.0)
    before = ring.publics(1000.0)
    current, following = ring.live(1000.0)
    assert current.replay.admit([bytes([number]) * 16 for number in range(2)]) == [True, True]
    assert not woken
    with pytest.raises(Unavailable, match="full"):
        current.replay.admit([bytes([3]) * 16])
    assert [key.epoch for key in ring.live(1000.0)] == [1]  # at once, before anybody has turned
    assert woken
    ring.turn(1000.0)
    after = ring.publics(1000.0)
    assert (after[0] == before[0], after[1] == before[1]) == (False, True)
    assert ring.retired == {0: Retired.FULL}
    assert [key.epoch for key in ring.live(1000.0)] == [0, 1]
    assert following.replay.admit([bytes(16)]) == [True]
    ring.turn(1150.0)
    assert ring.retired == {}
    ring.close()


def test_a_full_key_stays_full_after_a_restart(tmp_path: Path) -> None:
    store = FileKeys(tmp_path, limit=2)
    key = store.create(0)
    key.replay.admit([bytes([number]) * 16 for number in range(2)])
    key.replay.close()
    ring = KeyRing(FileKeys(tmp_path, limit=2), EPOCHS, GRACE)
    assert ring.live(1000.0) == []
    ring.turn(1000.0)
    assert ring.retired == {0: Retired.FULL}
    ring.close()


def test_no_key_is_printed() -> None:
    key = MemoryKeys().create(0)
    assert isinstance(key.secret, SphinxSecret)
    assert key.secret.expose().hex() not in repr(key)
