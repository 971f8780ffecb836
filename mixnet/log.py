"""What a process writes down: JSON lines in a file, each one of a few events with fixed fields.

See spec/08-errors-and-figures.md.

Promises: an entry is a `LogEntry` with fields out of `FIELDS`, which are about the process itself; anything else
is refused before it reaches the file; a full disk costs entries, never the process. Never, at any level: a packet, a
tag, an identity, a mailbox, an address of a peer, or a time that belongs to one of them. No library's own logging is
routed here. (No logging library: importing one took a sixth of a node's start.)
"""

from __future__ import annotations

import json
import os
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
        self._file: TextIO | None = None if path is None else _append(path)

    def write(self, entry: LogEntry, **fields: object) -> None:
        """Write one entry; LocalError for a field that is not in the table."""
        if not FIELDS.issuperset(fields):
            raise LocalError(f"only {', '.join(sorted(FIELDS))} may be logged")
        if self._file is not None:
            line = {**fields, "event": str(LogEntry(entry)), "timestamp": _now()}
            with suppress(OSError):
                self._file.write(json.dumps(line, default=repr) + "\n")

    def close(self) -> None:
        """Close the file; writing afterwards is forgotten."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None


def _now() -> str:
    """The time in UTC, as ISO 8601 has it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _append(path: Path) -> TextIO:
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", buffering=1)
    except OSError as error:
        raise LocalError(f"can't write the log {path}: {error.strerror}") from None
