"""Public addresses and anonymous conversations, from Python: `Connection.anonymous`.

number = await me.anonymous.send(address, "who am I?")
name = (await me.message(number)).contact
await me.send(name, "and another thing")        # in the same conversation
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from client.api import anonymous_commands
from client.model.views import AddressInfo, CorrespondentInfo
from mixnet.errors import RemoteError

T = TypeVar("T")


class AnonymousAccess:
    """What a program may ask about them. Answers are sent with `Connection.send` to the name of the conversation."""

    def __init__(self, asker: Callable[..., Awaitable[Any]]) -> None:
        """Ask through a connection."""
        self._ask = asker

    async def create_address(self, *, expires: float | None = None) -> AddressInfo:
        """A new address, good for `expires` seconds (None: until it is retired)."""
        return _as(AddressInfo, await self._ask(anonymous_commands.CreateAddress, expires=expires))

    async def addresses(self) -> list[AddressInfo]:
        """All addresses, oldest first."""
        return [_as(AddressInfo, one) for one in await self._ask(anonymous_commands.Addresses)]

    async def retire_address(self, address: str) -> AddressInfo:
        """Take no more first messages at the address with this id; conversations that have begun go on."""
        return _as(AddressInfo, await self._ask(anonymous_commands.RetireAddress, address=address))

    async def send(self, address: str, text: str, *, answers: float | None = None, expires: float | None = None) -> int:
        """Queue a text to an address (its whole text) in a new conversation, without a name; its number.

        Answers are taken for `answers` seconds from now (None: a day), as long as the daemon runs now and then.
        """
        return int(
            await self._ask(
                anonymous_commands.SendAnonymous, address=address, text=text, answers=answers, expires=expires
            )
        )

    async def correspondents(self) -> list[CorrespondentInfo]:
        """All anonymous conversations of either side, oldest first."""
        return [_as(CorrespondentInfo, one) for one in await self._ask(anonymous_commands.Correspondents)]

    async def end(self, name: str) -> None:
        """End a conversation here; its messages stay, and the other side is not told."""
        await self._ask(anonymous_commands.EndCorrespondence, name=name)


def _as(kind: type[T], value: Any) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        raise RemoteError("the daemon is of another version: stop it and start it again") from None
