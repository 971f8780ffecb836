"""Voice messages in a profile's folder: where ours are kept until they are sent, and which files are some.

Promises: how long a message is comes from all of its bytes, never from what its sender or its name says; a file that is
no voice message costs a look at its size.
"""

from __future__ import annotations

import os
import stat
from functools import lru_cache
from pathlib import Path

from mixnet.client.media.voice_file import ENDING, STEPS_LIMIT, NoVoice, parse_untrusted, size_of
from mixnet.client.model.paths import DOWNLOADS

SENT = "sent"  # in the folder of downloads, beside what other devices of the user send
_LARGEST = size_of(STEPS_LIMIT)


def keep(profile: Path, raw: bytes) -> Path:
    """Write a voice message of ours to a new file, and return where. Its name tells its receiver nothing."""
    folder = profile / DOWNLOADS / SENT
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"voice-{os.urandom(4).hex()}{ENDING}"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    return path


def read(path: Path) -> bytes:
    """The bytes of a file that may be a voice message; NoVoice if it is too large or no file, OSError."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except ValueError:  # a zero byte, or letters that no encoding knows
        raise NoVoice from None
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
            raise NoVoice
        return file.read(_LARGEST + 1)


def seconds(path: str) -> float | None:
    """How long the voice message in this file is; None if it is none, or not here."""
    if not path.endswith(ENDING):
        return None
    try:
        found = os.stat(path)  # noqa: PTH116  # the bytes of a path may be no text
        return _seconds(path, found.st_ino, found.st_mtime_ns)
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=1024)
def _seconds(path: str, _inode: int, _changed: int) -> float | None:
    try:
        return parse_untrusted(read(Path(path))).seconds
    except NoVoice:
        return None


def duration(length: float) -> str:
    """As people write it: 0:12."""
    whole = round(length)
    return f"{whole // 60}:{whole % 60:02}"
