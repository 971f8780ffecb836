"""Our mailbox at the provider, and what the profile holds: their commands, and `Connection.mailbox`.

Promises: a mailbox that stays ours is registered anew as it is erased. One that is to stay erased comes back with the
next link to the provider, so whoever asks for that then stops the daemon (`MailboxAccess.erase` does).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from mixnet.client.api.command import Access, Asks, Command
from mixnet.client.api.daemon import Stop
from mixnet.client.api.sockets import ConnectionLost
from mixnet.client.profile import holdings
from mixnet.client.profile.holdings import Holding
from mixnet.client.traffic import provider_mailbox
from mixnet.client.traffic.provider_mailbox import MailboxInfo

if TYPE_CHECKING:
    from mixnet.client.api.daemon_api import DaemonApi


class Mailbox(Command[MailboxInfo], frozen=True, tag="mailbox"):
    """-> what the provider says that it keeps of us; ProviderAway, NotAnswered."""

    async def run(self, daemon: DaemonApi) -> MailboxInfo:
        return await provider_mailbox.look(daemon.kept.mailbox)


class EraseMailbox(Command[None], frozen=True, tag="erase_mailbox"):
    """-> nothing; the provider has deleted the mailbox, and unless we `leave`, registered it anew."""

    leave: bool = False

    async def run(self, daemon: DaemonApi) -> None:
        await provider_mailbox.erase(daemon.kept.mailbox, again=not self.leave)


class Holdings(Command[list[Holding]], frozen=True, tag="holdings"):
    """-> what this profile holds, by the kinds of data of the inventory."""

    async def run(self, daemon: DaemonApi) -> list[Holding]:
        kept = daemon.kept
        found = [await daemon.read(holdings.stored, kept.store, row) for row in holdings.rows()]
        return [one + holdings.on_disk(kept.folder, row) for one, row in zip(found, holdings.rows(), strict=True)]


class MailboxAccess(Access):
    """What a program may ask about the mailbox, and about what the profile holds."""

    show = Asks(Mailbox)

    async def erase(self, *, leave: bool = False) -> None:
        """Have the provider delete the mailbox and what waits in it.

        It is registered anew in the same moment; with `leave` it isn't, and the daemon is stopped, which would register
        it again with its next link. Raises ProviderAway, or NotAnswered, after which nothing is known.
        """
        await self._ask(EraseMailbox(leave=leave))
        if leave:
            with suppress(ConnectionLost):  # it may end before its answer is out
                await self._ask(Stop())

    holdings = Asks(Holdings)
