"""What an authority must not forget: its documents, descriptors, votes, and what it has signed.

See spec/05-directory.md 5.7.

Promises: an entry is whole or absent, whatever is killed when; what the authority states (its vote, the digest that it
signs) is on the disk before the call returns, so it never states two different things for one round or epoch, restarts
included. Old entries are removed; evidence, and what introduced other authorities, never. Never: a thread; entries are
small, and written a few times an epoch.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import msgspec

from mixnet.crypto import KEY_SIZE
from mixnet.directory.voting import Statement
from mixnet.errors import LocalError
from mixnet.files import make_folder, replace_file
from mixnet.pki.requests import RoundReport

HISTORY = 128  # epochs for which documents are kept
_BRIEF = 4  # epochs for which everything else is kept
MOST_EVIDENCE = 1000  # proofs that are kept: authorities are few, and one that lies is soon replaced
_DOCUMENTS, _DESCRIPTORS, _VOTES, _SIGNED = "documents", "descriptors", "votes", "signed"
_EVIDENCE, _ROUNDS, _SPLITS, INTRODUCTIONS = "evidence", "rounds", "splits", "introductions"
_FIRST = (_DOCUMENTS, _DESCRIPTORS, _VOTES, _SIGNED)  # what every authority has had from its first start on
_NAME = re.compile(r"\d{15}-.*")
_INSTEAD = (
    "restore a copy of the whole folder; if there is none, have another authority with a new key succeed this one"
    " (`mixnet authority succession`), which might contradict what it signed before"
)
_GROUPS = (_DOCUMENTS, _DESCRIPTORS, _VOTES, _SIGNED, _EVIDENCE, _ROUNDS, _SPLITS, INTRODUCTIONS)
MOST_SPLITS = 8  # epochs for which two documents are kept: one is proof enough
_MOST_REPORTS = 8  # rounds of one epoch of which the ends are remembered


class MemoryStore:
    """Named byte strings in groups, for the simulated world: gone when the authority is."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, bytes]] = {}

    def get(self, group: str, name: str) -> bytes | None:
        """The entry, if there is one."""
        return self._groups.get(group, {}).get(name)

    def put(self, group: str, name: str, entry: bytes) -> None:
        """Write or replace an entry."""
        self._groups.setdefault(group, {})[name] = entry

    def names(self, group: str) -> list[str]:
        """All names of a group, ascending."""
        return sorted(self._groups.get(group, {}))

    def delete(self, group: str, name: str) -> None:
        """Remove an entry."""
        self._groups.get(group, {}).pop(name, None)


class FileStore:
    """A folder for each group, a file for each entry, readable by their owner only."""

    def __init__(self, folder: Path) -> None:
        """Make `folder` if need be; LocalError if that is not possible, or if a part of what was in it is lost."""
        self._folder = folder
        there = [group for group in _GROUPS if (folder / group).is_dir()]
        used = [group for group in there if self.names(group)]
        for group in _GROUPS:
            if used and group in _FIRST and group not in there:
                raise LocalError(f"{folder / group} is missing, and {folder / used[0]} is not empty: {_INSTEAD}")
            make_folder(folder / group)
        for group in used:
            for path in (folder / group / name for name in self.names(group)):
                if not _NAME.fullmatch(path.name) or not path.is_file() or not path.stat().st_size:
                    raise LocalError(f"{path} is empty or not a file of this authority: {_INSTEAD}")

    def get(self, group: str, name: str) -> bytes | None:
        """The entry, if there is one."""
        with contextlib.suppress(FileNotFoundError):
            return (self._folder / group / name).read_bytes()
        return None

    def put(self, group: str, name: str, entry: bytes) -> None:
        """Write or replace an entry, whole and durably."""
        folder = self._folder / group
        try:
            replace_file(folder / name, entry)
        except OSError as error:
            raise LocalError(f"can't write to {folder}: {error.strerror}: free some space, then start again") from None

    def names(self, group: str) -> list[str]:
        """All names of a group, ascending, without what an interrupted `put` left."""
        return sorted(path.name for path in (self._folder / group).iterdir() if not path.name.startswith("."))

    def delete(self, group: str, name: str) -> None:
        """Remove an entry."""
        (self._folder / group / name).unlink(missing_ok=True)


LedgerStore = MemoryStore | FileStore  # a name starts with the epoch to which its entry belongs, and a dash


