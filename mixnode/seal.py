"""A seal proves after a restart that a file of replay tags is complete (spec/04-mixing.md 4.2).

A seal is a small file beside the tags. It is *open* while tags are added, and names the kernel's boot: whatever kills a
process, the kernel keeps what was written as long as it runs itself. It is *closed* once all is on the disk and no
more will come. A closed seal is opened, on the disk, before the first tag is added. Beside an open seal a `Count` says
how much was written.

Promises: `proves` says yes only if the tag file is the very file that the seal was made for, and either closed and
untouched since, or left open under the boot that still runs and no shorter than what was written to it. So a power cut,
a shortened or missing file, and a backup that was copied back, be it into the very files, all give a no. Never: a tag,
or a time but that of the last change of a file.
"""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path
from typing import Self

import msgspec

from mixnet.files import sync_folder

SEAL = ".seal"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NEW = ".seal-new"
_COUNT = ".count"
_COUNTED = struct.Struct("<QQ")
_TOLERANCE = 10 * 10**9  # nanoseconds that a disk may take to write a seal down


class Seal(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The tag file's inode and size when the seal was made; times in nanoseconds, as the file system has them."""

    boot: str  # of the kernel under which tags are being added; empty in a closed seal
    inode: int
    size: int
    changed: int  # when the tag file last changed, which a copy can't have; 0 in an open seal: it goes on changing
    written: int  # when this seal was made: a copy of it was made later


class Count:
    """How many bytes of tags were written while the seal is open, and when: with the kernel when a kill comes.

    It is a file of its own, since writing to the seal would change the time by which a copy of the seal is known. One
    that was written back into its place is known by its own time: the file changed later than it says.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def begin(cls, tags: Path, size: int) -> Self:
        """Begin with what is there; raises OSError. Without an open seal it means nothing."""
        descriptor = os.open(tags.with_suffix(_COUNT), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        count = cls(descriptor)
        try:
            count.set(size)
        except OSError:
            count.close()
            raise
        return count

    def set(self, size: int) -> None:
        """So many bytes are with the kernel now. Raises OSError."""
        if os.pwrite(self._descriptor, _COUNTED.pack(size, time.time_ns()), 0) != _COUNTED.size:
            raise OSError("the disk is full")

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    @staticmethod
    def read(tags: Path) -> int:
        """What was counted; OSError, struct.error if nothing was, or another time."""
        path = tags.with_suffix(_COUNT)
        size, written = _COUNTED.unpack(path.read_bytes())
        if abs(path.stat().st_ctime_ns - written) >= _TOLERANCE:
            raise OSError("a count that was written back")
        return int(size)


def this_boot() -> str:
    """The kernel's boot identifier; empty if it has none, and then no open seal proves anything."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def write_open(tags: Path, boot: str) -> None:
    """Say, on the disk, that tags will be added to `tags` from now on. Raises OSError."""
    state = tags.stat()
    _write(tags, boot=boot, inode=state.st_ino, size=state.st_size, changed=0)


def write_closed(tags: Path) -> None:
    """Say, on the disk, that `tags`, which is all on the disk, will not change. Raises OSError."""
    state = tags.stat()
    _write(tags, boot="", inode=state.st_ino, size=state.st_size, changed=state.st_ctime_ns)


def proves(tags: Path, boot: str) -> bool:
    """Whether the file `tags` has everything that was written to it, as far as its seal can show under `boot`."""
    try:
        seal = msgspec.msgpack.decode(tags.with_suffix(SEAL).read_bytes(), type=Seal)
        state, own = tags.stat(), tags.with_suffix(SEAL).stat()
        counted = Count.read(tags) if seal.boot else 0
    except (OSError, msgspec.MsgspecError, struct.error):
        return False
    if state.st_ino != seal.inode:
        return False
    if not seal.boot:
        return (state.st_size, state.st_ctime_ns) == (seal.size, seal.changed)
    fresh = abs(own.st_ctime_ns - seal.written) < _TOLERANCE
    return seal.boot == boot and state.st_size >= max(seal.size, counted) and fresh


def remove(tags: Path) -> None:
    """Leave `tags` without a seal."""
    for suffix in (SEAL, _NEW, _COUNT):
        tags.with_suffix(suffix).unlink(missing_ok=True)


def reseal(tags: Path) -> None:
    """Make the seal of a copy of `tags` fit the copy. For simulations, where a copy stands for what a kill left."""
    seal = msgspec.msgpack.decode(tags.with_suffix(SEAL).read_bytes(), type=Seal)
    if seal.boot:
        (counted, _) = _COUNTED.unpack(tags.with_suffix(_COUNT).read_bytes())
        Count.begin(tags, counted).close()
        write_open(tags, seal.boot)
    else:
        write_closed(tags)


def _write(tags: Path, *, boot: str, inode: int, size: int, changed: int) -> None:
    """Replace the seal of `tags` as a whole: there is the old one or the new one, never half of one."""
    new = tags.with_suffix(_NEW)
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        seal = Seal(boot, inode, size, changed, os.fstat(descriptor).st_ctime_ns)
        os.write(descriptor, msgspec.msgpack.encode(seal))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.rename(tags.with_suffix(SEAL))
    sync_folder(tags.parent)
