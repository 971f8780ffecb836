"""The encrypted store of a profile: one SQLite database and its transactions.

Promises: every byte on disk, the journal included, is encrypted with AEGIS-256 under the profile's key; a transaction
is on disk when its block ends, or it never happened; a full disk raises StoreUnavailable and changes nothing. Never: a
temporary file with anything in clear. Synchronous, and used by one thread at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import apsw

from mixnet.client.model.errors import DamagedStore, StoreUnavailable, WrongPassphrase
from mixnet.client.storage.schema import MIGRATIONS
from mixnet.client.storage.search import separated
from mixnet.crypto import SymmetricKey

T = TypeVar("T")
Row = tuple[Any, ...]
_STATEMENTS = 512  # kept prepared; with the 100 that are usual a fifth were prepared anew
_BUSY_MILLISECONDS = 2000
_MANY = 1000  # messages of which a migration tells how far it is
REWRITE_LIMIT = 8 << 20  # bytes of a store that is written anew when something is deleted
# What SQLite says of values, by which a peer may have asked for too much; all else that it says is about the store.
_OF_VALUES = (apsw.ConstraintError, apsw.TooBigError, apsw.RangeError, apsw.MismatchError, apsw.SQLError)
_UNWRITABLE = (apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError, apsw.BusyError, apsw.LockedError)


class Store:
    """An open store. `Store.open` makes one."""

    def __init__(self, connection: apsw.Connection) -> None:
        """Take over an open, unlocked and current database."""
        self._connection = connection
        self._depth = 0
        self._cut = False  # the journal, when the transaction ends
        self._remnants = False  # pages may keep rows that were moved before they were deleted

    @classmethod
    def open(
        cls,
        path: Path | str,
        key: SymmetricKey,
        tell: Callable[[str], None] = lambda _progress: None,
        *,
        there: bool = False,
    ) -> Store:
        """Open or create the database at `path` (0600); ":memory:" keeps it in memory, where encryption has no sense.

        `tell` hears how far a migration is; `there`: a new one is not made, and an empty one not touched. Raises
        WrongPassphrase, DamagedStore or StoreUnavailable.
        """
        if str(path) != ":memory:":
            # An empty file would be a new database to SQLite, which also removes the journal of the one before.
            if there and not (Path(path).is_file() and Path(path).stat().st_size):
                raise DamagedStore
            _touch(Path(path))
        with _translated():
            connection = apsw.Connection(str(path), statementcachesize=_STATEMENTS)
            try:
                _unlock(connection, path, key)
                _migrate(connection, tell, there=there)
            except BaseException:
                connection.close()
                raise
        return cls(connection)

    def close(self) -> None:
        """Write what the journal holds back into the database, and let go of it."""
        self._connection.close()

    def copy(self, path: Path, key: SymmetricKey, *, nameless: bool = False) -> None:
        """Write all that is stored now to a new database under another key; what is stored meanwhile isn't in it.

        `nameless`: into an open file that loses its name first, so that nothing of it stays. StoreUnavailable.
        """
        _touch(path)
        with _translated():
            other = apsw.Connection(str(path))
            try:
                other.pragma("cipher", "aegis")
                other.pragma("key", "raw:" + key.expose().hex())
                other.pragma("temp_store", 2)
                other.pragma("journal_mode", "memory")  # half of it is nothing: no journal needs to be on the disk
                if nameless:
                    path.unlink()
                with other.backup("main", self._connection, "main") as whole:
                    whole.step(-1)
            finally:
                other.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, on disk when the block ends; a block inside a block joins it."""
        if self._depth:
            yield
            return
        with _translated():
            self._connection.execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
            self._check_transaction()
            with _translated():
                self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # a full disk may have ended it already
                self._connection.execute("ROLLBACK")
            raise
        finally:
            self._depth -= 1
        if self._cut:
            self.truncate_journal()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """All or nothing of a part of a transaction: if the block fails, what was before it stays."""
        self.run("SAVEPOINT part")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:  # a full disk may have ended all of it
                self.run("ROLLBACK TO part")
                self.run("RELEASE part")
            raise
        self.run("RELEASE part")

    def _check_transaction(self) -> None:
        """Nothing of a transaction that is gone may be stored alone, whoever passed over the error that ended it."""
        if self._depth and not self._connection.in_transaction:
            raise StoreUnavailable

    def truncate_journal(self) -> None:
        """Write the journal back and cut it off: it holds older versions of pages, with what was deleted since.

        Inside of a transaction that is done when it has ended.
        """
        self._cut = self._depth > 0
        if not self._cut:
            self._rewrite()
            self.all("PRAGMA wal_checkpoint(TRUNCATE)")

    def forget_remnants(self) -> None:
        """As `truncate_journal`, and no page that is in use keeps an older copy of a row that was moved and deleted.

        SQLite overwrites what it deletes, but not where a row was before its page was divided: only writing all pages
        anew does. It takes 30 ms a megabyte, so larger stores keep such pieces until a page is used again.
        """
        self._remnants = True
        self.truncate_journal()

    def _rewrite(self) -> None:
        pages, size = self.one("PRAGMA page_count"), self.one("PRAGMA page_size")
        if self._remnants and pages is not None and size is not None and pages[0] * size[0] <= REWRITE_LIMIT:
            with suppress(StoreUnavailable):  # the disk may be too full for it: next time
                self.run("VACUUM")
                self._remnants = False

    @property
    def changes(self) -> int:
        """How many rows were changed since the store was opened: as long as it is the same, nothing has changed."""
        return int(self._connection.total_changes())

    def run(self, statement: str, *values: object) -> None:
        """Execute a statement that gives no rows; StoreUnavailable once a full disk has ended the transaction."""
        self._check_transaction()
        with _translated():
            self._connection.execute(statement, values)

    def insert(self, statement: str, *values: object) -> int:
        """Execute an INSERT and return the number of its row."""
        self.run(statement, *values)
        return int(self._connection.last_insert_rowid())

    def all(self, statement: str, *values: object) -> list[Row]:
        """All rows of a query."""
        with _translated():
            return list(self._connection.execute(statement, values))

    def one(self, statement: str, *values: object) -> Row | None:
        """The first row of a query, or None."""
        rows = self.all(statement, *values)
        return rows[0] if rows else None

    def value(self, kind: Callable[[Any], T], statement: str, *values: object) -> T | None:
        """The first column of the first row, as `kind` makes it; None if there is no row, or NULL there."""
        row = self.one(statement, *values)
        return None if row is None or row[0] is None else kind(row[0])

    def row(self, make: Callable[[Row], T], statement: str, *values: object) -> T | None:
        """What `make` makes of the first row, or None."""
        row = self.one(statement, *values)
        return None if row is None else make(row)

    def has(self, statement: str, *values: object) -> bool:
        """Whether a query has a row."""
        return self.one(statement, *values) is not None

    def setting(self, name: str) -> bytes | None:
        """A value kept under `name`, or None."""
        return self.value(bytes, "SELECT value FROM settings WHERE name = ?", name)

    def set_setting(self, name: str, value: bytes) -> None:
        """Keep `value` under `name`."""
        self.run("INSERT OR REPLACE INTO settings VALUES (?, ?)", name, value)

    def delete_setting(self, name: str) -> None:
        """Forget what is kept under `name`."""
        self.run("DELETE FROM settings WHERE name = ?", name)


