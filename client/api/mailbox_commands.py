"""The requests of the local protocol about the mailbox and about what a profile holds (spec/07-client.md 7.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from client.api.command import Command

if TYPE_CHECKING:
    from client.api.daemon_api import DaemonApi


class Mailbox(Command[Any], frozen=True, tag="mailbox"):
    """-> what the provider says that it keeps of us."""

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(await service.mailbox.look())


class EraseMailbox(Command[Any], frozen=True, tag="erase_mailbox"):
    """-> nothing; the provider has deleted the mailbox, and unless we `leave`, registered it anew."""

    leave: bool = False

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        await service.mailbox.erase(leave=self.leave)


class Holdings(Command[Any], frozen=True, tag="holdings"):
    """-> what this profile holds, by kind of data."""

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(await service.mailbox.holdings())


AnyMailboxCommand = Mailbox | EraseMailbox | Holdings
