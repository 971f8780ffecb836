"""Our mailbox at the provider, from Python: `Connection.mailbox`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from client.api import mailbox_commands
from client.profile.holdings import Holding
from client.traffic.provider_mailbox import MailboxInfo
from mixnet.errors import RemoteError


class MailboxAccess:
    """What a program may ask about the mailbox, and about what the profile holds."""

    def __init__(self, asker: Callable[..., Awaitable[Any]], stop: Callable[[], Awaitable[None]]) -> None:
        """Ask through a connection; `stop` ends the daemon."""
        self._ask = asker
        self._stop = stop

    async def show(self) -> MailboxInfo:
        """What the provider says that it keeps of us; ProviderAway, NotAnswered."""
        return _as(MailboxInfo, await self._ask(mailbox_commands.Mailbox))  # type: ignore[no-any-return]

    async def erase(self, *, leave: bool = False) -> None:
        """Have the provider delete the mailbox and what waits in it.

        It is registered anew in the same moment; with `leave` it isn't, and the daemon is stopped, which would register
        it again with its next link. Raises ProviderAway, or NotAnswered, after which nothing is known.
        """
        await self._ask(mailbox_commands.EraseMailbox, leave=leave)
        if leave:
            await self._stop()

    async def holdings(self) -> list[Holding]:
        """What this profile holds, by the kinds of data of the inventory."""
        return _as(list[Holding], await self._ask(mailbox_commands.Holdings))  # type: ignore[no-any-return]


def _as(kind: Any, value: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        raise RemoteError("the daemon is of another version: stop it and start it again") from None
