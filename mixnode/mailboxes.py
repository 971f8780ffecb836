"""What a provider keeps for its clients: packets, until they are acknowledged or too old (spec/06-providers.md 6.1).

Promises: one call is one transaction: when it returns, all of it is on disk and survives kill -9 and a power cut; when
it raises Unavailable, nothing of it happened. A mailbox never holds more than its limits, all of them together never
more than theirs, and there are never too many; packets leave on acknowledgement, expiry or erasure. One call deletes
`SLICE` packets at most: of what is more it writes down that it is to go, from then on nobody is given it, and each
`clean_slice` takes another one, also after a restart. Their bytes are off the disk once `empty_log` has been called
after the last one.
Of a client that was restored from a backup it keeps which copy of it the mailbox belongs to: random bytes.
Never: an address, a name, a time of arrival. The only times are those after which something is deleted, rounded up to
a 168th of the age allowed (an hour of a week). Synchronous, and without a clock: the caller picks the thread and says
what time it is.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import NamedTuple

from mixnet.crypto import equal
from mixnet.errors import LocalError, Unavailable
from mixnode.mailbox_file import RESTORE, SCHEMA, check

GRAINS = 168
_PATIENCE_MS = 5000  # how long a transaction waits for another program that writes the file: an operator's
SLICE = 32  # packets that one transaction deletes: overwriting one takes about a tenth of a millisecond
EXPIRED = 64  # mailboxes that one sweep deletes


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
    """Register a mailbox, or keep it for another age. Gives Applied, or Full if there are too many.

    With a `claim` (1 to take it over or 0, and whose it is; empty: of a client that never was restored) it gives Moved,
    and does nothing, if it belongs to another copy of its client. None: it is kept, whoever it belongs to.
    """

    mailbox: bytes
    claim: bytes | None = None


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
    """Delete what is too old, as much as one call may. Gives Applied."""


@dataclass(frozen=True, slots=True)
class Applied:
    """Done: `packets` were deleted, or are from now on, and `mailboxes` expired; `more` is left to be swept."""

    packets: int = 0
    mailboxes: tuple[bytes, ...] = ()
    more: bool = False


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
class Moved:
    """The mailbox belongs to another copy of its client."""


@dataclass(frozen=True, slots=True)
class Full:
    """A limit is reached."""


class Doomed(NamedTuple):
    """Which packets of a mailbox are still to be deleted: those up to the number `through`.

    Those up to `erased` are of a mailbox of that name that is no more, and count for none.
    """

    through: int
    erased: int


Operation = Open | StorePacket | Load | Acknowledge | Erase | Inspect | Sweep
Result = Applied | StoredPacket | Loaded | Account | Unknown | Full | Moved


class Mailboxes:
    """All mailboxes of one provider."""

    def __init__(self, path: Path | None, *, instead: str = "") -> None:
        """Open the database at `path`, or one in memory; LocalError if the file can't be used.

        `instead`: there was one, so it is not made anew; what to do if it is lost.
        """
        if path is not None:
            check(path, instead)
        self._unsettled = False  # whether a failed transaction is still to be forgotten
        self._kept = self._kept_before = 0  # bytes of all packets, now and before this transaction
        self._last = self._last_before = 0  # the highest number that was given
        self._before: dict[bytes, tuple[tuple[int, int] | None, Doomed | None]] = {}  # by mailbox that has changed
        self._left = 0  # packets that this call may still delete
        self._log_holds = True  # whether the write-ahead log may hold copies of what was deleted
        try:
            # Calls never overlap, but a pool may run them on one thread after another.
            self._database = sqlite3.connect(
                path or ":memory:", _PATIENCE_MS / 1000, check_same_thread=False, isolation_level=None
            )
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
                self._database.execute(f"PRAGMA {pragma}")
            self._database.executescript(SCHEMA)
            self._measure()
        except sqlite3.Error as error:
            raise LocalError(f"can't use the mailboxes in {path} ({error}): {instead or RESTORE}") from None

    def perform(
        self, operations: Sequence[Operation], limits: Limits, now: float, past: float | None = None
    ) -> list[Result]:
        """Carry out the operations in order, in one transaction; `now` in seconds since the Unix epoch.

        What was over before `past` is deleted, which is `now` unless that is doubtful.
        Raises Unavailable, having done nothing, if the disk refuses.
        """
        with self._transaction():
            results = [self._do(one, limits, now, now if past is None else past) for one in operations]
        if any(isinstance(operation, Erase | Sweep) for operation in operations):
            self._log_holds = True
        return results

    @property
    def log_holds(self) -> bool:
        """Whether the write-ahead log may hold copies of what was deleted."""
        return self._log_holds

    @property
    def slices_left(self) -> bool:
        """Whether packets are still to be deleted."""
        return bool(self._doomed)

    def registered(self, mailbox: bytes) -> bool:
        """Whether there is such a mailbox."""
        return mailbox in self._usage

    def holds_remains(self, mailbox: bytes) -> bool:
        """Whether packets of this mailbox are still to be deleted."""
        return mailbox in self._doomed

    def clean(self) -> None:
        """Delete all that nobody is given any more, however long it takes. Raises Unavailable."""
        while self._doomed:
            self.clean_slice()
        self.empty_log()

    def clean_slice(self) -> None:
        """Delete a slice of what nobody is given any more. Raises Unavailable."""
        if not self._doomed:
            return
        with self._transaction():
            mailbox, doomed = next(iter(self._doomed.items()))
            self._note(mailbox)
            self._delete("mailbox = ? AND number <= ?", mailbox, doomed.through)
            del self._doomed[mailbox]
            if self._left:
                self._database.execute("DELETE FROM doomed WHERE mailbox = ?", (mailbox,))
            else:
                self._doomed[mailbox] = doomed  # the others first
        self._log_holds = True

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """All that is done in it, or nothing: then Unavailable."""
        try:
            if self._unsettled:
                self._settle()
            self._before.clear()
            self._kept_before, self._last_before, self._left = self._kept, self._last, SLICE
            self._database.execute("BEGIN IMMEDIATE")
            yield
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            self._unsettled = True
            with contextlib.suppress(sqlite3.Error):  # a disk that fails at this too: the next call begins with it
                self._settle()
            raise Unavailable(f"can't write the mailboxes: {error}") from None

    def empty_log(self) -> None:
        """Overwrite what was deleted in the write-ahead log too, where a copy of every packet stays until then.

        Raises Unavailable.
        """
        try:
            self._database.execute("PRAGMA busy_timeout=0")  # mail can't wait until another program has read the file
            try:
                (busy, _, _), *_ = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                self._database.execute(f"PRAGMA busy_timeout={_PATIENCE_MS}")
        except sqlite3.Error as error:
            raise Unavailable(f"can't write the mailboxes: {error}") from None
        self._log_holds = bool(busy)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _settle(self) -> None:
        """Forget a transaction that failed, and what was counted in it: not by counting all anew, which takes long."""
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")
        for mailbox, (usage, doomed) in self._before.items():
            self._usage.pop(mailbox, None)
            self._doomed.pop(mailbox, None)
            if usage is not None:
                self._usage[mailbox] = usage
            if doomed is not None:
                self._doomed[mailbox] = doomed
        self._before.clear()
        self._kept, self._last = self._kept_before, self._last_before
        self._unsettled = False

    def _note(self, mailbox: bytes) -> None:
        """Remember how a mailbox was counted before this transaction, before that is changed."""
        self._before.setdefault(mailbox, (self._usage.get(mailbox), self._doomed.get(mailbox)))

    def _measure(self) -> None:
        """Learn from the database how full each mailbox is."""
        self._usage = {mailbox: (0, 0) for (mailbox,) in self._database.execute("SELECT mailbox FROM mailboxes")}
        rows = self._database.execute("SELECT mailbox, through, erased FROM doomed")
        self._doomed = {mailbox: Doomed(through, erased) for mailbox, through, erased in rows}
        query = (
            "SELECT mailbox, count(*) FILTER (WHERE number > coalesce(erased, 0)), "
            "coalesce(sum(length(packet)) FILTER (WHERE number > coalesce(erased, 0)), 0), sum(length(packet)) "
            "FROM packets LEFT JOIN doomed USING (mailbox) GROUP BY mailbox"
        )
        self._kept = 0
        for mailbox, messages, size, kept in self._database.execute(query):
            if mailbox in self._usage:
                self._usage[mailbox] = (messages, size)
            self._kept += kept
        self._kept_before = self._kept
        for (last,) in self._database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'packets'"):
            self._last = last

    def _do(self, operation: Operation, limits: Limits, now: float, past: float) -> Result:  # noqa: PLR0911  # one for each
        match operation:
            case Open(mailbox, claim):
                if claim is not None and not self._belongs(mailbox, claim):
                    return Moved()
                opened = self._open(mailbox, limits, now, sure=past == now)
                if claim and isinstance(opened, Applied):
                    self._database.execute("INSERT OR REPLACE INTO holders VALUES (?, ?)", (mailbox, claim[1:]))
                return opened
            case StorePacket(mailbox, packet):
                return self._store(mailbox, packet, limits, now)
            case Load(mailbox, after, most):
                query = "SELECT number, packet FROM packets WHERE mailbox = ? AND number > ? ORDER BY number LIMIT ?"
                floor = max(after, self._doomed.get(mailbox, _NOTHING).through)
                return Loaded(tuple(self._database.execute(query, (mailbox, floor, most))))
            case Acknowledge(mailbox, through):
                return Applied(self._acknowledge(mailbox, through))
            case Erase(mailbox):
                return Applied(self._forget(mailbox))
            case Inspect(mailbox):
                return self._look(mailbox)
            case Sweep():
                return self._sweep(past)

    def _belongs(self, mailbox: bytes, claim: bytes) -> bool:
        """Whether a copy of its client may have a mailbox: it takes it over, had it last, or nobody was restored."""
        held = self._database.execute("SELECT holder FROM holders WHERE mailbox = ?", (mailbox,)).fetchone()
        return held is None or claim[:1] == b"\1" or equal(held[0], claim[1:])

    def _open(self, mailbox: bytes, limits: Limits, now: float, *, sure: bool) -> Result:
        if mailbox not in self._usage and len(self._usage) >= limits.mailboxes:
            return Full()
        statement = "INSERT INTO mailboxes VALUES (?, ?) ON CONFLICT DO UPDATE SET expires = excluded.expires"
        if not sure:  # nobody's time is made shorter
            statement += " WHERE excluded.expires > expires"
        self._database.execute(statement, (mailbox, _expiry(limits.age, now)))
        self._note(mailbox)
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
        self._note(mailbox)
        self._usage[mailbox] = (messages + 1, size + len(packet))
        self._kept += len(packet)
        self._last = row[0]
        return StoredPacket(row[0])

    def _look(self, mailbox: bytes) -> Result:
        row = self._database.execute("SELECT expires FROM mailboxes WHERE mailbox = ?", (mailbox,)).fetchone()
        if row is None:
            return Unknown()
        query = "SELECT expires FROM packets WHERE mailbox = ? AND number > ? ORDER BY number LIMIT 1"
        erased = self._doomed.get(mailbox, _NOTHING).erased
        oldest = self._database.execute(query, (mailbox, erased)).fetchone()
        return Account(*self._usage[mailbox], row[0], None if oldest is None else oldest[0])

    def _has_space(self, size: int, more: int, total: int) -> bool:
        """Whether a mailbox of `size` bytes may grow by `more`: nobody takes the share of the others."""
        if self._kept + more <= total // 2:
            return True
        return self._kept + more <= total and size + more <= total // 2 // len(self._usage)

    def _acknowledge(self, mailbox: bytes, through: int) -> int:
        if mailbox not in self._usage:
            return 0
        through = min(through, self._last)
        doomed = self._doomed.get(mailbox)
        deleted = self._delete("mailbox = ? AND number <= ?", mailbox, through) if doomed is None else 0
        if self._left == 0 or (doomed is not None and through > doomed.through):
            self._doom(mailbox, Doomed(through, 0 if doomed is None else doomed.erased))
        return deleted

    def _forget(self, mailbox: bytes) -> int:
        """Delete a mailbox and what it holds, or as much as there is room for: nobody is given the rest any more."""
        if mailbox not in self._usage:
            return 0
        messages, _ = self._usage[mailbox]
        if mailbox in self._doomed or messages > self._left:
            self._doom(mailbox, Doomed(self._last, self._last))
        else:
            self._delete("mailbox = ?", mailbox)
        self._note(mailbox)
        self._database.execute("DELETE FROM mailboxes WHERE mailbox = ?", (mailbox,))
        del self._usage[mailbox]
        return messages

    def _doom(self, mailbox: bytes, doomed: Doomed) -> None:
        statement = "INSERT INTO doomed VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET through = ?, erased = ?"
        self._database.execute(statement, (mailbox, *doomed, *doomed))
        self._note(mailbox)
        self._doomed[mailbox] = doomed

    def _sweep(self, now: float) -> Result:
        query = "SELECT mailbox FROM mailboxes WHERE expires <= ? LIMIT ?"
        expired = self._database.execute(query, (now, EXPIRED)).fetchall()
        deleted = sum(self._forget(mailbox) for (mailbox,) in expired)
        deleted += self._delete("expires <= ?", now)
        return Applied(deleted, tuple(mailbox for (mailbox,) in expired), len(expired) == EXPIRED or not self._left)

    def _delete(self, condition: str, *values: object) -> int:
        """Delete packets by one of the conditions above, as many as this call still may; how many."""
        chosen = f"SELECT number FROM packets WHERE {condition} ORDER BY number LIMIT ?"  # noqa: S608
        if condition.startswith("expires"):
            chosen = "SELECT number FROM packets WHERE expires <= ? LIMIT ?"
        statement = f"DELETE FROM packets WHERE number IN ({chosen}) RETURNING number, mailbox, length(packet)"  # noqa: S608
        deleted = self._database.execute(statement, (*values, self._left)).fetchall()
        for number, mailbox, size in deleted:
            self._kept -= size
            if mailbox in self._usage and number > self._doomed.get(mailbox, _NOTHING).erased:
                self._note(mailbox)
                messages, total = self._usage[mailbox]
                self._usage[mailbox] = (messages - 1, total - size)
        self._left -= len(deleted)
        return len(deleted)


_NOTHING = Doomed(0, 0)


def _expiry(age: float, now: float) -> float:
    """When what comes now expires: rounded up, so that it doesn't tell when it came."""
    grain = age / GRAINS
    return ceil((now + age) / grain) * grain
