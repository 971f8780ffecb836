"""Counting how often SQLite makes the disk durable, in the process that uses it (spec/13-measurements.md 13.10).

Promises: what is counted are SQLite's own calls of `xSync`, at the interface between it and the operating system, with
the work done as ever; batches are transactions of a provider's store that wrote something, slices that were deleted
and an emptying of the log among them. Both are in a small file
that others may read at any time. Never: outside of an altered node for a measurement. Unavailable where Python's SQLite
can't be reached in this way.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import mmap
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mixnet.errors import Unavailable
from mixnode.mailboxes import Limits, Mailboxes, Operation, Result, StorePacket

COUNTS = "counts"
_FORMAT = struct.Struct("=4Q")
_DATABASE = 0x100  # SQLITE_OPEN_MAIN_DB
_kept: list[Any] = []  # what C code points to must not be collected


class Counts(NamedTuple):
    """So far: synchronisations of the log and of the database, batches that wrote, packets stored."""

    log: int = 0
    database: int = 0
    batches: int = 0
    stored: int = 0


class _Vfs(ctypes.Structure):
    """sqlite3_vfs, version 3 (https://sqlite.org/c3ref/vfs.html)."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("longest_path", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("open", ctypes.c_void_p),
        ("others", ctypes.c_void_p * 15),
    )


class _Methods(ctypes.Structure):
    """sqlite3_io_methods, version 3 (https://sqlite.org/c3ref/io_methods.html)."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("before", ctypes.c_void_p * 4),  # xClose, xRead, xWrite, xTruncate
        ("sync", ctypes.c_void_p),
        ("after", ctypes.c_void_p * 13),
    )


# The name stays a pointer: SQLite keeps it, where a copy that Python made would be gone.
_OPEN = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_SYNC = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


def count(path: Path) -> None:
    """Count from now on, for every database that is opened later, into the file `path`."""
    path.write_bytes(bytes(_FORMAT.size))
    with path.open("r+b") as file:
        shared = mmap.mmap(file.fileno(), _FORMAT.size)
    _kept.append(shared)

    def add(place: int, number: int = 1) -> None:
        counts = list(_FORMAT.unpack_from(shared))
        counts[place] += number
        _FORMAT.pack_into(shared, 0, *counts)

    _count_syncs(add)
    _count_batches(add)


def read(path: Path) -> Counts:
    """What was counted so far."""
    return Counts(*_FORMAT.unpack(path.read_bytes()))


def _count_batches(add: Any) -> None:
    perform = Mailboxes.perform

    def counted(
        self: Mailboxes, operations: Sequence[Operation], limits: Limits, now: float, past: float | None = None
    ) -> list[Result]:
        before = self._database.total_changes
        results = perform(self, operations, limits, now, past)
        if self._database.total_changes > before:
            add(2)
            add(3, sum(isinstance(operation, StorePacket) for operation in operations))
        return results

    def also(work: Callable[[Mailboxes], None]) -> Callable[[Mailboxes], None]:
        def cleaned(self: Mailboxes) -> None:
            work(self)
            add(2)

        return cleaned

    Mailboxes.perform = counted  # type: ignore[method-assign]
    Mailboxes.clean_slice = also(Mailboxes.clean_slice)  # type: ignore[method-assign, assignment]
    Mailboxes.empty_log = also(Mailboxes.empty_log)  # type: ignore[method-assign, assignment]


def _count_syncs(add: Any) -> None:
    """Make the default file system of SQLite one that is the same but for `xSync`, which counts first."""
    library = ctypes.CDLL(_sqlite3.__file__)
    try:
        find, register = library.sqlite3_vfs_find, library.sqlite3_vfs_register
    except AttributeError:
        raise Unavailable("Python's SQLite can't be reached from here: its synchronisations aren't counted") from None
    find.restype, find.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    register.argtypes = [ctypes.c_void_p, ctypes.c_int]
    real = _Vfs.from_address(find(None))
    ours = _Vfs.from_buffer_copy(real)
    ours.name = b"mixnet-counting"
    open_ = _OPEN(real.open)
    made: dict[tuple[int, bool], _Methods] = {}  # by the address of the real ones

    def opened(vfs: int, name: int, file: int, flags: int, out: int) -> int:
        status: int = open_(vfs, name, file, flags, out)
        place = ctypes.c_void_p.from_address(file)
        if status == 0 and place.value:
            key = (place.value, bool(flags & _DATABASE))
            if key not in made:
                made[key] = _counting(place.value, add, int(key[1]))
            place.value = ctypes.addressof(made[key])
        return status

    ours.open = ctypes.cast(callback := _OPEN(opened), ctypes.c_void_p).value
    _kept.extend((ours, callback, open_, made))
    if register(ctypes.addressof(ours), 1) != 0:
        raise Unavailable("SQLite refuses another file system: its synchronisations aren't counted")


def _counting(address: int, add: Any, place: int) -> _Methods:
    """The methods at `address`, with an `xSync` that counts at `place`."""
    methods = _Methods.from_buffer_copy(_Methods.from_address(address))
    sync = _SYNC(methods.sync)

    def counted(file: int, flags: int) -> int:
        add(place)
        status: int = sync(file, flags)
        return status

    methods.sync = ctypes.cast(callback := _SYNC(counted), ctypes.c_void_p).value
    _kept.extend((sync, callback))
    return methods
