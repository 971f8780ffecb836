"""The requests of the local protocol that are about the archive as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from client.api.command import Command, Number
from client.storage.export_jsonl import Identity, Record
from client.storage.search import ANY, Filter

if TYPE_CHECKING:
    from client.api.daemon_api import DaemonApi

AT_ONCE = 200  # records in one request
STRANGERS = 1000  # identities in one request


class Export(Command[Any], frozen=True, tag="export"):
    """-> a page of [number, record] above `after`; ask again after the last one until the page is empty."""

    where: Filter = ANY
    after: Number = 0

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(await service.archive.export(self.where, self.after))


class WhoAmI(Command[Any], frozen=True, tag="identity"):
    """-> the profile's identity, 64 hexadecimal digits."""

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return await service.archive.identity()


class Strangers(Command[Any], frozen=True, tag="strangers"):
    """-> those of the identities that no contact has."""

    identities: Annotated[list[Identity], msgspec.Meta(max_length=STRANGERS)]

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return await service.archive.strangers(self.identities)


class Import(Command[Any], frozen=True, tag="import"):
    """-> how many of the records were new; all are filed, or none."""

    records: Annotated[list[Record], msgspec.Meta(max_length=AT_ONCE)]

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return await service.archive.take_in(self.records)


class Delete(Command[Any], frozen=True, tag="delete"):
    """-> nothing; the message is gone."""

    number: Number

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        await service.archive.delete(self.number)


class Clear(Command[Any], frozen=True, tag="clear"):
    """-> [deleted, left]: ask again until none is deleted; what is left then is under way."""

    contact: str

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return list(await service.archive.clear(self.contact))


class Retention(Command[Any], frozen=True, tag="retention"):
    """-> for how many seconds messages with the contact are kept; nil: for ever."""

    contact: str

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return await service.archive.retention(self.contact)


class Retain(Command[Any], frozen=True, tag="retain"):
    """-> nothing; messages with the contact are kept for so many seconds (nil: for ever)."""

    contact: str
    seconds: float | None

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        await service.archive.retain(self.contact, self.seconds)


AnyArchiveCommand = Export | WhoAmI | Strangers | Import | Delete | Clear | Retention | Retain
