"""Recordings in files: written while it happens, and played again (spec/11-demonstration.md).

Promises: a recording is a new file that only its owner may read, since it says when his clients were busy; what was
written is whole lines, whenever it ends. Played again it takes as long as it took, by the times in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import trio

from mixnet.deploy.observe.live import Take
from mixnet.deploy.observe.samples import LONGEST_LINE, Heading, Sample, read_recording, write_line
from mixnet.errors import LocalError


@contextmanager
def writing(path: Path, heading: Heading) -> Iterator[BinaryIO]:
    """A new file with the heading; LocalError if it is there already, or can't be made."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise LocalError(f"{path} is there already: choose another name for the recording") from None
    except OSError as error:
        raise LocalError(f"can't write the recording {path}: {error.strerror}") from None
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        _write(file, write_line(heading))
        yield file


def add(file: BinaryIO, sample: Sample) -> None:
    """One sample more; LocalError if the disk is full."""
    _write(file, write_line(sample))


def _write(file: BinaryIO, line: bytes) -> None:
    try:
        file.write(line)
    except OSError as error:
        raise LocalError(f"can't go on with the recording: {error.strerror}") from None


class Recording:
    """A file that is played: the same as LocalNetwork to whoever looks at it."""

    def __init__(self, path: Path) -> None:
        """BadRecording if it is none; LocalError if it can't be read."""
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise LocalError(f"can't read the recording {path}: {error.strerror}") from None
        self.heading, self._samples = read_recording(_lines(self._file))

    async def run(self, take: Take) -> None:
        """Give each sample at its time, and return at the end."""
        begun = trio.current_time()
        with self._file:
            for sample in self._samples:
                await trio.sleep_until(begun + sample.at)
                await take(sample)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines, of which one that is too long comes cut, to be refused."""
    while line := file.readline(LONGEST_LINE + 2):
        yield line
