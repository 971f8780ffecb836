"""Files on disk: reads chunks of files that are sent, and writes those that arrive.

Promises: no more than one chunk in memory; a name that a stranger chose never leaves the downloads folder, never hides,
and never replaces a file; what is incomplete is in a hidden partial file, and the whole appears under its name at once.
The digest is a chain over chunks, so that both sides can go on with it after a restart.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO

from mixnet import crypto
from mixnet.client.e2e.bodies import CHUNK_SIZE, Reason
from mixnet.client.model.errors import FileMissing
from mixnet.client.model.names import skeleton
from mixnet.crypto import Label
from mixnet.letters import compatible, composed, graphemes, piled, without_hidden, words

START_DIGEST = bytes(crypto.KEY_SIZE)
_NAME_BYTES = 180
_ENDING_BYTES = 60
_LEFT_OUT = "…"
_FALLBACK = "file"
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_PATHS = ("/", "\\", ":")
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
)


class FileTrouble(Exception):
    """A file can't go on, for a reason that the other side is told; caught where files are sent and received."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def chain(digest: bytes, chunk: bytes) -> bytes:
    """The running digest (32 bytes) after one more chunk."""
    return crypto.digest(Label.FILE, digest, chunk)


def chain_of(path: Path) -> tuple[int, bytes]:
    """(size in bytes, running digest at the end) of a whole file; FileMissing."""
    size, stamp = examine(path)
    digest, position = START_DIGEST, 0
    try:
        while position < size:
            chunk = read_chunk(path, position, stamp)
            digest, position = chain(digest, chunk), position + len(chunk)
    except FileTrouble:
        raise FileMissing(f"{path} changed while it was read: try again") from None
    return size, digest


def examine(path: Path) -> tuple[int, str]:
    """(size in bytes, stamp) of a readable file; FileMissing. Two looks give one stamp if nothing changed between."""
    try:
        with _open(path) as file:
            found = os.fstat(file.fileno())
        str(path).encode()
    except OSError as error:
        raise FileMissing(f"{path} can't be read ({error.strerror}): check its path and permissions") from None
    except ValueError:  # a zero byte, or letters that no encoding knows
        raise FileMissing(f"{str(path)!r} is an unusable name: rename the file") from None
    if not stat.S_ISREG(found.st_mode):
        raise FileMissing(f"{path} is not a file: give the path of one")
    return found.st_size, _stamp(found)


def read_chunk(path: Path, position: int, stamp: str) -> bytes:
    """The next chunk of a file that is still what it was when it was offered; FileTrouble if not."""
    try:
        with _open(path) as file:
            if _stamp(os.fstat(file.fileno())) != stamp:
                raise FileTrouble(Reason.CHANGED)
            file.seek(position)
            chunk = file.read(CHUNK_SIZE)
            if _stamp(os.fstat(file.fileno())) != stamp:
                raise FileTrouble(Reason.CHANGED)
    except OSError:
        raise FileTrouble(Reason.VANISHED) from None
    if not chunk:
        raise FileTrouble(Reason.CHANGED)
    return chunk


def _open(path: Path) -> BinaryIO:
    """For reading, and at once: a named pipe would wait for its writer, and all else with it."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb")


def write_chunk(partial: Path, position: int, chunk: bytes) -> None:
    """Put a chunk in its place and on disk; the same chunk again does no harm. FileTrouble if the disk is full."""
    try:
        partial.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            view = memoryview(chunk)
            while view:
                written = os.pwrite(handle, view, position)
                view, position = view[written:], position + written
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError:
        raise FileTrouble(Reason.NO_ROOM) from None


def finish(partial: Path, size: int, wanted: str) -> Path:
    """Let a complete partial file appear under its name, or the nearest free one; FileTrouble.

    Done again after a crash it finds the same name. The partial name stays: `discard` it once all is recorded.
    """
    try:
        if size == 0:
            write_chunk(partial, 0, b"")
        if partial.stat().st_size != size:
            raise FileTrouble(Reason.DAMAGED)
        return _appear(partial, safe_name(wanted))
    except FileNotFoundError:
        raise FileTrouble(Reason.DAMAGED) from None
    except OSError:
        raise FileTrouble(Reason.NO_ROOM) from None


def free_space(folder: Path) -> int:
    """Bytes that can still be written where a folder is, or is to be; 0 if nobody can tell."""
    there = next((one for one in (folder, *folder.parents) if one.is_dir()), folder)
    try:
        return shutil.disk_usage(there).free
    except OSError:
        return 0


def discard(partial: Path) -> None:
    """Remove a partial file; one that is not there is fine, and one that can't be removed only takes room."""
    try:
        partial.unlink(missing_ok=True)
    except OSError:
        return


def safe_name(wanted: str) -> str:
    """A name for the downloads folder with all letters of the `wanted` one, but for the middle of one that is too long.

    No path, no control or invisible letters, not hidden, no option of a command, none that Windows keeps for itself.
    """
    name, before = wanted, ""
    while name != before:  # what is taken away may part what was joined, and join what was parted
        before, name = name, _safer(name)
    return name or _FALLBACK


def _safer(name: str) -> str:
    last = composed(name).replace("\\", "/").rsplit("/", 1)[-1]
    kept = without_hidden("".join("_" if one in '<>:"|?*' or skeleton(one) in _PATHS else one for one in last))
    piles = piled(kept)
    kept = " ".join(words("".join(one for at, one in enumerate(kept) if at not in piles)))
    kept = _cut(kept.lstrip(" .-~").rstrip(" ."))
    reserved = compatible(kept.partition(".")[0].strip()).lower() in _RESERVED
    return f"_{kept}" if reserved else kept


def _appear(partial: Path, name: str) -> Path:
    """Link the file to the first free name of "a.txt", "a (2).txt"…: at once, and never over another file."""
    stem, suffix = Path(name).stem, Path(name).suffix
    number = 1
    while True:
        target = partial.parent / (name if number == 1 else f"{stem} ({number}){suffix}")
        try:
            os.link(partial, target, follow_symlinks=False)
        except FileExistsError:
            if target.is_file() and target.samefile(partial):
                return target
            number += 1
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return _rename(partial, target)
        else:
            return target


def _rename(partial: Path, target: Path) -> Path:
    """The same where a file has one name only: the target is reserved first, so that no other file is replaced."""
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return _rename(partial, target.with_name(f"{target.stem} (2){target.suffix}"))
    return partial.replace(target)


def _stamp(found: os.stat_result) -> str:
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"


def _cut(name: str) -> str:
    """At most so many bytes; of more, those in the middle go, so that the ending stays, and no letter is halved."""
    if len(name.encode()) <= _NAME_BYTES:
        return name
    letters = list(graphemes(name))
    return (
        _begin(letters, _NAME_BYTES - _ENDING_BYTES - len(_LEFT_OUT.encode())).rstrip(" ")
        + _LEFT_OUT
        + _begin(letters[::-1], _ENDING_BYTES, backwards=True)
    )


def _begin(letters: list[str], size: int, *, backwards: bool = False) -> str:
    """As many of the letters as have at most `size` bytes."""
    kept = list[str]()
    for one in letters:
        size -= len(one.encode())
        if size < 0:
            break
        kept.append(one)
    return "".join(kept[::-1] if backwards else kept)
