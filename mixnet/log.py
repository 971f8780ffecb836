"""The log of a process: JSON lines in a file, each one of a few events with fixed fields.

See spec/08-errors-and-figures.md 8.3.

Promises: an entry is a `LogEntry` with fields out of `FIELDS`, which are about the process itself; anything else
is refused before it reaches the file; a full disk costs entries, never the process. Never, at any level: a packet, a
tag, an identity, a mailbox, an address of a peer, or a time that belongs to one of them. No library's own logging is
routed here. (No logging library: importing one took a sixth of a node's start.)
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from mixnet.errors import LocalError

FIELDS = frozenset({"role", "epoch", "version", "problem", "warnings", "signatures", "attempt"})


class LogEntry(StrEnum):
    """Everything that may be logged."""

    STARTED = "started"
    READY = "ready"
    NEW_EPOCH = "new_epoch"
    WARNING = "warning"
    RETRYING = "retrying"
    STOPPED = "stopped"
    FAILED = "failed"


class Log:
    """A process's log file; without a path (tests and the simulated world) entries are checked and then forgotten."""

    def __init__(self, path: Path | None = None) -> None:
        """Append to `path`, which only its owner can read; LocalError if it can't be opened."""
        try:
            self._file = None if path is None else open_log(path)
        except OSError as error:
            raise LocalError(f"can't write the log {path}: {error.strerror}") from None

    def write(self, entry: LogEntry, **fields: object) -> None:
        """Write one entry; LocalError for a field that is not in the table."""
        if not FIELDS.issuperset(fields):
            raise LocalError(f"only {', '.join(sorted(FIELDS))} may be logged")
        if self._file is not None:
            with suppress(OSError):
                self._file.write(log_line(LogEntry(entry), fields))

    def close(self) -> None:
        """Close the file; writing afterwards is forgotten."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None


def open_log(path: Path) -> TextIO:
    """Open a log, which only its owner can read, to write at its end, line by line."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", buffering=1)


def log_line(event: str, fields: Mapping[str, object], **more: object) -> str:
    """One line of a log: an event's fields, its name, what else belongs to it, and the time in UTC (ISO 8601)."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({**fields, "event": event, **more, "timestamp": now}, default=repr) + "\n"
