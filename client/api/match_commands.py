"""The requests of the local protocol that are about matching."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from client.api.command import Command
from client.model.address_entries import ENTRY_LIMIT, LABEL_LIMIT, Entry

if TYPE_CHECKING:
    from client.api.daemon_api import DaemonApi

Address = Annotated[str, msgspec.Meta(max_length=320)]
Label = Annotated[str, msgspec.Meta(max_length=LABEL_LIMIT)]


class MatchStart(Command[Any], frozen=True, tag="match_start"):
    """-> the state of matching, which looks for these [address, label] and no others from now on."""

    me: Address
    entries: Annotated[list[tuple[Address, Label]], msgspec.Meta(max_length=ENTRY_LIMIT)]

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        entries = [Entry(address, label) for address, label in self.entries]
        return msgspec.to_builtins(await service.matching.start(self.me, entries))


class MatchStop(Command[Any], frozen=True, tag="match_stop"):
    """-> nothing; matching is off, and all entries are forgotten."""

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        await service.matching.stop()


class MatchShow(Command[Any], frozen=True, tag="matching"):
    """-> the state of matching."""

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(await service.matching.status())


AnyMatchCommand = MatchStart | MatchStop | MatchShow
