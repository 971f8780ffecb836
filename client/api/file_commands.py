"""The requests of the local protocol that are about files on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from client.api.command import Command, Number

if TYPE_CHECKING:
    from client.api.daemon_api import DaemonApi


class Files(Command[Any], frozen=True, tag="files"):
    """-> a page of files on their way with numbers above `after`; ask again after the last one until it is empty."""

    after: Number = 0

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return [msgspec.to_builtins(transfer) for transfer in await service.files.under_way(self.after)]


class FileOf(Command[Any], frozen=True, tag="file"):
    """-> how far the file of a message is, on its way or not."""

    number: Number

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(await service.files.one(self.number))


AnyFileCommand = Files | FileOf