class Ledger:
    """The memory of one authority."""

    def __init__(self, store: LedgerStore) -> None:
        self._store = store

    def documents(self) -> dict[int, bytes]:
        """The signed documents by epoch."""
        return {_epoch(name): entry for name, entry in self._all(_DOCUMENTS)}

    def keep_document(self, epoch: int, raw: bytes) -> None:
        """Remember the signed document of an epoch, or the same with more signatures."""
        self._store.put(_DOCUMENTS, _name(epoch), raw)
        self._prune(_DOCUMENTS, epoch, HISTORY)

    def descriptors(self) -> list[bytes]:
        """The signed descriptors of all nodes."""
        return [entry for _, entry in self._all(_DESCRIPTORS)]

    def keep_descriptor(self, epoch: int, identity: bytes, raw: bytes) -> None:
        """Remember a node's signed descriptor for an epoch."""
        self._store.put(_DESCRIPTORS, _name(epoch, identity.hex()), raw)
        self._prune(_DESCRIPTORS, epoch, _BRIEF)

    def statement(self, epoch: int, attempt: int) -> Statement | None:
        """What this authority has stated, or was about to, in a round."""
        entry = self._store.get(_VOTES, _name(epoch, str(attempt)))
        return None if entry is None else Statement(vote=entry[KEY_SIZE:], secret=entry[:KEY_SIZE])

    def keep_statement(self, epoch: int, attempt: int, statement: Statement) -> None:
        """Remember it before it leaves."""
        self._store.put(_VOTES, _name(epoch, str(attempt)), statement.secret + statement.vote)
        self._prune(_VOTES, epoch, _BRIEF)

    def may_sign(self, epoch: int, digest: bytes) -> bool:
        """Whether `digest` is the one document that this authority signs for `epoch`; it is, from the first call on."""
        signed = self._store.get(_SIGNED, _name(epoch))
        if signed is None:
            self._store.put(_SIGNED, _name(epoch), digest)
            self._prune(_SIGNED, epoch, HISTORY)
        return signed is None or signed == digest

    def evidence(self) -> list[bytes]:
        """The proofs that an authority contradicted itself, oldest epoch first."""
        return [entry for _, entry in self._all(_EVIDENCE)]

    def keep_evidence(self, epoch: int, subject: str, raw: bytes) -> bool:
        """Remember a proof for good; False if there is one of that subject already, or too many."""
        name, known = _name(epoch, subject), self._store.names(_EVIDENCE)
        if name in known or len(known) >= MOST_EVIDENCE:
            return False
        self._store.put(_EVIDENCE, name, raw)
        return True

    def splits(self) -> list[int]:
        """The epochs for which two different documents are kept."""
        return sorted({_epoch(name) for name in self._store.names(_SPLITS)})

    def keep_split(self, epoch: int, first: bytes, second: bytes) -> None:
        """Keep two signed documents for one epoch, for good."""
        known = self.splits()
        if epoch not in known and len(known) < MOST_SPLITS:
            self._store.put(_SPLITS, _name(epoch, "first"), first)
            self._store.put(_SPLITS, _name(epoch, "second"), second)

    def introductions(self) -> list[bytes]:
        """The documents that introduced other authorities, in the order in which those took over."""
        return [entry for _, entry in self._all(INTRODUCTIONS)]

    def keep_introduction(self, first_epoch: int, raw: bytes) -> None:
        """Keep the document that introduces the authorities of `first_epoch` on, for good."""
        self._store.put(INTRODUCTIONS, _name(first_epoch), raw)

    def reports(self, epoch: int) -> tuple[RoundReport, ...]:
        """How the last rounds for an epoch ended."""
        entry = self._store.get(_ROUNDS, _name(epoch))
        return () if entry is None else msgspec.msgpack.decode(entry, type=tuple[RoundReport, ...])

    def keep_report(self, epoch: int, report: RoundReport) -> None:
        """Remember how a round ended."""
        reports = (*self.reports(epoch), report)[-_MOST_REPORTS:]
        self._store.put(_ROUNDS, _name(epoch), msgspec.msgpack.encode(reports))
        self._prune(_ROUNDS, epoch, HISTORY)

    def _all(self, group: str) -> list[tuple[str, bytes]]:
        entries = ((name, self._store.get(group, name)) for name in self._store.names(group))
        return [(name, entry) for name, entry in entries if entry is not None]

    def _prune(self, group: str, epoch: int, kept: int) -> None:
        """Remove what is `kept` epochs older than `epoch`, and than the newest document.

        That takes a majority: the clock of this machine alone must not let it forget what it stated.
        """
        newest = max(map(_epoch, self._store.names(_DOCUMENTS)), default=-1)
        for name in self._store.names(group):
            if _epoch(name) >= min(epoch, newest + 1) - kept:
                break
            self._store.delete(group, name)


def _name(epoch: int, rest: str = "") -> str:
    return f"{epoch:015d}-{rest}"


def _epoch(name: str) -> int:
    return int(name.partition("-")[0])