def is_of_store(error: Exception) -> bool:
    """Whether an error says that nothing can be stored now: then nothing that came may be passed over."""
    if isinstance(error, apsw.Error):
        return not isinstance(error, _OF_VALUES)
    return isinstance(error, StoreUnavailable | DamagedStore | MemoryError)


def _touch(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnavailable(f"the store {path} can't be opened ({error.strerror}): check folder and disk") from None


def _unlock(connection: apsw.Connection, path: Path | str, key: SymmetricKey) -> None:
    if str(path) != ":memory:":
        connection.pragma("cipher", "aegis")
        connection.pragma("key", "raw:" + key.expose().hex())
    connection.set_busy_timeout(_BUSY_MILLISECONDS)
    connection.pragma("temp_store", 2)  # in memory: a temporary file would be in clear
    try:
        connection.pragma("journal_mode", "wal")
    except apsw.NotADBError:
        raise WrongPassphrase from None
    connection.pragma("synchronous", 2)  # FULL: what was acknowledged survives a loss of power
    connection.pragma("secure_delete", 1)
    connection.pragma("foreign_keys", 1)


def _migrate(connection: apsw.Connection, tell: Callable[[str], None], *, there: bool) -> None:
    _index_by(connection, separated)
    version = connection.pragma("user_version")
    if version > len(MIGRATIONS) or (there and version == 0):
        raise DamagedStore
    if version < len(MIGRATIONS):
        with connection, _told(connection, tell if version else None):  # all of them or none
            for script in MIGRATIONS[version:]:
                connection.execute(script)
            connection.pragma("user_version", len(MIGRATIONS))


@contextmanager
def _told(connection: apsw.Connection, tell: Callable[[str], None] | None) -> Iterator[None]:
    """Tell how far a migration is, by the messages that went into the index; None: there is nothing to migrate."""
    total = 0
    if tell is not None:
        ((total,),) = connection.execute("SELECT count(*) FROM messages")
    if tell is None or total < _MANY:
        yield
        return
    done, tenths = 0, -1

    def counted(text: str) -> str:
        nonlocal done, tenths
        done += 1
        if 10 * done // total > tenths:
            tenths = 10 * done // total
            tell(f"making the search index of {total} messages anew: {tenths}0 %")
        return separated(text)

    _index_by(connection, counted)
    try:
        yield
    finally:
        _index_by(connection, separated)


def _index_by(connection: apsw.Connection, separate: Callable[[str], str]) -> None:
    """Let `separate` be what the schema calls `separated`."""
    connection.create_scalar_function("separated", lambda *text: separate(str(text[0])), 1, deterministic=True)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what SQLite says about the disk into the project's errors."""
    try:
        yield
    except _UNWRITABLE as error:
        raise StoreUnavailable from error
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise DamagedStore from error
