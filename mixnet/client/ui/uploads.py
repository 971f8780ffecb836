"""Files that the page sends: the browser gives their bytes, the daemon wants a path.

Promises: a file is written to a folder of its own in the profile, readable by its user only, with a name that can't
lead out of it; it is bounded, and never takes the last of the disk; it is removed if it can't be queued, and once it is
not under way any more, at the next start or the next file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import trio

from mixnet.client.api.connection import Connection
from mixnet.client.model import paths
from mixnet.errors import LocalError
from mixnet.letters import steers

LIMIT = 1 << 30  # bytes: what clients accept
RESERVE = 1 << 28  # bytes of the disk that stay free
AT_ONCE = 2
_NAME_BYTES = 200
_ENDING_BYTES = 40


class TooManyUploads(LocalError):
    """Two files are being taken already: try again when they are."""


class DiskNearlyFull(LocalError):
    """The disk is nearly full: free some space and try again."""


class Uploads:
    """The files of one profile."""

    def __init__(self, profile: Path) -> None:
        """In a folder of its own."""
        self._folder = profile / paths.UPLOADS
        self._coming = 0

    async def send(self, me: Connection, contact: str, name: str, content: AsyncIterable[bytes]) -> int:
        """Take a file and queue it; the number of its message."""
        async with self._taken(name, content) as path:
            return await me.send_file(contact, path)

    async def sweep(self, me: Connection) -> None:
        """Remove what is not under way any more."""
        if self._coming:
            return
        kept = {Path(one.message.path).parent for one in await me.files.under_way() if one.message.path}
        if not self._coming:
            await trio.to_thread.run_sync(self._remove_but, kept)

    def _remove_but(self, kept: set[Path]) -> None:
        with suppress(OSError):
            for folder in [one for one in self._folder.iterdir() if one not in kept]:
                shutil.rmtree(folder, ignore_errors=True)

    @asynccontextmanager
    async def _taken(self, name: str, content: AsyncIterable[bytes]) -> AsyncIterator[Path]:
        """The file, which is removed if the block fails."""
        if self._coming >= AT_ONCE:
            raise TooManyUploads
        folder = self._folder / os.urandom(12).hex()
        path = folder / file_name(name)
        self._coming += 1
        done = False
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            folder.mkdir(mode=0o700)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            async with trio.wrap_file(os.fdopen(descriptor, "wb")) as file:
                async for part in content:
                    if shutil.disk_usage(folder).free < RESERVE + len(part):
                        raise DiskNearlyFull
                    await file.write(part)
            yield path
            done = True
        finally:
            self._coming -= 1
            if not done:
                shutil.rmtree(folder, ignore_errors=True)


def file_name(given: str) -> str:
    """The last part of what a browser calls a file, with its ending; nothing in it leads elsewhere."""
    last = given.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(one for one in last if not steers(one)).strip()
    stem, dot, ending = kept.rpartition(".")
    if not stem or len(ending.encode()) > _ENDING_BYTES:
        stem, dot, ending = kept, "", ""
    room = _NAME_BYTES - len(f"{dot}{ending}".encode())
    cut = stem.encode()[:room].decode(errors="ignore")
    name = f"{cut}{dot}{ending}"
    return name if name.strip(".") else "file"
