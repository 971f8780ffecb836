"""The file of a provider's mail: its tables; one that is lost is said, not made anew (spec/06-providers.md 6.1)."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from mixnet.errors import LocalError

RESTORE = "restore a copy of it, or move it away to begin with no mail"

SCHEMA = """
CREATE TABLE IF NOT EXISTS mailboxes (mailbox BLOB PRIMARY KEY, expires REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS packets (
    number INTEGER PRIMARY KEY AUTOINCREMENT, mailbox BLOB NOT NULL, expires REAL NOT NULL, packet BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_mailbox ON packets (mailbox, number);
CREATE INDEX IF NOT EXISTS by_expiry ON packets (expires);
CREATE TABLE IF NOT EXISTS doomed (mailbox BLOB PRIMARY KEY, through INTEGER NOT NULL, erased INTEGER NOT NULL)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holders (mailbox BLOB PRIMARY KEY, holder BLOB NOT NULL) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS no_holder AFTER DELETE ON mailboxes BEGIN
    DELETE FROM holders WHERE mailbox = old.mailbox;
END;
"""


def check(path: Path, instead: str) -> None:
    """Refuse to make a new database in the place of one that there was, or in somebody else's."""
    if not path.exists() or not path.stat().st_size:
        if instead:
            what = "is empty" if path.exists() else "is missing"
            raise LocalError(f"{path} {what}, which held the mail of this provider's clients: {instead}")
        return
    try:
        with contextlib.closing(sqlite3.connect(path)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        raise LocalError(f"can't use the mailboxes in {path} ({error}): {instead or RESTORE}") from None
    if not {"mailboxes", "packets"} <= tables and (tables or instead):
        raise LocalError(f"{path} does not hold the mail of a provider's clients: {instead or RESTORE}")
