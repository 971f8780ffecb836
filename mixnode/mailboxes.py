"""What a provider keeps for its clients: packets in SQLite, until they are acknowledged or too old.

See spec/06-providers.md 6.1.

Promises: one call is one transaction: when it returns, all of it is on disk and survives kill -9 and a power cut; when
it raises Unavailable, nothing of it happened. A mailbox never holds more than its limits, all of them together never
more than theirs, and there are never too many; packets leave on acknowledgement, expiry or erasure; their bytes are off
the disk after `Erase` or `Sweep` at the latest.
Never: an address, a name, a time of arrival. The only times are those after which something is deleted, rounded up to
a 168th of the age allowed (an hour of a week). Synchronous, and without a clock: the caller picks the thread and says
what time it is.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from mixnet.errors import LocalError, Unavailable

GRAINS = 168
_SCHEMA = """
CREATE TABLE IF NOT EXISTS mailboxes (mailbox BLOB PRIMARY KEY, expires REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS packets (
    number INTEGER PRIMARY KEY AUTOINCREMENT, mailbox BLOB NOT NULL, expires REAL NOT NULL, packet BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_mailbox ON packets (mailbox, number);
CREATE INDEX IF NOT EXISTS by_expiry ON packets (expires);
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept."""

    mailboxes: int
    messages: int  # in each mailbox
    size: int  # bytes in each mailbox
    age: float  # seconds, of a packet, and of a mailbox that nobody opens
    total: int = 2**63  # bytes in all mailboxes; above half of it each gets its equal share of the rest


@dataclass(frozen=True, slots=True)
class Open:
    """Register a mailbox, or keep it for another age. Gives Applied, or Full if there are too many."""

    mailbox: bytes


@dataclass(frozen=True, slots=True)
class StorePacket:
    """Keep a packet. Gives StoredPacket, Unknown for a mailbox that nobody registered, or Full."""

    mailbox: bytes
    packet: bytes


@dataclass(frozen=True, slots=True)
class Load:
    """Read at most `most` packets with numbers above `after`, oldest first. Gives Loaded."""

    mailbox: bytes
    after: int
    most: int


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Delete a mailbox's packets up to the number `through`. Gives Applied."""

    mailbox: bytes
    through: int


@dataclass(frozen=True, slots=True)
class Erase:
    """Delete a mailbox and all it holds. Gives Applied."""

    mailbox: bytes


@dataclass(frozen=True, slots=True)
class Inspect:
    """Count what a mailbox holds, changing nothing. Gives Account, or Unknown for one that nobody registered."""

    mailbox: bytes


@dataclass(frozen=True, slots=True)
class Sweep:
    """Delete whatever is too old. Gives Applied."""


@dataclass(frozen=True, slots=True)
class Applied:
    """Done: `packets` were deleted, and `mailboxes` expired."""

    packets: int = 0
    mailboxes: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredPacket:
    """The packet is kept under a number; numbers only grow."""

    number: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """(number, packet) pairs."""

    packets: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Account:
    """What is kept of a mailbox: packets, their bytes, and when it, and its oldest packet (or None), are deleted."""

    packets: int
    size: int
    expires: float
    next_expiry: float | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """There is no such mailbox."""


@dataclass(frozen=True, slots=True)
class Full:
    """A limit is reached."""


Operation = Open | StorePacket | Load | Acknowledge | Erase | Inspect | Sweep
Result = Applied | StoredPacket | Loaded | Account | Unknown | Full


class Mailboxes:
    """All mailboxes of one provider."""

    def __init__(self, path: Path | None) -> None:
        """Open the database at `path`, or one in memory; LocalError if the file can't be used."""
        self._unsettled = False  # whether a failed transaction is still to be forgotten
        try:
            # Calls never overlap, but a pool may run them on one thread after another.
            self._database = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
                self._database.execute(f"PRAGMA {pragma}")
            self._database.executescript(_SCHEMA)
            self._measure()
        except sqlite3.Error as error:
            raise LocalError(f"can't use the mailboxes in {path}: {error}") from None

    def perform(self, operations: Sequence[Operation], limits: Limits, now: float) -> list[Result]:
        """Carry out the operations in order, in one transaction; `now` in seconds since the Unix epoch.

        Raises Unavailable, having done nothing, if the disk refuses.
        """
        try:
            if self._unsettled:
                self._settle()
            self._database.execute("BEGIN IMMEDIATE")
            results = [self._do(operation, limits, now) for operation in operations]
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            self._unsettled = True
            with contextlib.suppress(sqlite3.Error):  # a disk that fails at this too: the next call begins with it
                self._settle()
            raise Unavailable(f"can't write the mailboxes: {error}") from None
        if any(isinstance(operation, Erase | Sweep) for operation in operations):
            self._empty_log()
        return results

    def _empty_log(self) -> None:
        """Overwrite what was deleted in the write-ahead log too, where a copy of every packet stays until then."""
        with contextlib.suppress(sqlite3.Error):  # the deletion is committed; the next sweep empties the log
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _settle(self) -> None:
        """Forget a transaction that failed, and what was counted in it."""
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")
        self._measure()
        self._unsettled = False

    def _measure(self) -> None:
        """Learn from the database how full each mailbox is."""
        self._usage = {mailbox: (0, 0) for (mailbox,) in self._database.execute("SELECT mailbox FROM mailboxes")}
        query = "SELECT mailbox, count(*), sum(length(packet)) FROM packets GROUP BY mailbox"
        for mailbox, messages, size in self._database.execute(query):
            self._usage[mailbox] = (messages, size)
        self._kept = sum(size for _, size in self._usage.values())

    def _do(self, operation: Operation, limits: Limits, now: float) -> Result:  # noqa: PLR0911  # one for each
        match operation:
            case Open(mailbox):
                return self._open(mailbox, limits, now)
            case StorePacket(mailbox, packet):
                return self._store(mailbox, packet, limits, now)
            case Load(mailbox, after, most):
                query = "SELECT number, packet FROM packets WHERE mailbox = ? AND number > ? ORDER BY number LIMIT ?"
                return Loaded(tuple(self._database.execute(query, (mailbox, after, most))))
            case Acknowledge(mailbox, through):
                return Applied(self._delete("mailbox = ? AND number <= ?", mailbox, through))
            case Erase(mailbox):
                return Applied(self._forget(mailbox))
            case Inspect(mailbox):
                return self._look(mailbox)
            case Sweep():
                return self._sweep(now)

    def _open(self, mailbox: bytes, limits: Limits, now: float) -> Result:
        if mailbox not in self._usage and len(self._usage) >= limits.mailboxes:
            return Full()
        statement = "INSERT INTO mailboxes VALUES (?, ?) ON CONFLICT DO UPDATE SET expires = excluded.expires"
        self._database.execute(statement, (mailbox, _expiry(limits.age, now)))
        self._usage.setdefault(mailbox, (0, 0))
        return Applied()

    def _store(self, mailbox: bytes, packet: bytes, limits: Limits, now: float) -> Result:
        if mailbox not in self._usage:
            return Unknown()
        messages, size = self._usage[mailbox]
        if messages >= limits.messages or size + len(packet) > limits.size:
            return Full()
        if not self._has_space(size, len(packet), limits.total):
            return Full()
        statement = "INSERT INTO packets (mailbox, expires, packet) VALUES (?, ?, ?) RETURNING number"
        row = self._database.execute(statement, (mailbox, _expiry(limits.age, now), packet)).fetchone()
        self._usage[mailbox] = (messages + 1, size + len(packet))
        self._kept += len(packet)
        return StoredPacket(row[0])

    def _look(self, mailbox: bytes) -> Result:
        row = self._database.execute("SELECT expires FROM mailboxes WHERE mailbox = ?", (mailbox,)).fetchone()
        if row is None:
            return Unknown()
        query = "SELECT min(expires) FROM packets WHERE mailbox = ?"
        return Account(*self._usage[mailbox], row[0], self._database.execute(query, (mailbox,)).fetchone()[0])

    def _has_space(self, size: int, more: int, total: int) -> bool:
        """Whether a mailbox of `size` bytes may grow by `more`: nobody takes the share of the others."""
        if self._kept + more <= total // 2:
            return True
        return self._kept + more <= total and size + more <= total // 2 // len(self._usage)

    def _forget(self, mailbox: bytes) -> int:
        deleted = self._delete("mailbox = ?", mailbox)
        self._database.execute("DELETE FROM mailboxes WHERE mailbox = ?", (mailbox,))
        self._usage.pop(mailbox, None)
        return deleted

    def _sweep(self, now: float) -> Result:
        expired = self._database.execute("SELECT mailbox FROM mailboxes WHERE expires <= ?", (now,)).fetchall()
        deleted = sum(self._forget(mailbox) for (mailbox,) in expired)
        deleted += self._delete("expires <= ?", now)
        return Applied(deleted, tuple(mailbox for (mailbox,) in expired))

    def _delete(self, condition: str, *values: object) -> int:
        """Delete packets by one of the conditions above; how many."""
        statement = f"DELETE FROM packets WHERE {condition} RETURNING mailbox, length(packet)"  # noqa: S608
        deleted = self._database.execute(statement, values).fetchall()
        for mailbox, size in deleted:
            messages, total = self._usage[mailbox]
            self._usage[mailbox] = (messages - 1, total - size)
            self._kept -= size
        return len(deleted)


def _expiry(age: float, now: float) -> float:
    """When what comes now expires: rounded up, so that it doesn't tell when it came."""
    grain = age / GRAINS
    return ceil((now + age) / grain) * grain
