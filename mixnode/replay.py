"""The memory of packets already accepted, one for each Sphinx key (spec/04-mixing.md 4.2).

Promises: of all packets with one tag, at most one is ever admitted in the life of the key, also when the process is
killed at any instant: a tag is with the operating system before its packet is held or delivered, and a tag whose
writing failed stays refused. A file has whole 16-byte tags; what a kill left of a half-written one is overwritten. The
memory has a limit; when it is full, nothing more is admitted under this key.
Never: a tag on its own in a log, or tags that outlive their key. (The disk is not synchronised at every batch: what a
power cut may have cost is known from the seal, and costs the key.)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mixnet.crypto import SymmetricKey
from mixnet.errors import Unavailable
from mixnode import seal
from mixnode.tags import TAG_SIZE, TagSet

TAGS_LIMIT = 10_000_000  # for one key: 160 MB of disk and at most 150 MB of memory


class TagFile:
    """Tags in a file. The position is our own, so that a write that failed half-way is simply overwritten."""

    def __init__(self, path: Path, boot: str) -> None:
        """Open or make `path`, readable by its owner only; `boot` is what the seal names while tags are added."""
        self._path, self._boot = path, boot
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = os.fstat(self._descriptor).st_size
        self._end = size - size % TAG_SIZE
        self._count: seal.Count | None = None

    def load(self) -> bytes:
        """All whole tags in the file."""
        return _read_all(self._descriptor, self._end)

    @property
    def begun(self) -> bool:
        """Whether `append` no longer waits for the disk."""
        return self._count is not None

    def begin(self) -> None:
        """Have it on the disk that tags will come; from then on `append` doesn't wait for it. May run in a thread.

        Unavailable if that is not possible. The seal is found by its path: the descriptor may be closed meanwhile.
        """
        self._begun()

    def _begun(self) -> seal.Count:
        if self._count is None:
            count = None
            try:
                count = seal.Count.begin(self._path, self._end)  # first: no kill leaves an open seal without it
                seal.write_open(self._path, self._boot)
            except OSError as error:
                if count is not None:
                    count.close()
                raise Unavailable(f"can't open the seal of replay tags: {error.strerror}") from None
            self._count = count
            if self._descriptor < 0:  # closed while a thread was at this
                self._close_count()
                raise Unavailable("the key of these tags is gone")
        return self._count

    def append(self, tags: bytes) -> None:
        """Write `tags` after the last whole tag, in one system call; Unavailable if the disk did not take them all."""
        count = self._begun()
        try:
            written = os.pwrite(self._descriptor, tags, self._end)
            if written == len(tags):
                count.set(self._end + written)  # after the tags: a kill between leaves too much, never too little
        except OSError as error:
            raise Unavailable(f"can't write replay tags: {error.strerror}") from None
        if written != len(tags):
            raise Unavailable("can't write replay tags: the disk is full")
        self._end += written

    def close(self) -> None:
        """Have all on the disk and seal it. If the disk refuses, what it holds is unknown: then no seal proves it."""
        try:
            if os.fstat(self._descriptor).st_size > self._end:  # else its time of change must stay what a seal says
                os.ftruncate(self._descriptor, self._end)
            os.fsync(self._descriptor)
            seal.write_closed(self._path)
        except OSError:
            with suppress(OSError):
                seal.remove(self._path)
        finally:
            self.discard()

    def discard(self) -> None:
        """Close the files."""
        os.close(self._descriptor)
        self._descriptor = -1  # the number may soon be another file's
        self._close_count()

    def _close_count(self) -> None:
        count, self._count = self._count, None
        if count is not None:
            count.close()


class NoJournal:
    """For the simulated world, where a node that stops forgets its keys and therefore needs no tags."""

    begun = True

    def begin(self) -> None:
        """No disk is waited for."""

    def load(self) -> bytes:
        """Nothing was ever written."""
        return b""

    def append(self, tags: bytes) -> None:
        """Forget them: the set in memory is all there is."""

    def close(self) -> None:
        """Nothing to close."""

    def discard(self) -> None:
        """Nothing to close."""


class Replay:
    """The tags seen under one key."""

    def __init__(self, journal: TagFile | NoJournal, limit: int = TAGS_LIMIT) -> None:
        """Remember what `journal` has, and at most `limit` tags in all."""
        self._journal = journal
        self._limit = limit
        self._closed = False
        self._seen = TagSet(SymmetricKey.generate())
        stored = journal.load()
        for start in range(0, len(stored), TAG_SIZE):
            self._seen.add(stored[start : start + TAG_SIZE])
        self.full = len(self._seen) >= limit

    @property
    def begun(self) -> bool:
        """Whether `admit` no longer waits for the disk; so it is from the first tags on."""
        return self._journal.begun

    def begin(self) -> None:
        """Wait for the disk now instead of in the first `admit`, in a thread. Unavailable if it refuses."""
        if self._closed:
            raise Unavailable("the key of these tags is gone")
        self._journal.begin()

    def admit(self, tags: Sequence[bytes]) -> list[bool]:
        """For each 16-byte tag in turn whether it is new, after writing the new ones down.

        Raises Unavailable if they could not be written: then none is admitted, now or later; also if they might not
        fit into the limit: then `full` is true from now on.
        """
        if self._closed:
            raise Unavailable("the key of these tags is gone")
        if self.full or len(self._seen) + len(tags) > self._limit:
            self.full = True
            raise Unavailable("the memory for replay tags is full")
        verdicts, fresh = [], bytearray()
        for tag in tags:
            verdicts.append(self._seen.add(tag))
            if verdicts[-1]:
                fresh += tag
        if fresh:
            self._journal.append(bytes(fresh))
        return verdicts

    def close(self) -> None:
        """Forget the tags here, and keep them for the next start."""
        if not self._closed:
            self._forget()
            self._journal.close()

    def discard(self) -> None:
        """Forget the tags: their key is gone."""
        if not self._closed:
            self._forget()
            self._journal.discard()

    def _forget(self) -> None:
        self._closed = True
        self._seen.clear()


def _read_all(descriptor: int, size: int) -> bytes:
    parts, position = [], 0
    while position < size and (part := os.pread(descriptor, min(1 << 20, size - position), position)):
        parts.append(part)
        position += len(part)
    return b"".join(parts)
