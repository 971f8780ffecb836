"""What an authority wrote down is there after a restart, whole."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from mixnet.directory.ledger import HISTORY, FileStore, Ledger, LedgerStore, MemoryStore
from mixnet.directory.voting import Statement
from mixnet.errors import LocalError

STATEMENT = Statement(b"vote", bytes(32))


@pytest.fixture(params=["file", "memory"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Ledger]:
    """A new ledger on the same storage at each call."""
    memory: LedgerStore = MemoryStore()
    return lambda: Ledger(memory if request.param == "memory" else FileStore(tmp_path / "data"))


def test_nothing_is_remembered_at_first(reopen: Callable[[], Ledger]) -> None:
    ledger = reopen()
    assert (ledger.documents(), ledger.descriptors(), ledger.statement(0, 1)) == ({}, [], None)


def test_all_is_there_after_a_restart(reopen: Callable[[], Ledger]) -> None:
    ledger = reopen()
    ledger.keep_document(3, b"old")
    ledger.keep_document(3, b"three")
    ledger.keep_document(4, b"four")
    ledger.keep_descriptor(3, bytes(32), b"descriptor")
    ledger.keep_statement(3, 1, STATEMENT)
    again = reopen()
    assert again.documents() == {3: b"three", 4: b"four"}
    assert again.descriptors() == [b"descriptor"]
    assert again.statement(3, 1) == STATEMENT
    assert again.statement(3, 0) is None


def test_one_document_is_signed_in_an_epoch_restarts_included(reopen: Callable[[], Ledger]) -> None:
    assert reopen().may_sign(3, b"one")
    assert reopen().may_sign(3, b"one")
    assert not reopen().may_sign(3, b"other")
    assert reopen().may_sign(4, b"other")


def test_old_entries_are_removed(reopen: Callable[[], Ledger], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # five hundred of them would take seconds
    ledger = reopen()
    for epoch in range(HISTORY + 10):
        ledger.keep_document(epoch, b"document")
        ledger.keep_descriptor(epoch, bytes(32), b"%d" % epoch)
        ledger.keep_statement(epoch, 0, STATEMENT)
        ledger.may_sign(epoch, b"digest")
    assert min(ledger.documents()) == 9
    assert max(ledger.documents()) == HISTORY + 9
    assert len(ledger.descriptors()) == 5
    assert ledger.statement(HISTORY, 0) is None


def test_an_interrupted_write_leaves_the_old_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(FileStore(tmp_path))
    ledger.keep_document(3, b"whole")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LocalError, match="No space left"):
        ledger.keep_document(3, b"half")
    monkeypatch.undo()
    assert Ledger(FileStore(tmp_path)).documents() == {3: b"whole"}


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    ledger = Ledger(FileStore(tmp_path / "data"))
    ledger.keep_statement(3, 1, STATEMENT)
    entries = list((tmp_path / "data").rglob("*"))
    assert any(entry.is_file() for entry in entries)
    assert all(stat.S_IMODE(entry.stat().st_mode) & 0o077 == 0 for entry in entries)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(LocalError, match="data"):
        FileStore(tmp_path / "data")


def test_evidence_is_kept_for_good_once_for_each_subject(reopen: Callable[[], Ledger]) -> None:
    assert reopen().keep_evidence(1, "1-vote-ab", b"proof")
    assert not reopen().keep_evidence(1, "1-vote-ab", b"again")
    assert reopen().keep_evidence(10 * HISTORY, "1-vote-ab", b"later")
    assert reopen().evidence() == [b"proof", b"later"]


def test_evidence_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mixnet.directory.ledger.MOST_EVIDENCE", 2)
    ledger = Ledger(MemoryStore())
    assert [ledger.keep_evidence(epoch, "", b"") for epoch in range(3)] == [True, True, False]


LOST = {
    "no signatures": lambda folder: shutil.rmtree(folder / "signed"),
    "no votes": lambda folder: shutil.rmtree(folder / "votes"),
    "no documents": lambda folder: shutil.rmtree(folder / "documents"),
    "an empty vote": lambda folder: next((folder / "votes").iterdir()).write_bytes(b""),
    "an empty document": lambda folder: next((folder / "documents").iterdir()).write_bytes(b""),
    "somebody's file": lambda folder: (folder / "signed" / "notes.txt").write_text("mine"),
}


@pytest.mark.parametrize("damage", LOST)
def test_an_authority_that_forgot_something_does_not_start(tmp_path: Path, damage: str) -> None:
    def begin() -> Ledger:
        return Ledger(FileStore(tmp_path))

    (tmp_path / "documents").mkdir()  # a first start that was killed in between
    for epoch in (2, 3):
        begin().keep_document(epoch, b"document")
        begin().keep_statement(epoch, 0, STATEMENT)
        begin().may_sign(epoch, b"digest")
    assert begin().documents() == {2: b"document", 3: b"document"}
    LOST[damage](tmp_path)
    with pytest.raises(LocalError, match="restore a copy of the whole folder"):
        begin()


def test_a_clock_that_leaps_does_not_make_an_authority_forget_what_it_stated(reopen: Callable[[], Ledger]) -> None:
    ledger = reopen()
    ledger.keep_document(9, b"document")
    for epoch in (9, 10):
        ledger.keep_statement(epoch, 0, STATEMENT)
        ledger.may_sign(epoch, b"one")
        ledger.keep_descriptor(epoch, bytes(32), b"descriptor")
    ledger.keep_statement(10_000, 0, STATEMENT)
    ledger.keep_descriptor(10_000, bytes(32), b"far")
    ledger.may_sign(10_000, b"far")
    for epoch in (9, 10):
        assert reopen().statement(epoch, 0) == STATEMENT
        assert not reopen().may_sign(epoch, b"other")
    assert reopen().descriptors().count(b"descriptor") == 2
