"""Mailboxes keep what they accepted, within their limits, until it is acknowledged, erased or too old."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mixnet.errors import LocalError, Unavailable
from mixnode.mailboxes import (
    GRAINS,
    Acknowledge,
    Applied,
    Erase,
    Full,
    Limits,
    Load,
    Loaded,
    Mailboxes,
    Open,
    StoredPacket,
    StorePacket,
    Sweep,
    Unknown,
)

LIMITS = Limits(mailboxes=3, messages=4, size=500, age=168.0)  # a grain is one second
BOXES = st.integers(0, 4).map(lambda number: bytes([number]) * 32)
PACKETS = st.integers(1, 200).map(bytes)


class Model(RuleBasedStateMachine):
    """Against a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.mailboxes = Mailboxes(None)
        self.now = 1000.0
        self.kept: dict[bytes, list[tuple[int, bytes, float]]] = {}
        self.opened: dict[bytes, float] = {}
        self.last = 0

    def perform(self, operation: object) -> object:
        (result,) = self.mailboxes.perform([operation], LIMITS, self.now)  # type: ignore[list-item]
        return result

    @rule(box=BOXES)
    def open(self, box: bytes) -> None:
        allowed = box in self.kept or len(self.kept) < LIMITS.mailboxes
        assert self.perform(Open(box)) == (Applied() if allowed else Full())
        if allowed:
            self.kept.setdefault(box, [])
            self.opened[box] = self.now

    @rule(box=BOXES, packet=PACKETS)
    def store(self, box: bytes, packet: bytes) -> None:
        result = self.perform(StorePacket(box, packet))
        if box not in self.kept:
            assert result == Unknown()
            return
        size = sum(len(one) for _, one, _ in self.kept[box])
        if len(self.kept[box]) >= LIMITS.messages or size + len(packet) > LIMITS.size:
            assert result == Full()
        else:
            assert isinstance(result, StoredPacket)
            assert result.number > self.last
            self.last = result.number
            self.kept[box].append((result.number, packet, self.now))

    @rule(box=BOXES, after=st.integers(0, 40), most=st.integers(1, 5))
    def load(self, box: bytes, after: int, most: int) -> None:
        expected = [(number, packet) for number, packet, _ in self.kept.get(box, []) if number > after][:most]
        assert self.perform(Load(box, after, most)) == Loaded(tuple(expected))

    @rule(box=BOXES, through=st.integers(0, 40))
    def acknowledge(self, box: bytes, through: int) -> None:
        before = self.kept.get(box, [])
        after = [one for one in before if one[0] > through]
        assert self.perform(Acknowledge(box, through)) == Applied(len(before) - len(after))
        if box in self.kept:
            self.kept[box] = after

    @rule(box=BOXES)
    def erase(self, box: bytes) -> None:
        assert self.perform(Erase(box)) == Applied(len(self.kept.pop(box, [])))

    @rule(pause=st.integers(1, 120))
    def sweep(self, pause: int) -> None:
        """All that is older than the age allowed and a grain is gone; nothing younger than the age."""
        self.now += pause
        self.perform(Sweep())
        for box in list(self.kept):
            if self.opened[box] + LIMITS.age <= self.now:
                del self.kept[box]
            else:
                self.kept[box] = [one for one in self.kept[box] if one[2] + LIMITS.age > self.now]

    @invariant()
    def same(self) -> None:
        assert len(self.mailboxes._usage) == len(self.kept)
        for box, packets in self.kept.items():
            assert self.mailboxes._usage[box] == (len(packets), sum(len(one) for _, one, _ in packets))


Model.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestModel = Model.TestCase


def test_one_call_is_one_transaction(tmp_path: Path) -> None:
    mailboxes = Mailboxes(tmp_path / "m.sqlite")
    box = bytes(32)
    mailboxes.perform([Open(box), StorePacket(box, b"kept")], LIMITS, 0.0)
    with pytest.raises(Unavailable):
        mailboxes.perform([StorePacket(box, b"not kept"), StorePacket(box, {})], LIMITS, 0.0)  # type: ignore[arg-type]
    assert mailboxes._usage[box] == (1, 4)
    assert mailboxes.perform([Load(box, 0, 10)], LIMITS, 0.0) == [Loaded(((1, b"kept"),))]
    mailboxes.close()


def test_a_disk_that_fails_twice_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a failed transaction counted is forgotten at the next call, if the disk fails at forgetting it too."""
    mailboxes = Mailboxes(tmp_path / "m.sqlite")
    box = bytes(32)
    mailboxes.perform([Open(box), StorePacket(box, b"kept")], LIMITS, 0.0)

    def refuse(_: Mailboxes) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(Mailboxes, "_settle", refuse)
        for _ in range(2):
            with pytest.raises(Unavailable):
                mailboxes.perform([StorePacket(box, b"not kept"), StorePacket(box, {})], LIMITS, 0.0)  # type: ignore[arg-type]
    assert mailboxes.perform([StorePacket(box, b"new")], LIMITS, 0.0) != []
    assert mailboxes._usage[box] == (2, 7)
    mailboxes.close()


def test_what_was_committed_survives_kill_nine(tmp_path: Path) -> None:
    """Another process stores, tells what it committed, and kills itself in the middle of it."""
    program = """
