"""What a node remembers of the directory (spec/05-directory.md 5.10 and 5.12).

The document in use, those that introduced other authorities, and proofs of contradictions.

Promises: a file is whole or absent, whatever is killed when, and for its owner only. The disk is waited for in a
thread, so no packet waits with it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import trio

from mixnet.errors import Unavailable
from mixnet.files import make_folder, replace_file
from mixnet.pki.keeper import DocumentMemory
from mixnet.pki.views import Contradiction

_DOCUMENT, _INTRODUCTION, _EVIDENCE = "document", "introduction-", "evidence-"


class DocumentFiles(DocumentMemory):
    """The memory of a DocumentKeeper in a folder."""

    def __init__(self, folder: Path) -> None:
        """Make `folder` if need be, for its owner only; LocalError if that is not possible."""
        self._folder = folder
        make_folder(folder)

    @property
    def kept(self) -> Path | None:
        """The file with the document that was in use last, if there was one: then this node has run before."""
        path = self._folder / _DOCUMENT
        return path if path.exists() else None

    def newest(self) -> bytes | None:
        """The signed document that was in use last, if there was one."""
        return self._read(_DOCUMENT)

    def introductions(self) -> list[bytes]:
        """The signed documents that introduced other authorities, in the order in which they came; unverified."""
        found = (self._read(f"{_INTRODUCTION}{number}") for number in self._numbers(_INTRODUCTION))
        return [raw for raw in found if raw is not None]

    async def introduced(self, raw: bytes) -> None:
        """Keep the document that introduces other authorities, never to be removed; Unavailable if the disk refuses."""
        number = 1 + max(self._numbers(_INTRODUCTION), default=0)  # what is of no use now may be of use once more
        await trio.to_thread.run_sync(self._write, f"{_INTRODUCTION}{number}", raw)

    async def keep(self, raw: bytes) -> None:
        """Replace the document that was in use; Unavailable if the disk refuses."""
        await trio.to_thread.run_sync(self._write, _DOCUMENT, raw)

    async def accuse(self, contradiction: Contradiction) -> None:
        """Keep both documents of a contradiction, never to be removed; Unavailable if the disk refuses."""
        for number, raw in enumerate((contradiction.first, contradiction.second), 1):
            await trio.to_thread.run_sync(self._write, f"{_EVIDENCE}{contradiction.epoch}-{number}", raw)

    def evidence(self) -> list[Contradiction]:
        """The contradictions that were kept, those of the oldest epochs first; unverified."""
        found = []
        for epoch in self._numbers(_EVIDENCE):
            first, second = (self._read(f"{_EVIDENCE}{epoch}-{number}") for number in (1, 2))
            if first is not None and second is not None:
                found.append(Contradiction(epoch, first, second))
        return found

    def _numbers(self, kind: str) -> list[int]:
        """The numbers that follow `kind` in the names of files, ascending."""
        names = (path.name.removeprefix(kind).partition("-")[0] for path in self._folder.glob(f"{kind}*"))
        return sorted({int(name) for name in names if name.isascii() and name.isdigit()})

    def _read(self, name: str) -> bytes | None:
        with suppress(OSError):
            return (self._folder / name).read_bytes()
        return None

    def _write(self, name: str, raw: bytes) -> None:
        try:
            replace_file(self._folder / name, raw, draft=self._folder / f"{name}.new")
        except OSError as error:
            raise Unavailable(f"can't write to {self._folder}: {error.strerror}") from None
