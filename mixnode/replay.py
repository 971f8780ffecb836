"""The memory of packets already accepted, one for each Sphinx key (SPEC.md section 4).

Promises: of all packets with one tag, at most one is ever admitted in the life of the key, also when the process is
killed at any instant: a tag is with the operating system before its packet is held or delivered, and a tag whose
writing failed stays refused. A file has whole 16-byte tags; what a kill left of a half-written one is overwritten.
Never: a tag on its own in a log, or tags that outlive their key. (A power cut can lose the last seconds of tags: the
file is not synchronised at every batch.)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from mixnet.errors import LocalError, Unavailable

TAG_SIZE = 16


class Journal(Protocol):
    """Where tags are written down."""

    def load(self) -> bytes:
        """All whole tags written so far."""

    def append(self, tags: bytes) -> None:
        """Write whole tags at the end; Unavailable if they could not be written."""

    def close(self) -> None:
        """Write no more."""


class TagFile:
    """A journal in a file. The position is our own, so that a write that failed half-way is simply overwritten."""

    def __init__(self, path: Path) -> None:
        """Open or make `path`, readable by its owner only."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = os.fstat(self._descriptor).st_size
        self._end = size - size % TAG_SIZE

    def load(self) -> bytes:
        """All whole tags in the file."""
        return _read_all(self._descriptor, self._end)

    def append(self, tags: bytes) -> None:
        """Write `tags` after the last whole tag, in one system call; Unavailable if the disk did not take them all."""
        try:
            written = os.pwrite(self._descriptor, tags, self._end)
        except OSError as error:
            raise Unavailable(f"can't write replay tags: {error.strerror}") from None
        if written != len(tags):
            raise Unavailable("can't write replay tags: the disk is full")
        self._end += written

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
        self._descriptor = -1  # the number may soon be another file's


class NoJournal:
    """For the simulated world, where a node that stops forgets its keys and therefore needs no tags."""

    def load(self) -> bytes:
        """Nothing was ever written."""
        return b""

    def append(self, tags: bytes) -> None:
        """Forget them: the set in memory is all there is."""

    def close(self) -> None:
        """Nothing to close."""


class Replay:
    """The tags seen under one key."""

    def __init__(self, journal: Journal) -> None:
        """Remember what `journal` has."""
        self._journal = journal
        self._closed = False
        stored = journal.load()
        self._seen = {stored[start : start + TAG_SIZE] for start in range(0, len(stored), TAG_SIZE)}

    def __len__(self) -> int:
        return len(self._seen)

    def admit(self, tags: Sequence[bytes]) -> list[bool]:
        """For each 16-byte tag in turn whether it is new, after writing the new ones down.

        Raises Unavailable if they could not be written: then none is admitted, now or later.
        """
        if self._closed:
            raise Unavailable("the key of these tags is gone")
        verdicts, fresh = [], bytearray()
        for tag in tags:
            if len(tag) != TAG_SIZE:
                raise LocalError("a replay tag has 16 bytes")
            verdicts.append(tag not in self._seen)
            if verdicts[-1]:
                self._seen.add(tag)
                fresh += tag
        if fresh:
            self._journal.append(bytes(fresh))
        return verdicts

    def close(self) -> None:
        """Forget the tags: their key is gone."""
        self._closed = True
        self._seen.clear()
        self._journal.close()


def _read_all(descriptor: int, size: int) -> bytes:
    parts, position = [], 0
    while position < size and (part := os.pread(descriptor, min(1 << 20, size - position), position)):
        parts.append(part)
        position += len(part)
    return b"".join(parts)