import os, signal, sys
from pathlib import Path
from mixnode.mailboxes import *
limits = Limits(10, 10**6, 10**9, 10**6)
mailboxes = Mailboxes(Path(sys.argv[1]))
mailboxes.perform([Open(bytes(32))], limits, 0.0)
for number in range(200):
    mailboxes.perform([StorePacket(bytes(32), bytes(3000) + number.to_bytes(2, "big"))], limits, 0.0)
    os.write(1, number.to_bytes(2, "big"))
    if number == 137:
        os.kill(os.getpid(), signal.SIGKILL)
"""
    path = tmp_path / "m.sqlite"
    told = subprocess.run([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, check=False).stdout
    assert len(told) == 2 * 138
    (loaded,) = Mailboxes(path).perform([Load(bytes(32), 0, 1000)], Limits(10, 10**6, 10**9, 1e6), 0.0)
    assert isinstance(loaded, Loaded)
    assert [packet[-2:] for _, packet in loaded.packets] == [told[at : at + 2] for at in range(0, len(told), 2)]


def test_deleted_bytes_are_gone_from_the_disk(tmp_path: Path) -> None:
    path, secret = tmp_path / "m.sqlite", b"a packet that nobody may find again" * 20
    mailboxes = Mailboxes(path)
    wide = Limits(3, 10, 10**6, 168.0)
    mailboxes.perform([Open(bytes(32)), StorePacket(bytes(32), secret)], wide, 0.0)
    mailboxes.perform([Erase(bytes(32))], wide, 0.0)
    mailboxes.close()  # moves the write-ahead log into the database
    assert secret[:64] not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


@given(st.floats(0, 1e9))
def test_times_of_expiry_tell_an_hour_at_best(now: float) -> None:
    mailboxes, week = Mailboxes(None), 7 * 86400.0
    mailboxes.perform([Open(bytes(32)), StorePacket(bytes(32), b"x")], Limits(3, 4, 500, week), now)
    (expires,) = mailboxes._database.execute("SELECT expires FROM packets").fetchone()
    assert now + week <= expires <= now + week + week / GRAINS + 1
    assert (expires / 3600) == pytest.approx(round(expires / 3600), abs=1e-6)
    mailboxes.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.sqlite").write_bytes(b"something else" * 100)
    with pytest.raises(LocalError, match="can't use the mailboxes"):
        Mailboxes(tmp_path / "m.sqlite")
    assert sqlite3.sqlite_version_info >= (3, 35)  # RETURNING


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 60)), max_size=60), st.integers(60, 3000))
def test_who_fills_large_mailboxes_leaves_the_others_their_share(stores: list[tuple[int, int]], total: int) -> None:
    limits = Limits(mailboxes=3, messages=1000, size=10**6, age=168.0, total=total)
    mailboxes, held = Mailboxes(None), [0, 0, 0]
    boxes = [bytes([number]) * 32 for number in range(3)]
    mailboxes.perform([Open(box) for box in boxes], limits, 0.0)
    for number, size in stores:
        (result,) = mailboxes.perform([StorePacket(boxes[number], bytes(size))], limits, 0.0)
        if held[number] + size <= total // 2 // 3 or sum(held) + size <= total // 2:
            assert isinstance(result, StoredPacket)
        held[number] += size if isinstance(result, StoredPacket) else 0
        assert sum(held) <= total
    mailboxes.perform([Erase(boxes[0]), Sweep()], limits, 200.0)
    mailboxes.perform([Open(boxes[0])], limits, 200.0)
    (result,) = mailboxes.perform([StorePacket(boxes[0], bytes(total // 2))], limits, 200.0)
    assert isinstance(result, StoredPacket)  # what was erased and swept takes no space


def test_a_sweep_names_the_mailboxes_that_it_deleted() -> None:
    mailboxes = Mailboxes(None)
    mailboxes.perform([Open(b"a" * 32)], LIMITS, 0.0)
    mailboxes.perform([Open(b"b" * 32)], LIMITS, 100.0)
    (swept,) = mailboxes.perform([Sweep()], LIMITS, 200.0)
    assert swept == Applied(0, (b"a" * 32,))


def foreign(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE notes (text)")


def truncated(path):
    Mailboxes(path).close()
    os.truncate(path, path.stat().st_size // 2)


MADE = {
    "missing": lambda path: None,
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(8192)),
    "foreign": foreign,
    "truncated": truncated,
}


@pytest.mark.parametrize("made", MADE)
def test_mail_that_is_lost_is_said(tmp_path, made):
    MADE[made](tmp_path / "m.sqlite")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(LocalError, match=r"m.sqlite.*: restore it"):
        Mailboxes(tmp_path / "m.sqlite", instead="restore it")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    if made not in ("missing", "empty"):
        with pytest.raises(LocalError, match="move it away"):
            Mailboxes(tmp_path / "m.sqlite")


def test_a_first_start_that_was_killed_is_gone_on_with(tmp_path):
    (tmp_path / "m.sqlite").write_bytes(b"")
    Mailboxes(tmp_path / "m.sqlite").close()
    Mailboxes(tmp_path / "m.sqlite", instead="restore it").close()
